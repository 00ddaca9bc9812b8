"""Context mixing by counts: order-k interpolated Witten-Bell (Witten & Bell 1991).

From the uniform distribution up to the longest context seen, an order with N symbols of
T kinds gives T / (N + T) to the order below and count / (N + T) to each of its own. All
in integers of 24 bits, so that every machine gets the same frequencies.

Fitted counts are frozen in a base (`counting`); counts of the streams themselves are in an
overlay (`streams`), to be added to those of the base.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness import (
    FREQUENCY_BITS,
    Bits,
    SpecError,
    Stepwise,
    check_alphabet,
    coding_order,
    hookimpl,
    steps_of,
)

from .compiled import (
    MAX_ORDER,
    N_SYMBOLS,
    Ints,
    Tables,
    code_chosen,
    code_rows,
    step_streams,
)
from .counting import build_base, count_ngrams, last, merge
from .streams import Streams

CHUNK_ROWS = 1 << 12
FIT_BYTES = 1 << 22


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
            # Pieces bound the memory of the sorted n-grams.
            piece = joined[start : start + FIT_BYTES]
            keys, counts = merge(keys, counts, *count_ngrams(piece, tail, self.order))
            tail = last(tail + piece, self.order)
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
        step_streams(rows, np.asarray(symbols, np.int64), self.order, state.tables)
        return state, rows

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[Ints]:
        state = self.start(len(samples), context=context)
        for symbols, owners in _chunks([samples[i] for i in coding_order(samples)]):
            rows = np.empty((len(symbols), N_SYMBOLS), np.int64)
            state.reserve(len(symbols))
            code_rows(rows, symbols, owners, self.order, state.tables)
            yield rows

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        check_alphabet(samples, self.alphabet)
        state = self.start(1, context=context)
        lengths = np.zeros(len(samples))
        for i, sample in enumerate(samples):
            state.restart()
            for symbols in _pieces(sample):
                frequencies = np.empty(len(symbols), np.int64)
                state.reserve(len(symbols))
                code_chosen(frequencies, symbols, self.order, state.tables)
                # Only the frequency of the symbol itself is needed: no rows of 256 are kept.
                lengths[i] += (FREQUENCY_BITS - np.log2(frequencies)).sum()
        return lengths

    @cached_property
    def _base(self) -> Tables:
        keys, counts, _ = self._counted
        return build_base(keys, counts)

    @property
    def _counted(self) -> tuple[Ints, Ints, bytes]:
        """Keys and counts of the n-grams fitted, and the last bytes of the corpus."""
        if self.learned is None:
            return np.empty(0, np.int64), np.empty(0, np.int64), b""
        keys, counts, tail = (self.learned[name] for name in ("keys", "counts", "tail"))
        return keys.astype(np.int64), counts.astype(np.int64), tail.tobytes()


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
        # Whole steps only: streams of a block advance together.
        if steps and sum(map(len, steps)) + len(step) > CHUNK_ROWS:
            yield (
                np.concatenate(steps),
                np.concatenate([np.arange(len(s)) for s in steps]),
            )
            steps = []
        steps.append(step)
    if steps:
        yield np.concatenate(steps), np.concatenate([np.arange(len(s)) for s in steps])


@hookimpl
def compressors() -> list[type[Stepwise]]:
    return [ContextModel]
