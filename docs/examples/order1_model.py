"""Order-1 Markov model (Shannon 1948) as a plugin: counts of byte pairs, in integers only.

The harness turns the frequencies of `step` into a codec: an autoregressive model predicts
each symbol from those before it, and one range coder writes the bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness import START, TOTAL_FREQUENCY, Stepwise, hookimpl

N_SYMBOLS = 256
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Order1(Stepwise):
    """Next byte given the byte before it; frozen within a stream."""

    name = "order1_example"
    family = "context model"
    determinism = "isa"  # integers only: the same frequencies on every processor
    needs = frozenset({"fit"})  # uniform before it has seen anything

    weight: int = 32  # of one observed pair against the uniform prior

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:
        counts = self._counts()
        for sample in corpus:
            counts += count_pairs(sample)
        return replace(self, learned={"counts": counts})

    def start(self, n: int, *, context: bytes = b"") -> tuple[Ints, Ints]:
        table = frequencies_of(self._counts() + count_pairs(context), self.weight)
        previous = context[-1] if context else N_SYMBOLS
        return table, np.full(n, previous)

    def step(self, state: Any, symbols: Ints) -> tuple[tuple[Ints, Ints], Ints]:
        table, previous = state
        # The shortest streams stand last and end first; those that go on lead the batch.
        previous = previous[: len(symbols)]
        if len(symbols) and symbols[0] != START:
            previous = symbols
        return (table, previous), table[previous]  # (m, 256)

    def _counts(self) -> Ints:
        if self.learned is None:
            return np.zeros((N_SYMBOLS + 1, N_SYMBOLS), np.int64)
        return np.array(self.learned["counts"], np.int64)


def count_pairs(sample: bytes) -> Ints:
    """Return how often each byte follows each other one; row 256 counts first bytes."""
    symbols = np.frombuffer(sample, np.uint8).astype(np.int64)
    previous = np.concatenate([[N_SYMBOLS], symbols[:-1]])[: len(symbols)]
    cells = previous * N_SYMBOLS + symbols
    counts = np.bincount(cells, minlength=(N_SYMBOLS + 1) * N_SYMBOLS)
    return counts.reshape(N_SYMBOLS + 1, N_SYMBOLS).astype(np.int64)


def frequencies_of(counts: Ints, weight: int) -> Ints:
    """Return positive integers in proportion to 1 + weight * counts; rows sum to 2**24."""
    evidence = 1 + weight * counts
    share = TOTAL_FREQUENCY - N_SYMBOLS  # each symbol has 1 before the rest is divided
    rows: Ints = 1 + evidence * share // evidence.sum(axis=1, keepdims=True)
    # Rounding down leaves a little over; the most frequent symbol loses least by it.
    best = rows.argmax(axis=1)
    rows[np.arange(len(rows)), best] += TOTAL_FREQUENCY - rows.sum(axis=1)
    return rows


@hookimpl
def compressors() -> list[type[Stepwise]]:
    return [Order1]
