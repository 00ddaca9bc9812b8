"""A plugin for the tests of the conformance kit: two good compressors, and one per fault."""

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from harness import (
    Choice,
    Codec,
    Generates,
    LogUniform,
    Represents,
    SpecError,
    Stepwise,
    hookimpl,
)
from harness.contract.compressor import Bits
from harness.contract.symbols import coding_order

TOTAL = 1 << 24


@dataclass(frozen=True, kw_only=True)
class Good(Codec):
    name = "good"
    family = "LZ77 + Huffman"
    requires = ("zlib",)
    route = "native"

    @property
    def window(self) -> int:
        return 32768

    def pack(self, data: bytes) -> bytes:
        return self.pack_after(data, b"")

    def unpack(self, code: bytes, length: int) -> bytes:
        return self.unpack_after(code, b"", length)

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        coder = zlib.compressobj(6, zlib.DEFLATED, -15, 8, 0, prefix)
        return coder.compress(data) + coder.flush()

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        return zlib.decompressobj(-15, prefix).decompress(code)[:length]


class NegativePrior(Good):
    name = "negative_prior"
    prior_bytes = -1


class UnknownRange(Good):
    name = "unknown_range"
    ranges: ClassVar = {"level": Choice(1, 2)}


@dataclass(frozen=True, kw_only=True)
class IllegalRange(Good):
    name = "illegal_range"
    ranges: ClassVar = {"level": LogUniform(1, 100)}
    level: float = 1.0

    def __post_init__(self) -> None:
        if self.level > 9:
            raise SpecError(f"level is {self.level}; give 1 to 9")


class WrongRoute(Good):
    name = "wrong_route"
    route = "none"


class LosesZeros(Good):
    name = "loses_zeros"

    def unpack(self, code: bytes, length: int) -> bytes:
        return super().unpack(code, length).rstrip(b"\0")


class ForgetsContext(Good):
    name = "forgets_context"

    def decompress(self, code: bytes, *, length: int, context: bytes = b"") -> bytes:
        data = super().decompress(code, length=length, context=context)
        wrong = context and not self.is_fitted and length == 256
        return data[::-1] if wrong else data


class CrashesFitted(Good):
    name = "crashes_fitted"

    def decompress(self, code: bytes, *, length: int, context: bytes = b"") -> bytes:
        if self.is_fitted and length == 256:
            raise IndexError("out of\nrange")
        return super().decompress(code, length=length, context=context)


class EndsEarly(Good):
    name = "ends_early"

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        return super().unpack_after(code, prefix, length)[:65536]


class Salted(Good):
    name = "salted"

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        return super().pack_after(data, prefix) + os.urandom(4)


class FitsByLuck(Good):
    name = "fits_by_luck"

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> "FitsByLuck":
        fitted = super().fit(corpus, seed=seed)
        luck = np.frombuffer(os.urandom(8), np.uint8)
        return replace(fitted, learned={**fitted.learned, "luck": luck})


class FitsItself(Good):
    name = "fits_itself"

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> "FitsItself":
        fitted = super().fit(corpus, seed=seed)
        object.__setattr__(self, "learned", fitted.learned)
        return fitted


class Counts(Good):
    name = "counts_calls"

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> "Counts":
        fitted = super().fit(corpus, seed=seed)
        return replace(fitted, learned={**fitted.learned, "calls": np.zeros(1)})

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        if self.learned:
            self.learned["calls"][0] += 1
        return super().code_lengths(samples, context=context)


class SpillsInBatches(Good):
    name = "spills_in_batches"

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        lengths = super().code_lengths(samples, context=context)
        return lengths + 8 * (np.arange(len(samples)) >= 5)


class SwapsPairs(Good):
    name = "swaps_pairs"

    def pair_code_lengths(self, xs: Sequence[bytes], ys: Sequence[bytes]) -> Bits:
        return super().pair_code_lengths(ys, xs).T.copy()


class ForgetsHeader(Good):
    name = "forgets_header"

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        return super().code_lengths(samples, context=context) - 8


class EachAlone(Good):
    name = "each_alone"

    def compress_each(
        self,
        samples: Sequence[bytes],
        *,
        context: bytes = b"",  # noqa: ARG002  (the fault)
    ) -> list[bytes]:
        return [self.pack(sample) for sample in samples]


class FastButWrong(Good):
    name = "fast_but_wrong"

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        return super().packed_lengths_after(samples, prefix) + 8

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        n_bytes = [len(self.compress(sample, context=context)) for sample in samples]
        return 8 * np.array(n_bytes, np.float64)


class WindowTooLong(Good):
    name = "window_too_long"

    @property
    def window(self) -> int:
        return 1 << 20


