"""Context mixing by counts: order-k interpolated Witten-Bell (Witten & Bell 1991).

From the uniform distribution up to the longest context seen, an order with N symbols of
T kinds gives T / (N + T) to the order below and count / (N + T) to each of its own. All
in integers of 24 bits, so that every machine gets the same frequencies.

What was fitted is frozen in a `Base`; what a stream has seen of its own lies in an
`Overlay` shared by all streams, which holds only the counts that are added to the base.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from harness import START, TOTAL_FREQUENCY, SpecError, Stepwise, hookimpl
from harness.compressor import (
    FREQUENCY_BITS,
    Bits,
    check_alphabet,
    coding_order,
    steps_of,
)

MAX_ORDER = 6
N_SYMBOLS = 256
CHUNK_ROWS = 1 << 12
FIT_BYTES = 1 << 22
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


@dataclass(frozen=True, kw_only=True)
class ContextModel(Stepwise):
    """Order-k interpolated Witten-Bell over bytes, learning as it codes."""

    name = "context_model"
    family = "context model"
    requires = ("numba", "constriction")
    determinism = "isa"
    adapts = True

    order: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.order <= MAX_ORDER:
            raise SpecError(
                f"order is {self.order}; context_model has 0 to {MAX_ORDER}"
            )

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:  # noqa: ARG002  (counting draws nothing)
        keys, counts, tail = self._counted
        joined = b"".join(corpus)
        for start in range(0, len(joined), FIT_BYTES):
            piece = joined[start : start + FIT_BYTES]
            keys, counts = _merge(keys, counts, *_count_ngrams(piece, tail, self.order))
            tail = _last(tail + piece, self.order)
        learned: dict[str, NDArray[Any]] = {
            "keys": keys.astype(np.uint64),
            "counts": counts.astype(np.uint32),
            "tail": np.frombuffer(tail, np.uint8),
        }
        return replace(self, learned=learned)

    def start(self, n: int, *, context: bytes = b"") -> "Streams":
        # A context is nothing but a later part of the corpus.
        model = self.fit([context], seed=0) if context else self
        return Streams(n, self.order, model._base, model._counted[2])  # noqa: SLF001  (its own class)

    def step(self, state: "Streams", symbols: Ints) -> tuple["Streams", Ints]:
        rows = np.empty((len(symbols), N_SYMBOLS), np.int64)
        state.reserve(len(symbols))
        _step(rows, np.asarray(symbols, np.int64), self.order, state.tables)
        return state, rows

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[Ints]:
        state = self.start(len(samples), context=context)
        for symbols, owners in _chunks([samples[i] for i in coding_order(samples)]):
            rows = np.empty((len(symbols), N_SYMBOLS), np.int64)
            state.reserve(len(symbols))
            _code_rows(rows, symbols, owners, self.order, state.tables)
            yield rows

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        check_alphabet(samples, self.alphabet)
        state = self.start(1, context=context)
        lengths = np.zeros(len(samples))
        for i, sample in enumerate(samples):
            state.restart()
            for symbols in _pieces(sample):
                chosen = np.empty(len(symbols), np.int64)
                state.reserve(len(symbols))
                _code_chosen(chosen, symbols, self.order, state.tables)
                lengths[i] += (FREQUENCY_BITS - np.log2(chosen)).sum()
        return lengths

    @cached_property
    def _base(self) -> Tables:
        keys, counts, _ = self._counted
        return _build_base(keys, counts)

    @property
    def _counted(self) -> tuple[Ints, Ints, bytes]:
        """Keys and counts of the n-grams fitted, and the last bytes of the corpus."""
        if self.learned is None:
            return np.empty(0, np.int64), np.empty(0, np.int64), b""
        keys, counts, tail = (self.learned[name] for name in ("keys", "counts", "tail"))
        return keys.astype(np.int64), counts.astype(np.int64), tail.tobytes()


class Streams:
    """What n streams have seen: their last bytes, and counts on top of the base.

    Changed in place by each step.
    """

    def __init__(self, n: int, order: int, base: Tables, tail: bytes) -> None:
        self.order = order
        self.base = base
        self.first = int.from_bytes(tail, "big"), len(tail)
        self.history = np.full(n, self.first[0], np.int64)
        self.n_seen = np.full(n, self.first[1], np.int64)
        self.sizes = np.zeros(3, np.int64)  # nodes, entries, room taken by entries
        self.slots = np.full(128, -1, np.int32)
        self.nodes = np.empty((64, 8), np.int64)
        self.entries = np.empty(64, np.int64)

    @property
    def tables(self) -> Streamed:
        """The arrays as the compiled functions take them."""
        overlay = (self.slots, self.nodes, self.entries, self.sizes)
        return self.history, self.n_seen, self.base, overlay

    def reserve(self, n_symbols: int) -> None:
        """Make room for the updates of so many symbols, doubling what is too small."""
        n_nodes, n_entries, _ = (self.sizes + n_symbols * (self.order + 1)).tolist()
        # Blocks of 1, 2, 4, ... entries, of which the last may be half empty.
        self.entries = _grown(self.entries, 4 * n_entries)
        if n_nodes > len(self.nodes):
            self.nodes = _grown(self.nodes, n_nodes)
            self.slots = np.full(2 * len(self.nodes), -1, np.int32)
            _fill_slots(self.slots, self.nodes, self.sizes[0])

    def restart(self) -> None:
        """Forget all but the base."""
        _clear_slots(self.slots, self.nodes, self.sizes[0])
        self.sizes[:] = 0
        self.history[:], self.n_seen[:] = self.first


def _grown(table: NDArray[Any], n_rows: int) -> NDArray[Any]:
    if n_rows <= len(table):
        return table
    larger = np.empty((1 << (n_rows - 1).bit_length(), *table.shape[1:]), table.dtype)
    larger[: len(table)] = table
    return larger


def _last(data: bytes, n: int) -> bytes:
    return data[max(len(data) - n, 0) :]


def _count_ngrams(data: bytes, tail: bytes, order: int) -> tuple[Ints, Ints]:
    """Return sorted keys and counts of the n-grams that end in `data`."""
    text = np.frombuffer(tail + data, np.uint8).astype(np.int64)
    keys, counts = [], []
    gram = text
    for o in range(order + 1):
        if o:
            # gram[i] packs the o + 1 symbols that start at i.
            gram = (gram[:-1] << 8) | text[o:]
        ends_in_data = gram[max(len(tail) - o, 0) :]
        found, times = np.unique(ends_in_data, return_counts=True)
        keys.append(found | (o << (CONTEXT_BITS + 8)))
        counts.append(times)
    return np.concatenate(keys), np.concatenate(counts).astype(np.int64)


def _merge(keys: Ints, counts: Ints, more: Ints, times: Ints) -> tuple[Ints, Ints]:
    """Return the sum of two sorted tables of counts."""
    both = np.concatenate([keys, more])
    if not len(keys) or not len(both):
        return both, np.concatenate([counts, times])
    order = np.argsort(both, kind="stable")
    both, summands = both[order], np.concatenate([counts, times])[order]
    first = np.flatnonzero(np.diff(both, prepend=-1))
    return both[first], np.add.reduceat(summands, first)


def _build_base(keys: Ints, counts: Ints) -> Tables:
    """Return slots, contexts, their starts and totals, symbols and counts."""
    contexts, starts = np.unique(keys >> 8, return_index=True)
    totals = np.add.reduceat(counts, starts) if len(starts) else starts
    bounds = np.append(starts, len(keys)).astype(np.int64)
    slots = np.full(2 << (len(contexts)).bit_length(), -1, np.int32)
    _fill_slots(slots, contexts.reshape(-1, 1), len(contexts))
    symbols = (keys & 0xFF).astype(np.uint8)
    return slots, contexts, bounds, totals.astype(np.int64), symbols, counts


def _pieces(sample: bytes) -> Iterator[Ints]:
    for start in range(0, len(sample), CHUNK_ROWS):
        yield np.frombuffer(sample[start : start + CHUNK_ROWS], np.uint8).astype(
            np.int64
        )


def _chunks(ordered: Sequence[bytes]) -> Iterator[tuple[Ints, Ints]]:
    """Yield symbols and the streams they belong to, in coding order."""
    if len(ordered) == 1:
        for symbols in _pieces(ordered[0]):
            yield symbols, np.zeros(len(symbols), np.int64)
        return
    steps: list[Ints] = []
    for step in steps_of(ordered):
        if steps and sum(map(len, steps)) + len(step) > CHUNK_ROWS:
            yield (
                np.concatenate(steps),
                np.concatenate([np.arange(len(s)) for s in steps]),
            )
            steps = []
        steps.append(step)
    if steps:
        yield np.concatenate(steps), np.concatenate([np.arange(len(s)) for s in steps])


@_compiled
def _slot_of(key: int, stream: int, mask: int) -> int:
    mixed = (key + stream * 0x3C6EF372FE94F82B) * HASH_FACTOR
    return (mixed ^ (mixed >> 29) ^ (mixed >> 43)) & mask


@_compiled
def _fill_slots(slots: NDArray[np.int32], nodes: Ints, n: int) -> None:
    """Enter nodes whose first columns are the key and, if any, the stream."""
    mask = len(slots) - 1
    for node in range(n):
        stream = nodes[node, STREAM] if nodes.shape[1] > 1 else 0
        slot = _slot_of(nodes[node, KEY], stream, mask)
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = node


@_compiled
def _clear_slots(slots: NDArray[np.int32], nodes: Ints, n: int) -> None:
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


@_compiled
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


@_compiled
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


@_compiled
def _context_key(history: int, order: int) -> int:
    return (order << CONTEXT_BITS) | (history & ((1 << (8 * order)) - 1))


@_compiled
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
        alpha = (t << FREQUENCY_BITS) // (n + t)
        unit = (TOTAL_FREQUENCY - alpha) // n
        _scale(row, alpha)
        if frozen >= 0:
            for i in range(bounds[frozen], bounds[frozen + 1]):
                row[symbols[i]] += np.int64(counts[i]) * unit
        for i in range(first, first + length):
            row[np.uint8(entries[i])] += (entries[i] >> 8) * unit


@_compiled
def _scale(row: Ints, factor: int) -> None:
    """Multiply by factor / 2**24, rounding down."""
    # Products of 32-bit numbers are several times faster than those of 64-bit ones.
    narrow = np.uint64(np.uint32(factor))
    for s in range(N_SYMBOLS):
        product = np.uint64(np.uint32(row[s])) * narrow
        row[s] = np.int64(product >> np.uint64(FREQUENCY_BITS))


@_compiled
def _settle(row: Ints) -> None:
    """Make every frequency at least 1 and their sum 2**24."""
    _scale(row, TOTAL_FREQUENCY - N_SYMBOLS)
    total, top = N_SYMBOLS, np.int64(0)
    for s in range(N_SYMBOLS):
        total += row[s]
        top = max(top, row[s])
        row[s] += 1
    best = 0
    while row[best] <= top:
        best += 1
    row[best] += TOTAL_FREQUENCY - total


@_compiled
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


@_compiled
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


@_compiled
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


@_compiled
def _see(
    symbol: int,
    order: int,
    stream: int,
    tables: Streamed,
) -> None:
    """Count a symbol in the contexts of all orders, and move the stream past it."""
    history, n_seen, base, overlay = tables
    for o in range(min(order, n_seen[stream]) + 1):
        _count(base, overlay, _context_key(history[stream], o), stream, symbol)
    history[stream] = ((history[stream] << 8) | symbol) & ((1 << CONTEXT_BITS) - 1)
    n_seen[stream] += 1


@_compiled
def _step(
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
def _code_rows(
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
def _code_chosen(
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


@hookimpl
def compressors() -> list[type[Stepwise]]:
    return [ContextModel]
