"""Mixer in memory: built and primed once, then used and undone for each sample."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .coder import decode_and_undo, encode, encode_and_undo, learn_bytes
from .contexts import N_NEIGHBOURHOODS
from .journal import open_level, rewind
from .layout import (
    APM_AT,
    APM_ROWS,
    AREA,
    BLOCK_BITS,
    COUNT_BITS,
    HEAD_BITS,
    HEADS_AT,
    HIGH,
    LINE_BYTES,
    MARKS,
    N_CHOICES,
    N_LEVELS,
    N_MATCH_STATES,
    N_REGISTERS,
    N_SCRATCH,
    N_SETS,
    N_SETUP,
    N_STATES,
    ORDER,
    PROBABILITY_BITS,
    WIDTH,
    WORDS,
    Bytes,
    Ints,
    Model,
)
from .tables import constants, history_states

FIRST_WEIGHT = 12000  # of 65536
MOST_BYTES_PER_BYTE = 17  # a bit costs at most 16 bits, and rounding
PRIMED, AFTER_X = range(N_LEVELS)


@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """Fields of the compressor that decide the size of its arrays."""

    order: int
    words: bool
    table_bits: int
    shape: tuple[int, ...] | None

    @property
    def n_contexts(self) -> int:
        """Number of hashed contexts."""
        images = N_NEIGHBOURHOODS if self.shape else 0
        return self.order + 1 + 2 * self.words + images

    @property
    def n_inputs(self) -> int:
        """Number of inputs of a mixer: of the contexts, of the match, and a constant."""
        return 2 * self.n_contexts + 3


class Machine:
    """Model primed with a prefix; each call leaves it unchanged."""

    def __init__(self, dimensions: Dimensions, prefix: bytes) -> None:
        self._model = _build(dimensions)
        self._n_prefix = 0
        self._reserve(len(prefix))
        learn_bytes(self._model, _array(prefix))
        self._n_prefix = len(prefix)
        open_level(self._model, PRIMED)

    def encode(self, data: bytes) -> bytes:
        """Return the code of `data` after the prefix."""
        code = self._reserve(len(data))
        n_bytes = encode_and_undo(self._model, _array(data), code, PRIMED)
        return code[:n_bytes].tobytes()

    def decode(self, code: bytes, length: int) -> bytes:
        """Return the bytes that `encode` coded."""
        self._reserve(length)
        data = np.empty(length, np.uint8)
        decode_and_undo(self._model, _array(code), data, PRIMED)
        return data.tobytes()

    def n_code_bytes(self, samples: Sequence[bytes]) -> list[int]:
        """Return the length of the code of each sample."""
        code = self._reserve(max(map(len, samples), default=0))
        return [
            encode_and_undo(self._model, _array(sample), code, PRIMED)
            for sample in samples
        ]

    def n_pair_bytes(self, x: bytes, ys: Sequence[bytes]) -> list[int]:
        """Return the length of the code of each x + y: x is coded once."""
        # Room for the longest pair: the arrays must not move between the two codes.
        code = self._reserve(len(x) + max(map(len, ys), default=0))
        try:
            encode(self._model, _array(x), code)
            open_level(self._model, AFTER_X)
            return [encode_and_undo(self._model, _array(y), code, AFTER_X) for y in ys]
        finally:
            rewind(self._model, PRIMED)

    def _reserve(self, n: int) -> Bytes:
        """Make room for n more bytes of text; return room for their code."""
        text, needed = self._model.text, self._n_prefix + n
        if needed > len(text):
            larger = np.zeros(max(needed, 2 * len(text)), np.uint8)
            larger[: self._n_prefix] = text[: self._n_prefix]
            self._model = self._model._replace(text=larger)
        return np.empty(MOST_BYTES_PER_BYTE * n + 8, np.uint8)


def _array(data: bytes) -> Bytes:
    return np.frombuffer(data, np.uint8)


def _build(dimensions: Dimensions) -> Model:
    """Return a model that has seen nothing."""
    n, n_inputs = dimensions.n_contexts, dimensions.n_inputs
    setup = _setup(dimensions)
    memory = _aligned(2 * int(setup[APM_AT]) + 2 * APM_ROWS * LINE_BYTES)
    n_lines = len(memory) // LINE_BYTES
    # One array for maps and weights, so that undo is a single copy.
    bounds = np.cumsum(
        [
            N_STATES * n + N_MATCH_STATES,
            N_SETS * N_CHOICES * n_inputs,
            N_CHOICES * N_SETS,
        ]
    )
    small = np.zeros(bounds[-1], np.int32)
    maps, weights, final = np.split(small, bounds[:-1])
    maps[:] = _first_maps(n)
    weights.reshape(-1, n_inputs)[:, : 2 * n + 1 : 2] = FIRST_WEIGHT
    final[:] = (1 << 16) // N_SETS
    registers = np.zeros(N_REGISTERS, np.int64)
    registers[HIGH] = (1 << 32) - 1
    return Model(
        source=_source(),
        setup=setup,
        constants=constants(),
        memory=memory,
        shorts=memory.view(np.int16),
        words=memory.view(np.int32),
        quads=memory.view(np.int64),
        stamps=np.zeros(n_lines, np.int32),
        # Each level may note each line once; what is not used is never touched.
        journal=np.empty((N_LEVELS * n_lines, 2 + LINE_BYTES // 8), np.int64),
        ledger=np.zeros(MARKS + N_LEVELS, np.int64),
        maps=maps,
        weights=weights,
        final=final,
        small=small,
        registers=registers,
        saved_small=np.zeros((N_LEVELS, len(small)), np.int32),
        saved_registers=np.zeros((N_LEVELS, N_REGISTERS), np.int64),
        text=np.zeros(1 << 12, np.uint8),
        hashes=np.zeros(n, np.int64),
        blocks=np.zeros(n, np.int64),
        cells=np.zeros(n, np.int64),
        inputs=np.zeros(n_inputs, np.int32),
        dots=np.zeros(N_SETS, np.int64),
        scratch=np.zeros(N_SCRATCH, np.int64),
    )


def _setup(dimensions: Dimensions) -> Ints:
    setup = np.zeros(N_SETUP, np.int64)
    table_bytes, head_bits = 1 << dimensions.table_bits, dimensions.table_bits - 5
    setup[ORDER], setup[WORDS] = dimensions.order, dimensions.words
    if dimensions.shape:
        setup[WIDTH], setup[AREA] = (
            dimensions.shape[1],
            dimensions.shape[0] * dimensions.shape[1],
        )
    setup[BLOCK_BITS] = dimensions.table_bits - 4
    setup[HEADS_AT], setup[HEAD_BITS] = table_bytes // 4, head_bits
    setup[APM_AT] = (table_bytes + (4 << head_bits)) // 2
    return setup


def _aligned(n_bytes: int) -> Bytes:
    """Return zeros that start on a cache line."""
    raw = np.zeros(n_bytes + LINE_BYTES, np.uint8)
    start = -raw.ctypes.data % LINE_BYTES
    return raw[start : start + n_bytes]


def _first_maps(n_contexts: int) -> NDArray[np.int32]:
    """Return the probability of a 1 after each bit history, before any training."""
    certainty = 1 << PROBABILITY_BITS
    zeros, ones, _ = np.array(history_states(), np.int64).T
    states = np.full(N_STATES, certainty // 2)
    # Krichevsky and Trofimov's estimate, with 0.4 in place of 1/2.
    states[: len(ones)] = certainty * (5 * ones + 2) // (5 * (zeros + ones) + 4)
    lengths = np.arange(N_MATCH_STATES)
    matches = certainty - certainty // (lengths + 2)
    values = np.concatenate([np.tile(states, n_contexts), matches])
    return (values << COUNT_BITS).astype(np.int32)


@cache
def _source() -> NDArray[Any]:
    """Return an empty array whose type holds the hash of this folder's source."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return np.empty(0, [(f"sha256_{digest.hexdigest()}", np.uint8)])
