"""Compiled half of the counts: find contexts, blend orders, leave a window out.

All sums are of integers below 2**53, which float64 holds exactly.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled

MAX_ORDER = 6
N_SYMBOLS = 256
CONTEXT_BITS = 8 * MAX_ORDER
MASS_BITS = 40
"""A distribution shares out 2**40."""
MANTISSA_BITS = 8
"""Leading bits after the first that decide a level."""

Array = NDArray[Any]
Ints = NDArray[np.int64]


class Tables(NamedTuple):
    """Counts of n-grams by context, for contexts sorted by their key.

    The entries of context c are `bounds[c]` to `bounds[c + 1]`, by rising symbol; `totals`
    and `kinds` have the sum of its counts, and how many of them are not 0. `levels` gives
    the level of a mass by its exponent and leading bits.
    """

    order: int
    contexts: Ints
    bounds: Ints
    totals: Ints
    kinds: Ints
    symbols: NDArray[np.uint8]
    counts: Ints
    levels: NDArray[np.float32]


@compiled
def fill_levels(
    levels: Array, symbols: Ints, history: Ints, n_read: int, tables: Tables
) -> None:
    """Write the levels of what follows each of the symbols.

    Args:
        levels: shape (k, m, 256), written.
        symbols: shape (k, m) of m streams, negative for the start of a stream.
        history: shape (m,), the last bytes of each stream, packed; changed in place.
        n_read: bytes that each stream has read before.
        tables: the counts.
    """
    rows, masses = np.empty(tables.order + 1, np.int64), np.empty(N_SYMBOLS)
    for step in range(symbols.shape[0]):
        for stream in range(symbols.shape[1]):
            symbol = symbols[step, stream]
            if symbol >= 0:
                shifted = (history[stream] << 8) | symbol
                history[stream] = shifted & ((1 << CONTEXT_BITS) - 1)
        # All streams are in step; the start is no byte.
        if len(history) > 0:
            n_read += int(symbols[step, 0] >= 0)
        for stream in range(symbols.shape[1]):
            _find(rows, history[stream], n_read, tables)
            _blend(masses, rows, tables)
            _measure(levels[step, stream], masses, tables)


@compiled
def fill_levels_without(levels: Array, symbols: Array, tables: Tables) -> None:
    """Write the levels (T, 256) of each of a window's symbols, by counts without its own.

    Args:
        levels: shape (T, 256), written.
        symbols: shape (T,), a window whose n-grams are in the tables.
        tables: the counts; changed, and changed back.
    """
    rows = np.empty((len(symbols), tables.order + 1), np.int64)
    history = 0
    for t in range(len(symbols)):
        _find(rows[t], history, t, tables)
        history = ((history << 8) | int(symbols[t])) & ((1 << CONTEXT_BITS) - 1)
    _count(rows, symbols, tables, -1)
    masses = np.empty(N_SYMBOLS)
    for t in range(len(symbols)):
        _blend(masses, rows[t], tables)
        _measure(levels[t], masses, tables)
    _count(rows, symbols, tables, 1)


@compiled
def _find(rows: Ints, history: int, n_read: int, tables: Tables) -> None:
    """Write the rows of the contexts of order 0, 1, ... that the tables have, else -1."""
    rows[:] = -1
    for order in range(min(len(rows) - 1, n_read) + 1):
        key = (order << CONTEXT_BITS) | (history & ((1 << (8 * order)) - 1))
        row = np.searchsorted(tables.contexts, key)
        # A longer context cannot have been counted where a shorter one was not.
        if row == len(tables.contexts) or tables.contexts[row] != key:
            break
        rows[order] = row


@compiled
def _count(rows: Ints, symbols: Array, tables: Tables, times: int) -> None:
    """Add so many times to the count of each symbol in each of its contexts."""
    for t in range(len(symbols)):
        for row in rows[t]:
            if row < 0:
                break
            low, high = tables.bounds[row], tables.bounds[row + 1]
            entry = low + np.searchsorted(tables.symbols[low:high], symbols[t])
            before = tables.counts[entry]
            tables.counts[entry] += times
            tables.totals[row] += times
            tables.kinds[row] += np.int64(before + times > 0) - np.int64(before > 0)


@compiled
def _blend(masses: Array, rows: Ints, tables: Tables) -> None:
    """Write the shares of 2**40, from the longest context down (Witten and Bell 1991)."""
    masses[:] = 0
    mass = np.int64(1) << MASS_BITS
    for order in range(len(rows) - 1, -1, -1):
        row = rows[order]
        if row < 0 or tables.totals[row] == 0:
            continue
        # Of N symbols of T kinds: count / (N + T) to each, T / (N + T) to the order below.
        unit = mass // (tables.totals[row] + tables.kinds[row])
        for entry in range(tables.bounds[row], tables.bounds[row + 1]):
            masses[tables.symbols[entry]] += np.float64(unit * tables.counts[entry])
        mass -= unit * tables.totals[row]
    masses += np.float64(mass // N_SYMBOLS)


@compiled
def _measure(levels: Array, masses: Array, tables: Tables) -> None:
    """Write the level of each mass: its logarithm, by its exponent and leading bits."""
    bits = masses.view(np.int64)
    lowest, last = (1023 + MASS_BITS) << MANTISSA_BITS, len(tables.levels) - 1
    for symbol in range(N_SYMBOLS):
        # An integer below 2**53 is a float64 whose leading bits are its own.
        above = (bits[symbol] >> (52 - MANTISSA_BITS)) - lowest + last
        levels[symbol] = tables.levels[max(above, 0)]