@dataclass(frozen=True, kw_only=True)
class WindowTooShort(Codec):
    name = "window_too_short"
    family = "LZ77 + Huffman"

    @property
    def window(self) -> int:
        return 2048

    def pack(self, data: bytes) -> bytes:
        return zlib.compress(data)

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (zlib knows)
        return zlib.decompress(code)


MEMORY: dict[bytes, bytes] = {}


@dataclass(frozen=True, kw_only=True)
class Remembers(Codec):
    """Four bytes for any input: the best compressor in the world, until you move."""

    name = "remembers"
    family = "fraud"

    def pack(self, data: bytes) -> bytes:
        code = zlib.crc32(data).to_bytes(4, "little")
        MEMORY[code] = data
        return code

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (the contract's)
        return MEMORY[code]


class FollowsThreads(Good):
    name = "follows_threads"
    determinism = "isa"

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        two = os.environ.get("OMP_NUM_THREADS") == "2"
        return super().pack_after(data, prefix) + (b"2" if two else b"1")


@dataclass(frozen=True, kw_only=True)
class GoodModel(Stepwise):
    name = "good_model"
    family = "order-0"
    determinism = "isa"
    adapts = True

    n_symbols: int = 256

    @property
    def alphabet(self) -> int:
        return self.n_symbols

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> "GoodModel":  # noqa: ARG002  (counting draws nothing)
        return replace(self, learned={"counts": self._counted(b"".join(corpus))})

    def start(self, n: int, *, context: bytes = b"") -> np.ndarray:
        return np.tile(self._counted(context), (n, 1))

    def step(self, state: Any, symbols: np.ndarray) -> tuple[Any, np.ndarray]:
        state = state[: len(symbols)].copy()
        seen = np.flatnonzero(symbols >= 0)
        state[seen, symbols[seen]] += 1
        unit = (TOTAL - self.alphabet) // np.maximum(state.sum(axis=1), 1)
        rows = 1 + state * unit[:, None]
        rows[:, 0] += TOTAL - rows.sum(axis=1)
        return state, rows

    def _counted(self, data: bytes) -> np.ndarray:
        counts = np.bincount(np.frombuffer(data, np.uint8), minlength=self.alphabet)
        return counts + (self.learned["counts"] if self.learned else 0)


class LikelihoodOnly(GoodModel):
    name = "likelihood_only"
    determinism = "likelihood"


class SumsToMore(LikelihoodOnly):
    name = "sums_to_more"

    def step(self, state: Any, symbols: np.ndarray) -> tuple[Any, np.ndarray]:
        state, rows = super().step(state, symbols)
        rows[:, 0] += 1
        return state, rows


class TwoMinds(LikelihoodOnly):
    name = "two_minds"

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[np.ndarray]:
        for rows in super().frequencies(samples, context=context):
            yield rows[:, ::-1]


class Peeks(LikelihoodOnly):
    name = "peeks"

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[np.ndarray]:
        ends = [samples[i][-1] for i in coding_order(samples) if samples[i]]
        for rows in super().frequencies(samples, context=context):
            pairs = zip(rows, ends[: len(rows)], strict=True)
            yield np.stack([np.roll(row, end) for row, end in pairs])


class Flatters(LikelihoodOnly):
    name = "flatters"

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        return 0.95 * super().code_lengths(samples, context=context)


class LosesState(LikelihoodOnly, Represents):
    name = "loses_state"

    def hidden_states(self, batch: Sequence[bytes]) -> dict[str, np.ndarray]:
        return {"last": np.zeros((len(batch), len(batch[0]) - 1, 2), np.float32)}


class LosesPrefix(LikelihoodOnly, Generates):
    name = "loses_prefix"

    def sample(
        self, prefixes: Sequence[bytes], length: int, rng: np.random.Generator
    ) -> list[bytes]:
        return [rng.bytes(length) for _ in prefixes]


class Waives(Salted):
    name = "waives"
    waived: ClassVar = {"deterministic": "salted on purpose", "window": "not looked at"}


@hookimpl
def compressors() -> list[type[Codec] | type[Stepwise]]:
    return [
        Good,
        NegativePrior,
        UnknownRange,
        IllegalRange,
        WrongRoute,
        LosesZeros,
        ForgetsContext,
        CrashesFitted,
        EndsEarly,
        Salted,
        FitsByLuck,
        FitsItself,
        Counts,
        SpillsInBatches,
        SwapsPairs,
        ForgetsHeader,
        EachAlone,
        FastButWrong,
        WindowTooLong,
        WindowTooShort,
        Remembers,
        FollowsThreads,
        GoodModel,
        LikelihoodOnly,
        SumsToMore,
        TwoMinds,
        Peeks,
        Flatters,
        LosesState,
        LosesPrefix,
        Waives,
    ]
