"""Deflate (RFC 1951): raw with a preset dictionary, and in gzip's container (RFC 1952)."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness import BITS_PER_BYTE, Bits, Codec, SpecError, hookimpl

from .lengths import RAW, pair_lengths

WINDOW_BYTES = 32768
CONTAINER_BYTES = 18
"""gzip's header without a file name (10), check sum (4) and length (4)."""


@dataclass(frozen=True, kw_only=True)
class Gzip(Codec):
    """Output of `gzip -9`, without a file name; it cannot be conditioned."""

    name = "gzip"
    family = "LZ77 + Huffman"
    requires = ("zlib",)

    level: int = 9

    def __post_init__(self) -> None:
        check_level(self.level)

    @property
    def window(self) -> int:
        return WINDOW_BYTES

    def pack(self, data: bytes) -> bytes:
        # Without a time, so that equal data have equal codes.
        return gzip.compress(data, self.level, mtime=0)

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (the container knows)
        return gzip.decompress(code)

    def pair_code_lengths(self, xs: Sequence[bytes], ys: Sequence[bytes]) -> Bits:
        # The container's size is constant: only the raw stream depends on the data.
        n_bytes = CONTAINER_BYTES + pair_lengths(xs, ys, self.level)
        return BITS_PER_BYTE * n_bytes.astype(np.float64)


@dataclass(frozen=True, kw_only=True)
class Deflate(Codec):
    """Raw deflate; its native dictionary is the last 32 KiB of the prefix."""

    name = "deflate"
    family = "LZ77 + Huffman"
    requires = ("zlib",)
    route = "native"

    level: int = 9

    def __post_init__(self) -> None:
        check_level(self.level)

    @property
    def window(self) -> int:
        return WINDOW_BYTES

    def pack(self, data: bytes) -> bytes:
        return self.pack_after(data, b"")

    def unpack(self, code: bytes, length: int) -> bytes:
        return self.unpack_after(code, b"", length)

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        coder = _coder(self.level, prefix)
        return coder.compress(data) + coder.flush()

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:  # noqa: ARG002  (deflate ends by itself)
        return zlib.decompressobj(RAW, prefix).decompress(code)

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        primed = _coder(self.level, prefix)
        n_bytes = []
        for sample in samples:
            # A copy costs less than entering the prefix again.
            coder = primed.copy()
            n_bytes.append(len(coder.compress(sample)) + len(coder.flush()))
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def pair_code_lengths(self, xs: Sequence[bytes], ys: Sequence[bytes]) -> Bits:
        # The engine has no dictionary; only plain pairs take its route.
        if self.prefix():
            return super().pair_code_lengths(xs, ys)
        return BITS_PER_BYTE * pair_lengths(xs, ys, self.level).astype(np.float64)


def check_level(level: int) -> None:
    """Raise SpecError for a level that zlib does not have."""
    if not 0 <= level <= 9:
        raise SpecError(f"level is {level}; zlib has 0 to 9")


def _coder(level: int, prefix: bytes) -> "zlib._Compress":
    return zlib.compressobj(level, zlib.DEFLATED, RAW, zlib.DEF_MEM_LEVEL, 0, prefix)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Gzip, Deflate]
