"""Entropy coding alone: adaptive order-0 arithmetic coding (Witten, Neal and Cleary 1987).

The frequencies are Krichevsky and Trofimov's (1981): twice the count, plus one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from harness import BITS_PER_BYTE, Bits, Codec, hookimpl

N_SYMBOLS = 256
HALF, QUARTER, TOP = 1 << 31, 1 << 30, (1 << 32) - 1
LARGEST_TOTAL = 1 << 24

Ints = NDArray[np.int64]
Octets = NDArray[np.uint8]
Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(function: Function) -> Function:
    # numba has no types that mypy could check.
    return cast("Function", numba.njit(cache=True)(function))


@dataclass(frozen=True, kw_only=True)
class Order0(Codec):
    """Codec that counts bytes and ignores their order; a fit keeps the counts."""

    name = "order0"
    family = "entropy only"
    requires = ("numba",)
    determinism = "isa"
    route = "native"
    waived: ClassVar[Mapping[str, str]] = {
        "window": "counts have no limit, but know nothing of a block's order"
    }

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:  # noqa: ARG002  (counting draws nothing)
        return replace(self, learned={"counts": self._counts(b"".join(corpus))})

    def compress(self, data: bytes, *, context: bytes = b"") -> bytes:
        return _code(data, self._counts(context))

    def compress_each(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> list[bytes]:
        counts = self._counts(context)
        return [_code(sample, counts) for sample in samples]

    def decompress(self, code: bytes, *, length: int, context: bytes = b"") -> bytes:
        return _data(code, self._counts(context), length)

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        n_bytes = [len(code) for code in self.compress_each(samples, context=context)]
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def pack(self, data: bytes) -> bytes:
        return _code(data, _histogram(b""))

    def unpack(self, code: bytes, length: int) -> bytes:
        return _data(code, _histogram(b""), length)

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        return _code(data, _histogram(prefix))

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        return _data(code, _histogram(prefix), length)

    def _counts(self, context: bytes) -> Ints:
        counts = _histogram(context)
        return counts if self.learned is None else counts + self.learned["counts"]


def _histogram(data: bytes) -> Ints:
    symbols = np.frombuffer(data, np.uint8)
    return np.bincount(symbols, minlength=N_SYMBOLS).astype(np.int64)


def _code(data: bytes, counts: Ints) -> bytes:
    if not data:
        return b""
    bits = _encode(np.frombuffer(data, np.uint8), 2 * counts + 1)
    # The decoder reads zeros for ever where the code ends.
    return np.packbits(bits).tobytes().rstrip(b"\0")


def _data(code: bytes, counts: Ints, length: int) -> bytes:
    bits = np.unpackbits(np.frombuffer(code, np.uint8))
    return _decode(bits, 2 * counts + 1, length).tobytes()


@_compiled
def _settle(frequencies: Ints) -> int:
    """Halve all frequencies until their sum is small enough; return it."""
    while frequencies.sum() > LARGEST_TOTAL:
        frequencies[:] = (frequencies + 1) >> 1
    return int(frequencies.sum())


@_compiled
def _emit(bits: Octets, n: int, bit: int, pending: int) -> int:
    """Write a bit and as many of its opposite as are pending; return the new length."""
    bits[n] = bit
    bits[n + 1 : n + 1 + pending] = 1 - bit
    return n + 1 + pending


@_compiled
def _encode(data: Octets, frequencies: Ints) -> Octets:
    """Return the bits, one per element; changes `frequencies`."""
    # A symbol costs at most log2(total) bits, and a little for rounding.
    bits = np.empty(26 * len(data) + 64, np.uint8)
    low, high, pending, n = np.int64(0), np.int64(TOP), 0, 0
    total = _settle(frequencies)
    for symbol in data:
        below = np.int64(frequencies[:symbol].sum())
        width = high - low + 1
        high = low + width * (below + frequencies[symbol]) // total - 1
        low += width * below // total
        while True:
            if high < HALF or low >= HALF:
                n, pending = _emit(bits, n, int(low >= HALF), pending), 0
                shift = HALF if low >= HALF else 0
            elif low >= QUARTER and high < HALF + QUARTER:
                pending, shift = pending + 1, QUARTER
            else:
                break
            low, high = 2 * (low - shift), 2 * (high - shift) + 1
        frequencies[symbol] += 2
        total += 2
        if total > LARGEST_TOTAL:
            total = _settle(frequencies)
    return bits[: _emit(bits, n, int(low >= QUARTER), pending + 1)]


@_compiled
def _decode(bits: Octets, frequencies: Ints, length: int) -> Octets:
    """Return the data of `_encode`; changes `frequencies`."""
    data = np.empty(length, np.uint8)
    low, high, value, n = np.int64(0), np.int64(TOP), np.int64(0), 0
    # Zeros past the end: the encoder drops them.
    for n in range(32):
        value = 2 * value + (bits[n] if n < len(bits) else 0)
    n = 32
    total = _settle(frequencies)
    for i in range(length):
        width = high - low + 1
        # Inverse of the encoder's narrowing: the largest cumulative count that fits.
        target = ((value - low + 1) * total - 1) // width
        symbol, below = 0, np.int64(0)
        while below + frequencies[symbol] <= target:
            below += frequencies[symbol]
            symbol += 1
        data[i] = symbol
        high = low + width * (below + frequencies[symbol]) // total - 1
        low += width * below // total
        while True:
            if high < HALF or low >= HALF:
                shift = HALF if low >= HALF else 0
            elif low >= QUARTER and high < HALF + QUARTER:
                shift = QUARTER
            else:
                break
            low, high = 2 * (low - shift), 2 * (high - shift) + 1
            value = 2 * (value - shift) + (bits[n] if n < len(bits) else 0)
            n += 1
        frequencies[symbol] += 2
        total += 2
        if total > LARGEST_TOTAL:
            total = _settle(frequencies)
    return data


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Order0]
