"""Overlay of the counts of running streams on top of the fitted base."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import Streamed, Tables, clear_slots, fill_slots


class Streams:
    """State of n streams: their last bytes, and counts on top of the base.

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
            fill_slots(self.slots, self.nodes, self.sizes[0])

    def restart(self) -> None:
        """Forget all but the base."""
        clear_slots(self.slots, self.nodes, self.sizes[0])
        self.sizes[:] = 0
        self.history[:], self.n_seen[:] = self.first


def _grown(table: NDArray[Any], n_rows: int) -> NDArray[Any]:
    if n_rows <= len(table):
        return table
    larger = np.empty((1 << (n_rows - 1).bit_length(), *table.shape[1:]), table.dtype)
    larger[: len(table)] = table
    return larger
