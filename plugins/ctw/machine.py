"""Context trees in memory, and their undo."""

from pathlib import Path

import numpy as np

from .._sequential.coder import Bytes
from .._sequential.machine import N_LEVELS, Compiled, Machine, source_of
from .compiled import (
    EPOCH,
    LATEST,
    LINE_BYTES,
    LINES_PER_BYTE,
    N_PLACES,
    N_SAVED,
    TABLE_BITS,
    Model,
    decode,
    encode,
    learn,
    open_level,
    rewind,
)


class CtwMachine(Machine):
    """Context trees that learn a prefix."""

    # A bit costs at most 18 bits: no probability is below 63 / 2**24.
    most_bytes = 19
    compiled = Compiled(learn, encode, decode, open_level, rewind)

    def __init__(self, depth: int, table_bits: int) -> None:
        super().__init__()
        places = np.zeros(N_PLACES, np.int64)
        places[TABLE_BITS] = table_bits
        # Zeros that take no memory before they are used.
        memory = _aligned(1 << table_bits)
        self.model = Model(
            source=source_of(Path(__file__).parent),
            checks=memory.view(np.int32),
            counts=memory.view(np.uint16),
            quads=memory.view(np.int64),
            journal=np.empty((64, 1 + LINE_BYTES // 8), np.int64),
            places=places,
            marks=np.zeros((N_LEVELS, N_PLACES), np.int64),
            recent=np.zeros(depth, np.uint8),
            saved_recent=np.zeros((N_LEVELS, depth), np.uint8),
            hashes=np.zeros(depth + 1, np.int64),
            lines=np.zeros(depth + 1, np.int64),
            estimates=np.zeros(depth + 1, np.int64),
            children=np.zeros(depth + 1, np.int64),
        )

    def forget(self) -> None:
        places = self.model.places
        # Epochs begin with the first prefix: before it, no line was touched.
        if places[EPOCH]:
            self.model.quads[:] = 0
        places[[EPOCH, LATEST, N_SAVED]] = 0
        self.model.recent[:] = 0

    def reserve(self, n: int) -> None:
        journal = self.model.journal
        per_byte = LINES_PER_BYTE * len(self.model.lines)
        n_lines = len(self.model.quads) // (LINE_BYTES // 8)
        # Each level notes a line once, however often it changes.
        n_rows = int(self.model.places[N_SAVED]) + min(n * per_byte, n_lines) * N_LEVELS
        if n_rows > len(journal):
            larger = np.empty(
                (max(n_rows, 2 * len(journal)), journal.shape[1]), np.int64
            )
            larger[: self.model.places[N_SAVED]] = journal[: self.model.places[N_SAVED]]
            self.model = self.model._replace(journal=larger)


def _aligned(n_bytes: int) -> Bytes:
    """Return zeros that start on a cache line."""
    raw = np.zeros(n_bytes + LINE_BYTES, np.uint8)
    start = -raw.ctypes.data % LINE_BYTES
    return raw[start : start + n_bytes]
