"""Contract between the harness and a compressor plugin.

A compressor is a frozen dataclass: its fields are its hyperparameters, its spec string and
part of the job key. Arrays that it has learned are in `learned` and nowhere else. The classes
it inherits declare its abilities: `Codec`, `Stepwise`, `Represents`, `Generates`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from harness.contract.codes import read_varint, shared_length, varint
from harness.contract.ranges import Range
from harness.contract.symbols import check_alphabet, coding_order, steps_of
from harness.units import BITS_PER_BYTE

Bits = NDArray[np.float64]
Arrays = Mapping[str, NDArray[Any]]
Route = Literal["native", "flush", "suffix", "stepwise", "none"]
Determinism = Literal["likelihood", "host", "isa", "device"]

CONTRACT_VERSION = 1
# Frequencies of 24 bits are exact in float32, which the range coder takes.
FREQUENCY_BITS = 24
TOTAL_FREQUENCY = 1 << FREQUENCY_BITS
START = -1
"""The symbol given to `Stepwise.step` before anything has been coded."""


@dataclass(frozen=True, kw_only=True)
class Compressor(ABC):
    """Compressor of bytes: gives code lengths, and can learn from samples.

    Class variables:
        name: unique, lower case, as in spec strings.
        family: the mechanism ("LZ77", "PPM", ...); statistics resample families.
        requires: distributions whose versions decide the result, as pip names them.
        prior_bytes: knowledge shipped inside the codec, in bytes; where it depends on the
            configuration, `__post_init__` sets it on the instance.
        determinism: the class of machines on which the code is decoded exactly.
        route: how the code of a sample given a context is realised.
        needs: {"fit"} for models that cannot code before `fit`.
        ladder_field: configurations that differ only here share one fit job.
        ranges: of fields, from which suites draw random configurations; empty for none.
        waived: conformance checks this plugin cannot pass -> the reason.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    requires: ClassVar[tuple[str, ...]] = ()
    prior_bytes: ClassVar[int] = 0
    determinism: ClassVar[Determinism] = "host"
    route: ClassVar[Route] = "none"
    needs: ClassVar[frozenset[str]] = frozenset()
    ladder_field: ClassVar[str | None] = None
    ranges: ClassVar[Mapping[str, Range]] = {}
    waived: ClassVar[Mapping[str, str]] = {}

    # Not compared: two fits of one configuration have one spec string.
    learned: Arrays | None = field(default=None, repr=False, compare=False)

    @property
    def window(self) -> int | None:
        """Number of bytes back at which a context still helps; None is without limit."""
        return None

    @property
    def is_fitted(self) -> bool:
        """True where something has been learned."""
        return self.learned is not None

    @abstractmethod
    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:
        """Learn (more) from unlabelled samples, in order; return a fitted copy."""

    def fit_ladder(
        self, corpus: Sequence[bytes], values: Sequence[Any], *, seed: int
    ) -> Iterator[Self]:
        """Yield a fitted copy for each value of `ladder_field`; override to train once.

        Args:
            corpus: as in `fit`.
            values: rising.
            seed: as in `fit`; the fit for a value must not depend on the other values.
        """
        for value in values:
            # From nothing each time, so that a value does not depend on the others.
            rung = replace(self, **{str(self.ladder_field): value})
            yield rung.fit(corpus, seed=seed)

    @abstractmethod
    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        """Return the code length of each sample, coded alone, in the fitted state.

        Args:
            samples: n byte strings.
            context: bytes that the decoder has; they follow the fitted corpus.

        Returns:
            Shape (n,), bits. For a `Stepwise` the ideal length under its frequencies;
            for any other codec 8 times the bytes that `compress` returns.
        """

    def pair_code_lengths(self, xs: Sequence[bytes], ys: Sequence[bytes]) -> Bits:
        """Return the code length of every concatenation x + y.

        Returns:
            Shape (len(xs), len(ys)), bits.
        """
        # One row at a time: all concatenations at once may not fit into memory.
        rows = [self.code_lengths([x + y for y in ys]) for x in xs]
        # The shape is given since an array of no rows has none.
        return np.array(rows, dtype=np.float64).reshape(len(xs), len(ys))


