"""Order-k counts of bytes, and their distributions as whole levels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import Arrays

from .._torch.batches import Windows
from .._transformer.integers import LEVEL_BITS, LEVEL_UNITS
from .compiled import (
    CONTEXT_BITS,
    MANTISSA_BITS,
    N_SYMBOLS,
    Ints,
    Tables,
    fill_levels,
    fill_levels_without,
)

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How often each n-gram of up to order + 1 bytes occurs, frozen within a stream.

    A distribution is blended over the orders as `context_model` blends them (interpolated
    Witten-Bell), in integers; a level is its logarithm in 1/16 bit, from 0 (2**-16 or
    less) to 256 (certain).

    Attributes:
        order: bytes in the longest contexts, 0 to 6.
        keys: shape (n,), sorted: order, context and symbol of each n-gram, packed.
        times: shape (n,), how often it occurs, at least once.
    """

    order: int
    keys: Ints
    times: Ints

    @classmethod
    def none(cls, order: int) -> Counts:
        """Return the counts of nothing: every distribution is uniform."""
        empty = np.empty(0, np.int64)
        return cls(order=order, keys=empty, times=empty)

    @classmethod
    def restored(cls, order: int, learned: Arrays) -> Counts:
        """Return the counts of an artifact."""
        keys = np.cumsum(learned["gram_steps"].astype(np.int64))
        return cls(order=order, keys=keys, times=learned["times"].astype(np.int64))

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The counts as arrays of an artifact."""
        # Steps from key to key compress better than the keys.
        steps = np.diff(self.keys, prepend=0).astype(np.uint64)
        return {"gram_steps": steps, "times": self.times.astype(np.uint32)}

    def plus(self, windows: Windows) -> Counts:
        """Return the counts with those of each window added, which starts without context."""
        parts, repeats = [self.keys], [self.times]
        for order in range(self.order + 1):
            keys, times = np.unique(_grams(windows, order), return_counts=True)
            parts.append(keys)
            repeats.append(times)
        keys, index = np.unique(np.concatenate(parts), return_inverse=True)
        # Sums of counts are exact in float64.
        sums = np.bincount(index, np.concatenate(repeats), minlength=len(keys))
        return Counts(order=self.order, keys=keys, times=sums.astype(np.int64))

    @cached_property
    def tables(self) -> Tables:
        """The counts by context, as the compiled functions take them."""
        contexts, starts = np.unique(self.keys >> 8, return_index=True)
        bounds = np.append(starts, len(self.keys)).astype(np.int64)
        totals = np.diff(np.append(0, np.cumsum(self.times))[bounds])
        return Tables(
            order=self.order,
            contexts=contexts,
            bounds=bounds,
            totals=totals,
            kinds=np.diff(bounds),
            symbols=(self.keys & 0xFF).astype(np.uint8),
            counts=self.times.copy(),
            levels=level_table(),
        )

    def levels(self, symbols: Ints, history: Ints, n_read: int) -> Floats:
        """Return the levels of what follows each symbol, (k, m, 256).

        Args:
            symbols: (k, m) of m streams in step, START before the first of a stream.
            history: (m,), the last bytes of each stream, packed; changed in place.
            n_read: bytes that each stream has read before.
        """
        levels = np.empty((*symbols.shape, N_SYMBOLS), np.float32)
        whole = np.ascontiguousarray(symbols, np.int64)
        fill_levels(levels, whole, history, n_read, self.tables)
        return levels

    def levels_without_own(self, symbols: Ints, lengths: Ints) -> Floats:
        """Return the levels of each symbol of training windows, (n, T, 256).

        The counts include the window itself. They are those of a test sample only after
        all n-grams of the window are subtracted; levels beyond its length are 0.

        Args:
            symbols: (n, T), windows that were counted.
            lengths: (n,), how many symbols of each are real.
        """
        levels = np.zeros((*symbols.shape, N_SYMBOLS), np.float32)
        for row, window, length in zip(levels, symbols, lengths, strict=True):
            own = window[:length].astype(np.uint8)
            fill_levels_without(row[:length], own, self.tables)
        return levels


def _grams(windows: Windows, order: int) -> Ints:
    """Return the packed n-grams of order + 1 symbols, of all windows one after another."""
    n_symbols = windows.symbols.shape[1]
    if order >= n_symbols:
        return np.empty(0, np.int64)
    grams = np.zeros((len(windows.symbols), n_symbols - order), np.int64)
    for i in range(order + 1):
        # Column t holds the symbols t .. t + order.
        grams = (grams << 8) | windows.symbols[:, i : i + n_symbols - order]
    is_real = np.arange(order, n_symbols) < windows.lengths[:, None]
    packed: Ints = grams[is_real] | (order << (CONTEXT_BITS + 8))
    return packed


@lru_cache(maxsize=1)
def level_table() -> Floats:
    """Return the levels of the masses from 2**(40 - 16) to 2**40, by their leading bits.

    Entry e * 256 + m is of the mass 2**(24 + e) * (1 + (m + 1/2) / 256), rounded, computed
    in Python's integers; the last one is of 2**40.
    """
    steps = 1 << MANTISSA_BITS
    fractions = []
    for m in range(steps):
        middle = 2 * steps + 2 * m + 1
        # Level j is reached where (middle / 512) ** 16 is 2 ** (j - 1/2).
        power = middle ** (2 * LEVEL_UNITS)
        base = 2 * LEVEL_UNITS * (MANTISSA_BITS + 1)
        bounds = (1 << base + 2 * j - 1 for j in range(1, 1 + LEVEL_UNITS))
        fractions.append(sum(power >= bound for bound in bounds))
    whole = np.arange(LEVEL_BITS)[:, None] * LEVEL_UNITS
    table = (whole + np.array(fractions)).reshape(-1)
    return np.append(table, LEVEL_BITS * LEVEL_UNITS).astype(np.float32)
