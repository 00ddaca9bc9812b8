"""Prequential coding by blocks: the online code of what is fitted before it codes.

The first 1/64 goes at a uniform code, then blocks double (1/64..1/32, ... 1/2..1), each coded
by a model that was fitted, from the same start, on all that stands before it (Blier and
Ollivier 2018, arXiv:1802.07044, "The Description Length of Deep Learning Models", after
Dawid 1984). The decoder fits the same models again on what it has decoded; if training does
not repeat bit for bit, checksums refuse the result.

A list of samples is coded by `encode_blocks`, every block in a container of its own; one
byte string is a stream of a `Blockwise` model, in the one container of `harness.contract.coding`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from harness.contract.codes import read_varint, varint
from harness.contract.coding import decode, encode
from harness.contract.compressor import (
    START,
    TOTAL_FREQUENCY,
    Bits,
    Compressor,
    Stepwise,
    hyperparameters,
)
from harness.contract.symbols import check_alphabet
from harness.contract.training import Trains, with_budget
from harness.errors import CodingError, ContainerError, NotApplicableError

DENOMINATOR = 64
"""The first block is one of so many parts; the others double."""
N_KEPT = 64
"""Fitted models that a learner holds at a time: bounds its memory."""
_EMPTY_BLOCK_BYTES = 6  # kind, CRC32 and length in a container of no samples


def needs_blocks(compressor: Compressor) -> bool:
    """Say whether the online code of a compressor goes by blocks: it learns by fits only."""
    trained = isinstance(compressor, Stepwise) and isinstance(compressor, Trains)
    return trained and "fit" in compressor.needs


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How the models of the blocks are fitted: what a decoder must be told.

    Attributes:
        budget: training steps of each fit; None is what the spec says.
        seed: of every fit.
    """

    budget: int | None
    seed: int


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Fits the models of blocks, and none twice.

    Attributes:
        model: unfitted, with its budget.
        schedule: how it is fitted.
        kept: the models used last, by the corpora that they were fitted on.
    """

    model: Stepwise
    schedule: Schedule
    kept: dict[tuple[tuple[bytes, ...], ...], Stepwise] = field(
        default_factory=dict, repr=False, compare=False
    )

    def after(self, *corpora: tuple[bytes, ...]) -> Stepwise:
        """Return the model fitted on one corpus after the other; after none, the uniform one."""
        if not corpora:
            return Uniform(levels=self.model.alphabet)
        fitted = self.kept.pop(corpora, None)
        if fitted is None:
            *first, last = corpora
            start = self.after(*first) if first else self.model
            fitted = start.fit(last, seed=self.schedule.seed)
        self.kept[corpora] = fitted
        while len(self.kept) > N_KEPT:
            del self.kept[next(iter(self.kept))]
        return fitted

    @property
    def steps(self) -> str:
        """Say how long a fit from nothing is, for notes."""
        fields = hyperparameters(self.model)
        if "steps" in fields and fields.get("passes") is None:
            return f"{fields['steps']} steps"
        return "what the spec says"

    @property
    def steps_after_x(self) -> str:
        """Say also how long a fit on top of another is, where that differs."""
        again = hyperparameters(self.model).get("adapt_steps")
        if again is None or f"{again} steps" == self.steps:
            return self.steps
        return f"{self.steps}, after X {again}"


def learner_of(compressor: Compressor, schedule: Schedule) -> Learner:
    """Return what fits this compressor by a schedule.

    Raises:
        NotApplicableError: it is no trained model, writes no bytes, or its training is
            measured by the clock, so that no decoder could repeat it.
    """
    model = with_budget(compressor, schedule.budget)
    if not isinstance(model, Stepwise) or not needs_blocks(model):
        raise NotApplicableError(f"{model.name} is not trained; it has no blocks")
    if model.determinism == "likelihood":
        raise NotApplicableError(
            f"{model.name} gives likelihoods only; it writes no bytes"
        )
    if hyperparameters(model).get("seconds") is not None:
        raise NotApplicableError(
            f"{model.name} trains by the clock, which no decoder repeats; give a budget"
        )
    return Learner(model=model, schedule=schedule)


def online(compressor: Compressor, learner: Learner | None, n_bytes: int) -> Compressor:
    """Return what codes one string of so many bytes online: by blocks, if there is a learner."""
    return Blockwise(learner=learner, n_bytes=n_bytes) if learner else compressor


def byte_spans(n: int) -> list[tuple[int, int]]:
    """Return where the blocks of n bytes start and stop; the first has a byte if n > 0."""
    ends = {-(-n * part // DENOMINATOR) for part in _parts()}
    return list(pairwise([0, *sorted(ends)]))


def sample_spans(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Return where the blocks of samples start and stop: nearest to the parts in bytes.

    The first block holds a byte if there is one.
    """
    before = [0, *accumulate(lengths)]
    least, n = min(bisect_left(before, 1), len(lengths)), len(lengths)
    ends = {n}
    for part in _parts():
        target = before[-1] * part / DENOMINATOR
        nearest = min(range(n + 1), key=lambda i: abs(before[i] - target))
        ends.add(max(nearest, least))
    return list(pairwise([0, *sorted(ends)]))


def encode_blocks(
    learner: Learner, samples: Sequence[bytes], separator: bytes
) -> bytes:
    """Return the code of samples by blocks of whole samples.

    The samples of a block are coded one beside the other, from the state fitted on all
    earlier samples, each ended by the separator. Each block is a container of
    `coding.encode` behind its length (varint); all but the first leave out its head.
    """
    code = []
    for start, stop in sample_spans([len(sample) for sample in samples]):
        model = _model_after(learner, samples[:start], separator)
        block = encode(model, samples[start:stop])
        block = block[len(_head()) :] if start else block
        code.append(varint(len(block)) + block)
    return b"".join(code)