@dataclass(frozen=True, kw_only=True)
class Codec(Compressor):
    """Codec: a compressor that writes its own bytes.

    An author writes `pack` and `unpack`, and declares a `route`:

    - "none": the library cannot be conditioned; a context is ignored.
    - "suffix": the library streams; the code of x after p is what follows the longest
      common prefix of pack(p) and pack(p + x). The base class does all of it.
    - "native", "flush": the author also overrides `pack_after` and `unpack_after`.
    """

    @abstractmethod
    def pack(self, data: bytes) -> bytes:
        """Return the code of `data` without a context."""

    @abstractmethod
    def unpack(self, code: bytes, length: int) -> bytes:
        """Return the `length` bytes of data that `pack` coded."""

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        """Return the code of `data` for a decoder that has `prefix`."""
        head, whole = _packed_prefix(self, prefix), self.pack(prefix + data)
        # The decoder packs the prefix itself; only what differs from that is sent.
        shared = shared_length(head, whole)
        return varint(len(head) - shared) + whole[shared:]

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        """Return the `length` bytes of data that `pack_after` coded."""
        dropped, start = read_varint(code)
        head = _packed_prefix(self, prefix)
        whole = head[: len(head) - dropped] + code[start:]
        return self.unpack(whole, len(prefix) + length)[len(prefix) :]

    def pack_each_after(self, samples: Sequence[bytes], prefix: bytes) -> list[bytes]:
        """Return `pack_after` of each sample, byte for byte; override to be fast."""
        return [self.pack_after(sample, prefix) for sample in samples]

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        """Return the bits `pack_after` needs for each sample; override to be fast.

        Returns:
            Shape (n,), exactly 8 * len(pack_after(sample, prefix)).
        """
        n_bytes = [len(code) for code in self.pack_each_after(samples, prefix)]
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def packed_lengths(self, samples: Sequence[bytes]) -> Bits:
        """Return the bits `pack` needs for each sample; override to be fast."""
        n_bytes = [len(self.pack(sample)) for sample in samples]
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def compress(self, data: bytes, *, context: bytes = b"") -> bytes:
        """Return the code of `data`, given the fitted prefix and then `context`."""
        prefix = self.prefix(context)
        return self.pack_after(data, prefix) if prefix else self.pack(data)

    def compress_each(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> list[bytes]:
        """Return `compress` of each sample, all after the same context."""
        prefix = self.prefix(context)
        if prefix:
            return self.pack_each_after(samples, prefix)
        return [self.pack(sample) for sample in samples]

    def decompress(self, code: bytes, *, length: int, context: bytes = b"") -> bytes:
        """Return the `length` bytes that `compress` coded after the same context."""
        prefix = self.prefix(context)
        if prefix:
            return self.unpack_after(code, prefix, length)
        return self.unpack(code, length)

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:  # noqa: ARG002  (a codec draws nothing)
        """Save the last window of the corpus as the prefix of all later codes."""
        if self.route == "none":
            return replace(self, learned={})
        # Only the window is saved: earlier bytes could not change a code.
        prefix = self.prefix(b"".join(corpus))
        return replace(self, learned={"prefix": np.frombuffer(prefix, np.uint8)})

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        prefix = self.prefix(context)
        if prefix:
            return self.packed_lengths_after(samples, prefix)
        return self.packed_lengths(samples)

    def prefix(self, context: bytes = b"") -> bytes:
        """Return the bytes that condition a code: fitted, then context, cut to the window."""
        # A codec that cannot be conditioned must not pay for a prefix either.
        if self.route == "none" or self.window == 0:
            return b""
        fitted = (self.learned or {}).get("prefix")
        history = (b"" if fitted is None else fitted.tobytes()) + context
        return history if self.window is None else history[-self.window :]


# One entry is enough: samples after one prefix are coded one after another.
@lru_cache(maxsize=1)
def _packed_prefix(codec: Codec, prefix: bytes) -> bytes:
    """Return the code of a prefix, packed once for all the samples that follow it."""
    return codec.pack(prefix)


@dataclass(frozen=True, kw_only=True)
class Stepwise(Compressor):
    """Autoregressive model: it predicts each symbol from the symbols before it.

    `harness.contract.coding` turns its predictions into a real code.

    Class variables:
        adapts: the state goes on learning inside a stream, so that a whole split is best
            coded as one stream; otherwise each sample is a stream of its own.
    """

    route: ClassVar[Route] = "stepwise"
    adapts: ClassVar[bool] = False

    @property
    def alphabet(self) -> int:
        """Number of symbols: bytes 0 .. alphabet - 1."""
        return 256

    def arrange(self, samples: Sequence[bytes]) -> list[bytes]:
        """Return the samples in the order in which their symbols are coded.

        A model overrides it, and `rearrange`, which undoes it, only to permute symbols
        inside a sample (a fixed shuffle of pixels). `start`, `step` and `frequencies` see
        arranged symbols; `code_lengths` takes samples as they are.
        """
        return list(samples)

    def rearrange(self, arranged: Sequence[bytes]) -> list[bytes]:
        """Return the samples whose symbols `arrange` put in order."""
        return list(arranged)

    @abstractmethod
    def start(self, n: int, *, context: bytes = b"") -> Any:
        """Return the state of n streams, each of which has just seen `context`."""

    @abstractmethod
    def step(
        self, state: Any, symbols: NDArray[np.int64]
    ) -> tuple[Any, NDArray[np.int64]]:
        """Take one symbol of each stream and predict the next.

        Streams are sorted by length, longest first, and end from the back: `symbols` has
        shape (m,) with m no larger than in the call before, and only the first m streams
        continue. Before the first symbol all of `symbols` are `START`.

        Returns:
            The next state, and frequencies of shape (m, alphabet): each at least 1, each
            row summing to 2**24.
        """

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of `step` for known samples, in coding order; override to be fast.

        Coding order is step by step, within a step the running streams, longest sample
        first (ties in the order given). Chunks may hold any number of rows and together
        have one row per symbol.
        """
        order = coding_order(samples)
        state = self.start(len(samples), context=context)
        # No symbol stands before the first, but `step` needs one of every stream.
        last = np.full(len(samples), START, np.int64)
        for symbols in steps_of([samples[i] for i in order]):
            state, rows = self.step(state, last[: len(symbols)])
            yield rows
            last = symbols

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        check_alphabet(samples, self.alphabet)
        order = coding_order(samples)
        ordered = [samples[i] for i in order]
        # Rows come step by step: the sample of a row is its place within the step.
        owners = np.concatenate(
            [np.arange(len(step)) for step in steps_of(ordered)]
            or [np.empty(0, np.int64)]
        )
        symbols = np.concatenate(list(steps_of(ordered)) or [np.empty(0, np.int64)])
        lengths, done = np.zeros(len(samples)), 0
        # Chunk by chunk: all rows at once would need alphabet * 8 bytes per symbol.
        for rows in self.frequencies(samples, context=context):
            span = slice(done, done + len(rows))
            coded = rows[np.arange(len(rows)), symbols[span]]
            # -log2(f / 2^24), added up by sample.
            lengths += np.bincount(
                order[owners[span]], FREQUENCY_BITS - np.log2(coded), len(samples)
            )
            done += len(rows)
        return lengths


class Represents(ABC):
    """Model whose hidden states can be probed."""

    @abstractmethod
    def hidden_states(self, batch: Sequence[bytes]) -> dict[str, NDArray[np.float32]]:
        """Return, per layer, the state after reading each position: (n, T, d)."""


class Generates(ABC):
    """Model that can continue a prefix."""

    @abstractmethod
    def sample(
        self, prefixes: Sequence[bytes], length: int, rng: np.random.Generator
    ) -> list[bytes]:
        """Return each prefix continued to `length` bytes, drawn at temperature 1."""


def writes_bytes(compressor: Compressor) -> bool:
    """Return whether a compressor has a bitstream; False where it gives likelihoods only."""
    if isinstance(compressor, Codec):
        return True
    return isinstance(compressor, Stepwise) and compressor.determinism != "likelihood"


def hyperparameters(compressor: Compressor) -> dict[str, Any]:
    """Return the fields that identify a configuration, in the order of declaration."""
    names = (f.name for f in fields(compressor) if f.name != "learned")
    return {name: getattr(compressor, name) for name in names}


def spec_of(compressor: Compressor) -> str:
    """Return the shortest spec string: the name, and the fields that differ from defaults."""
    defaults = {f.name: f.default for f in fields(compressor)}
    changed = [
        f"{name}={value!r}"
        for name, value in hyperparameters(compressor).items()
        if value != defaults[name]
    ]
    return f"{compressor.name}({', '.join(changed)})" if changed else compressor.name
