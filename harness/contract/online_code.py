"""Prequential code by blocks, for models that must be fitted before they code.

The first 1/64 of the data has a uniform code, then blocks double (1/64..1/32, ... 1/2..1),
each coded by a model that was fitted, from the same start, on all data before the block
(Blier and Ollivier 2018, arXiv:1802.07044, "The Description Length of Deep Learning Models",
after Dawid 1984). The decoder fits the same models on the data decoded so far; if training
does not repeat bit for bit, checksums refuse the result.

A list of samples is coded by `encode_blocks`, every block in a container of its own; a
single byte string is a stream of a `Blockwise` model, in a single container of
`harness.contract.coding`.
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
"""The first block is one of this number of parts; each later block doubles the data."""
CACHE_SIZE = 64
"""Fitted models in a learner's cache, which bounds its memory."""
_EMPTY_BLOCK_BYTES = 6  # kind, CRC32 and length in a container of no samples


def needs_blocks(compressor: Compressor) -> bool:
    """Return True if the online code of a compressor is by blocks: it learns by fits only."""
    trained = isinstance(compressor, Stepwise) and isinstance(compressor, Trains)
    return trained and "fit" in compressor.needs


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Schedule of the fits of the blocks, which a decoder must know.

    Attributes:
        budget: training steps of each fit; None is the budget of the spec.
        seed: of every fit.
    """

    budget: int | None
    seed: int


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Learner of the models of blocks, with a cache of recent fits.

    Attributes:
        model: unfitted, with its budget.
        schedule: how it is fitted.
        cache: the models used last, by the corpora of their fits.
    """

    model: Stepwise
    schedule: Schedule
    cache: dict[tuple[tuple[bytes, ...], ...], Stepwise] = field(
        default_factory=dict, repr=False, compare=False
    )

    def after(self, *corpora: tuple[bytes, ...]) -> Stepwise:
        """Return the model fitted on each corpus in turn; without a corpus, the uniform model."""
        if not corpora:
            return Uniform(levels=self.model.alphabet)
        fitted = self.cache.pop(corpora, None)
        if fitted is None:
            *first, last = corpora
            # Recursive, so that a fit on the first corpora is shared through the cache.
            start = self.after(*first) if first else self.model
            fitted = start.fit(last, seed=self.schedule.seed)
        # Put back last, so that the first entry is the one unused for longest.
        self.cache[corpora] = fitted
        while len(self.cache) > CACHE_SIZE:
            del self.cache[next(iter(self.cache))]
        return fitted

    @property
    def steps(self) -> str:
        """Length of a fit from the unfitted model, for notes."""
        fields = hyperparameters(self.model)
        # Passes over the data give a number of steps only with the data.
        if "steps" in fields and fields.get("passes") is None:
            return f"{fields['steps']} steps"
        return "the budget of the spec"

    @property
    def steps_after_x(self) -> str:
        """Length of both fits, of the unfitted and of a fitted model, where they differ."""
        again = hyperparameters(self.model).get("adapt_steps")
        if again is None or f"{again} steps" == self.steps:
            return self.steps
        return f"{self.steps}, after X {again}"


def learner_of(compressor: Compressor, schedule: Schedule) -> Learner:
    """Return the learner of a compressor under a schedule.

    Raises:
        NotApplicableError: the compressor is not a trained model, writes no bytes, or its
            training is limited by time, so that no decoder could repeat it.
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
            f"{model.name} has a training limit in seconds, which no decoder can repeat; give "
            "a budget in steps"
        )
    return Learner(model=model, schedule=schedule)


def online(compressor: Compressor, learner: Learner | None, n_bytes: int) -> Compressor:
    """Return the online coder of one string of `n_bytes`: by blocks, if there is a learner."""
    return Blockwise(learner=learner, n_bytes=n_bytes) if learner else compressor


def byte_spans(n: int) -> list[tuple[int, int]]:
    """Return start and stop of each block of n bytes; the first has a byte if n > 0."""
    ends = {-(-n * part // DENOMINATOR) for part in _parts()}
    return list(pairwise([0, *sorted(ends)]))


def sample_spans(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Return start and stop of each block of samples, nearest to the parts in bytes.

    The first block holds at least one byte if there is any.
    """
    before = [0, *accumulate(lengths)]
    least, n = min(bisect_left(before, 1), len(lengths)), len(lengths)
    # A set: several parts may end at the same sample where samples are long.
    ends = {n}
    for part in _parts():
        # In bytes, not samples, since the code is paid by the byte.
        target = before[-1] * part / DENOMINATOR
        nearest = min(range(n + 1), key=lambda i: abs(before[i] - target))
        ends.add(max(nearest, least))
    return list(pairwise([0, *sorted(ends)]))


def encode_blocks(
    learner: Learner, samples: Sequence[bytes], separator: bytes
) -> bytes:
    """Return the code of samples by blocks of whole samples.

    Each sample of a block is a stream of its own, coded by the model fitted on all earlier
    samples, each ended by the separator. A block is its length (varint) and a container of
    `coding.encode`, whose head only the first block has.
    """
    code = []
    for start, stop in sample_spans([len(sample) for sample in samples]):
        model = _model_after(learner, samples[:start], separator)
        block = encode(model, samples[start:stop])
        # All heads are equal, and the decoder can make one.
        block = block[len(_head()) :] if start else block
        code.append(varint(len(block)) + block)
    return b"".join(code)