def decode_blocks(
    learner: Learner, code: bytes, lengths: Sequence[int], separator: bytes
) -> list[bytes]:
    """Return the samples of `encode_blocks`, fitting on what is decoded.

    Raises:
        ContainerError: the code is damaged, or the models fitted here are not those that
            it was made with.
    """
    samples: list[bytes] = []
    position = 0
    for start, stop in sample_spans(lengths):
        block, position = _read_block(code, position)
        model = _model_after(learner, samples, separator)
        samples += decode(
            model, (_head() if start else b"") + block, lengths[start:stop]
        )
    if position != len(code):
        msg = f"the code goes on for {len(code) - position} bytes after its last block"
        raise ContainerError(msg)
    return samples


@dataclass(frozen=True, kw_only=True)
class Uniform(Stepwise):
    """Every symbol is as likely: log2(levels) bits each."""

    name = "uniform"
    family = "none"

    levels: int

    @property
    def alphabet(self) -> int:
        return self.levels

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:  # noqa: ARG002  (there is nothing to learn)
        return self

    def start(self, n: int, *, context: bytes = b"") -> None:
        """Keep nothing: no symbol tells of another."""

    def step(
        self, state: None, symbols: NDArray[np.int64]
    ) -> tuple[None, NDArray[np.int64]]:
        share, rest = divmod(TOTAL_FREQUENCY, self.levels)
        row = share + (np.arange(self.levels) < rest)
        return state, np.tile(row, (len(symbols), 1))


class _Reading(NamedTuple):
    """What is read of a stream, and the model of the block that it is in."""

    context: bytes
    read: bytearray
    model: Stepwise
    state: Any


@dataclass(frozen=True, kw_only=True)
class Blockwise(Stepwise):
    """The model of one stream that is fitted anew at the start of every block.

    A context is put into weights: each fit starts from the model fitted on it, and the
    first block is coded by that model itself. Inside the stream, a block has the earlier
    ones as its context.

    Attributes:
        learner: fits.
        n_bytes: length of the stream, which decides where its blocks are.
    """

    name = "blockwise"
    family = "none"
    adapts = True

    learner: Learner
    n_bytes: int

    @property
    def alphabet(self) -> int:
        return self.learner.model.alphabet

    def arrange(self, samples: Sequence[bytes]) -> list[bytes]:
        return self.learner.model.arrange(samples)

    def rearrange(self, arranged: Sequence[bytes]) -> list[bytes]:
        return self.learner.model.rearrange(arranged)

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:  # noqa: ARG002  (refused)
        """Refuse: what is known beforehand is given as a context."""
        raise NotApplicableError(f"{self.name} is fitted on its context and its blocks")

    def start(self, n: int, *, context: bytes = b"") -> _Reading:
        if n != 1:
            raise CodingError(f"{self.name} reads one stream, got {n}")
        return self._open(context, bytearray())

    def step(
        self, state: _Reading, symbols: NDArray[np.int64]
    ) -> tuple[_Reading, NDArray[np.int64]]:
        if symbols[0] != START:
            state.read.append(int(symbols[0]))
            if len(state.read) in self._starts:
                state = self._open(state.context, state.read)
                symbols = np.full(1, START)
        following, rows = state.model.step(state.state, symbols)
        return state._replace(state=following), rows

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[NDArray[np.int64]]:
        (stream,) = samples
        for start, stop in byte_spans(len(stream)):
            earlier = self._as_given(stream[:start])
            model = self._model(context, earlier)
            yield from model.frequencies([stream[start:stop]], context=earlier)

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        return super().code_lengths(self.arrange(samples), context=context)

    @cached_property
    def _starts(self) -> frozenset[int]:
        return frozenset(start for start, _ in byte_spans(self.n_bytes))

    def _open(self, context: bytes, read: bytearray) -> _Reading:
        """Return the state at the start of a block."""
        earlier = self._as_given(bytes(read))
        model = self._model(context, earlier)
        return _Reading(context, read, model, model.start(1, context=earlier))

    def _model(self, context: bytes, earlier: bytes) -> Stepwise:
        check_alphabet([context], self.alphabet)
        return self.learner.after(*((known,) for known in (context, earlier) if known))

    def _as_given(self, arranged: bytes) -> bytes:
        """Undo `arrange` for the first symbols of the stream, as far as images are whole."""
        return self.rearrange([arranged])[0]


def _parts() -> list[int]:
    return [1 << k for k in range(DENOMINATOR.bit_length())]


def _model_after(
    learner: Learner, samples: Sequence[bytes], separator: bytes
) -> Stepwise:
    corpus = tuple(sample + separator for sample in samples)
    return learner.after(corpus) if corpus else learner.after()


def _head() -> bytes:
    """Return what every container of `coding.encode` starts with."""
    return encode(Uniform(levels=2), [])[:-_EMPTY_BLOCK_BYTES]


def _read_block(code: bytes, start: int) -> tuple[bytes, int]:
    """Return the block at `start`, and where the next one is."""
    try:
        length, body = read_varint(code, start)
    except CodingError as error:
        raise ContainerError("the code ends before its last block") from error
    if body + length > len(code):
        msg = f"a block ends at {body + length}, the code has {len(code)} bytes"
        raise ContainerError(msg)
    return code[body : body + length], body + length
