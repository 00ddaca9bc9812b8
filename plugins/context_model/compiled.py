"""Compiled half of the context model: look up, mix, count.

All of it is in one file because numba's cache of a function is renewed when its own file
changes, not when the file of a function it calls does.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from harness import FREQUENCY_BITS, START, TOTAL_FREQUENCY

MAX_ORDER = 6
N_SYMBOLS = 256
HASH_FACTOR = 0x1E3779B97F4A7C15
CONTEXT_BITS = 8 * MAX_ORDER

# Columns of the overlay's nodes; FIRST and LENGTH say where its entries lie.
KEY, STREAM, N_OWN, T_OWN, BASE, FIRST, LENGTH = range(7)

Ints = NDArray[np.int64]
Tables = tuple[NDArray[Any], ...]
Streamed = tuple[Ints, Ints, Tables, Tables]
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    return cast("Function", numba.njit(cache=True)(function))


def _inlined(function: Function) -> Function:
    # A call would pass the arrays of both tables, and keep loops from being optimised.
    inlining: Any = numba.njit(cache=True, forceinline=True)
    return cast("Function", inlining(function))


@_inlined
def _slot_of(key: int, stream: int, mask: int) -> int:
    # Multiply and shift: neighbouring keys must not share runs of slots.
    mixed = (key + stream * 0x3C6EF372FE94F82B) * HASH_FACTOR
    return (mixed ^ (mixed >> 29) ^ (mixed >> 43)) & mask


@_compiled
def fill_slots(slots: NDArray[np.int32], nodes: Ints, n: int) -> None:
    """Enter nodes whose first columns are the key and, if any, the stream."""
    mask = len(slots) - 1
    for node in range(n):
        stream = nodes[node, STREAM] if nodes.shape[1] > 1 else 0
        slot = _slot_of(nodes[node, KEY], stream, mask)
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = node


@_compiled
def clear_slots(slots: NDArray[np.int32], nodes: Ints, n: int) -> None:
    """Empty the slots, by walking whichever is less: the nodes or the slots."""
    if 16 * n > len(slots):
        slots[:] = -1
        return
    mask = len(slots) - 1
    for node in range(n - 1, -1, -1):
        slot = _slot_of(nodes[node, KEY], nodes[node, STREAM], mask)
        # Latest first: whatever this node stepped over was entered before it.
        while slots[slot] != node:
            slot = (slot + 1) & mask
        slots[slot] = -1


@_inlined
def _find_base(base: Tables, key: int) -> int:
    """Return the row of a context in the base, or -1."""
    slots, contexts = base[0], base[1]
    mask = len(slots) - 1
    slot = _slot_of(key, 0, mask)
    while slots[slot] >= 0:
        if contexts[slots[slot]] == key:
            return int(slots[slot])
        slot = (slot + 1) & mask
    return -1


@_inlined
def _find_slot(overlay: Tables, key: int, stream: int) -> int:
    """Return the slot where the node of a context is, or would be."""
    slots, nodes = overlay[0], overlay[1]
    mask = len(slots) - 1
    slot = _slot_of(key, stream, mask)
    while slots[slot] >= 0:
        node = slots[slot]
        if nodes[node, KEY] == key and nodes[node, STREAM] == stream:
            break
        slot = (slot + 1) & mask
    return slot


@_inlined
def _context_key(history: int, order: int) -> int:
    return (order << CONTEXT_BITS) | (history & ((1 << (8 * order)) - 1))


@_inlined
def _mix(
    row: Ints,
    order: int,
    stream: int,
    tables: Streamed,
) -> None:
    """Fill `row` with shares of 2**24, rounded down, mixed over all orders."""
    all_histories, all_seen, base, overlay = tables
    history, n_seen = all_histories[stream], all_seen[stream]
    _, _, bounds, totals, symbols, counts = base
    slots, nodes, entries, _ = overlay
    row[:] = TOTAL_FREQUENCY // N_SYMBOLS
    for o in range(min(order, n_seen) + 1):
        key = _context_key(history, o)
        node = slots[_find_slot(overlay, key, stream)]
        n, t, first, length = 0, 0, 0, 0
        if node >= 0:
            n, t = nodes[node, N_OWN], nodes[node, T_OWN]
            first, length = nodes[node, FIRST], nodes[node, LENGTH]
            frozen = nodes[node, BASE]
        else:
            frozen = np.int64(_find_base(base, key))
        if frozen >= 0:
            n += totals[frozen]
            t += bounds[frozen + 1] - bounds[frozen]
        if n == 0:
            # A longer context cannot have been seen where a shorter one was not.
            break
        # Witten-Bell: T / (N + T) goes to the order below.
        alpha = (t << FREQUENCY_BITS) // (n + t)
        unit = (TOTAL_FREQUENCY - alpha) // n
        _scale(row, alpha)
        if frozen >= 0:
            for i in range(bounds[frozen], bounds[frozen + 1]):
                row[symbols[i]] += np.int64(counts[i]) * unit
        for i in range(first, first + length):
            row[np.uint8(entries[i])] += (entries[i] >> 8) * unit


@_inlined
def _scale(row: Ints, factor: int) -> None:
    """Multiply by factor / 2**24, rounding down."""
    # Products of 32-bit numbers are several times faster than those of 64-bit ones.
    narrow = np.uint64(np.uint32(factor))
    for s in range(N_SYMBOLS):
        product = np.uint64(np.uint32(row[s])) * narrow
        row[s] = np.int64(product >> np.uint64(FREQUENCY_BITS))


@_inlined
def _settle(row: Ints) -> None:
    """Make every frequency at least 1 and their sum 2**24."""
    _scale(row, TOTAL_FREQUENCY - N_SYMBOLS)
    total, top = N_SYMBOLS, np.int64(0)
    for s in range(N_SYMBOLS):
        total += row[s]
        top = max(top, row[s])
        row[s] += 1
    best = 0
    # The remainder of the roundings goes to the first of the likeliest.
    while row[best] <= top:
        best += 1
    row[best] += TOTAL_FREQUENCY - total


@_inlined
def _holds(base: Tables, frozen: int, symbol: int) -> bool:
    """Tell whether the base has seen the symbol in this context."""
    if frozen < 0:
        return False
    bounds, symbols = base[2], base[4]
    low, high = bounds[frozen], bounds[frozen + 1]
    while low < high:
        middle = (low + high) >> 1
        if symbols[middle] < symbol:
            low = middle + 1
        else:
            high = middle
    return bool(low < bounds[frozen + 1] and symbols[low] == symbol)


@_inlined
def _count(base: Tables, overlay: Tables, key: int, stream: int, symbol: int) -> None:
    """Add one to the count of a symbol in one context of a stream."""
    slots, nodes, entries, sizes = overlay
    slot = _find_slot(overlay, key, stream)
    node = int(slots[slot])
    if node < 0:
        node = sizes[0]
        sizes[0] += 1
        slots[slot] = node
        nodes[node, KEY], nodes[node, STREAM] = key, stream
        nodes[node, N_OWN], nodes[node, T_OWN] = 0, 0
        nodes[node, BASE], nodes[node, LENGTH] = _find_base(base, key), 0
    nodes[node, N_OWN] += 1
    first, length = nodes[node, FIRST], nodes[node, LENGTH]
    for i in range(length):
        entry = entries[first + i]
        if entry & 0xFF == symbol:
            # Forward: what came now will soon be looked for again.
            entries[first + i] = entries[first + (i >> 1)]
            entries[first + (i >> 1)] = entry + (1 << 8)
            return
    if not _holds(base, nodes[node, BASE], symbol):
        nodes[node, T_OWN] += 1
    _append(overlay, node, (1 << 8) | symbol)


@_inlined
def _append(overlay: Tables, node: int, entry: int) -> None:
    """Add an entry (count << 8 | symbol) to a node; a full block moves to twice the room."""
    _, nodes, entries, sizes = overlay
    first, length = nodes[node, FIRST], nodes[node, LENGTH]
    if length & (length - 1) == 0:
        room = max(1, 2 * length)
        for i in range(length):
            entries[sizes[2] + i] = entries[first + i]
        first = nodes[node, FIRST] = sizes[2]
        sizes[2] += room
    entries[first + length] = entry
    nodes[node, LENGTH] += 1
    sizes[1] += 1


@_inlined
def _see(
    symbol: int,
    order: int,
    stream: int,
    tables: Streamed,
) -> None:
    """Count a symbol in the contexts of all orders, and move the stream past it."""
    history, n_seen, base, overlay = tables
    # A context longer than the stream does not exist yet.
    for o in range(min(order, n_seen[stream]) + 1):
        _count(base, overlay, _context_key(history[stream], o), stream, symbol)
    history[stream] = ((history[stream] << 8) | symbol) & ((1 << CONTEXT_BITS) - 1)
    n_seen[stream] += 1


@_compiled
def step_streams(
    rows: Ints,
    last: Ints,
    order: int,
    tables: Streamed,
) -> None:
    for i in range(len(last)):
        if last[i] != START:
            _see(last[i], order, i, tables)
        _mix(rows[i], order, i, tables)
        _settle(rows[i])


@_compiled
def code_rows(
    rows: Ints,
    symbols: Ints,
    owners: Ints,
    order: int,
    tables: Streamed,
) -> None:
    for i in range(len(symbols)):
        stream = owners[i]
        _mix(rows[i], order, stream, tables)
        _settle(rows[i])
        _see(symbols[i], order, stream, tables)


@_compiled
def code_chosen(
    chosen: Ints,
    symbols: Ints,
    order: int,
    tables: Streamed,
) -> None:
    row = np.empty(N_SYMBOLS, np.int64)
    for i in range(len(symbols)):
        _mix(row, order, 0, tables)
        _settle(row)
        chosen[i] = row[symbols[i]]
        _see(symbols[i], order, 0, tables)