def block_lengths(code: bytes) -> list[int]:
    """Return the bytes of each block in a code of `encode_blocks`, their lengths included."""
    ends = [0]
    while ends[-1] < len(code):
        ends.append(_read_block(code, ends[-1])[1])
    return [stop - start for start, stop in pairwise(ends)]


def decode_blocks(
    learner: Learner, code: bytes, lengths: Sequence[int], separator: bytes
) -> list[bytes]:
    """Return the samples of `encode_blocks`, fitting on those decoded so far.

    Raises:
        ContainerError: the code is damaged, or the models fitted here differ from those of
            the encoder.
    """
    samples: list[bytes] = []
    position = 0
    for start, stop in sample_spans(lengths):
        block, position = _read_block(code, position)
        # The samples decoded so far are those of the encoder, so the fit is the same.
        model = _model_after(learner, samples, separator)
        samples += decode(
            model, (_head() if start else b"") + block, lengths[start:stop]
        )
    if position != len(code):
        extra = len(code) - position
        msg = f"the code has {extra} bytes after its last block; get it again"
        raise ContainerError(msg)
    return samples


@dataclass(frozen=True, kw_only=True)
class Uniform(Stepwise):
    """Uniform model: log2(levels) bits for each symbol."""

    name = "uniform"
    family = "none"

    levels: int

    @property
    def alphabet(self) -> int:
        return self.levels

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:  # noqa: ARG002  (there is nothing to learn)
        return self

    def start(self, n: int, *, context: bytes = b"") -> None:
        """Return no state: symbols are independent."""

    def step(
        self, state: None, symbols: NDArray[np.int64]
    ) -> tuple[None, NDArray[np.int64]]:
        # The first symbols get one more each, so that a row sums to 2**24.
        share, remainder = divmod(TOTAL_FREQUENCY, self.levels)
        row = share + (np.arange(self.levels) < remainder)
        return state, np.tile(row, (len(symbols), 1))


class _Reading(NamedTuple):
    """State of a stream: the symbols read, and the model of the present block."""

    context: bytes
    read: bytearray
    model: Stepwise
    state: Any


@dataclass(frozen=True, kw_only=True)
class Blockwise(Stepwise):
    """Model of one stream that is fitted again at the start of every block.

    A context is learned: each fit starts from the model fitted on the context, and the
    first block is coded by that model itself. Inside the stream, a block has the earlier
    blocks as its context.

    Attributes:
        learner: of the models.
        n_bytes: length of the stream, which decides the blocks.
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
        """Raise NotApplicableError: earlier data are given as a context."""
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
            # The decoder knows this byte too, and fits the same model on the same bytes.
            if len(state.read) in self._starts:
                state = self._open(state.context, state.read)
                symbols = np.full(1, START)
        following, rows = state.model.step(state.state, symbols)
        return state._replace(state=following), rows

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[NDArray[np.int64]]:
        # One stream: its blocks would not line up with those of others.
        (stream,) = samples
        for start, stop in byte_spans(len(stream)):
            earlier = self._rearranged(stream[:start])
            model = self._model(context, earlier)
            yield from model.frequencies([stream[start:stop]], context=earlier)

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        return super().code_lengths(self.arrange(samples), context=context)

    @cached_property
    def _starts(self) -> frozenset[int]:
        return frozenset(start for start, _ in byte_spans(self.n_bytes))

    def _open(self, context: bytes, read: bytearray) -> _Reading:
        """Return the state at the start of a block."""
        earlier = self._rearranged(bytes(read))
        model = self._model(context, earlier)
        return _Reading(context, read, model, model.start(1, context=earlier))

    def _model(self, context: bytes, earlier: bytes) -> Stepwise:
        check_alphabet([context], self.alphabet)
        return self.learner.after(*((text,) for text in (context, earlier) if text))

    def _rearranged(self, arranged: bytes) -> bytes:
        """Undo `arrange` for the first symbols of the stream, for all whole images."""
        return self.rearrange([arranged])[0]


def _parts() -> list[int]:
    return [1 << k for k in range(DENOMINATOR.bit_length())]


def _model_after(
    learner: Learner, samples: Sequence[bytes], separator: bytes
) -> Stepwise:
    corpus = tuple(sample + separator for sample in samples)
    return learner.after(corpus) if corpus else learner.after()


def _head() -> bytes:
    """Return the head of every container of `coding.encode`."""
    return encode(Uniform(levels=2), [])[:-_EMPTY_BLOCK_BYTES]


def _read_block(code: bytes, start: int) -> tuple[bytes, int]:
    """Return the block at `start`, and the start of the next block."""
    try:
        length, body = read_varint(code, start)
    except CodingError as error:
        raise ContainerError(
            "the code ends before its last block; get it again"
        ) from error
    if body + length > len(code):
        msg = f"a block ends at {body + length}, the code has {len(code)} bytes"
        raise ContainerError(msg)
    return code[body : body + length], body + length
