"""Deflate (RFC 1951): raw with a preset dictionary, and in gzip's container (RFC 1952)."""

import gzip
import zlib
from dataclasses import dataclass

from harness import Codec, SpecError, hookimpl

WINDOW_BYTES = 32768
RAW = -15


@dataclass(frozen=True, kw_only=True)
class Gzip(Codec):
    """What `gzip -9` writes, without a file name; it cannot be conditioned."""

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
        return gzip.compress(data, self.level, mtime=0)

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (the container knows)
        return gzip.decompress(code)


@dataclass(frozen=True, kw_only=True)
class Deflate(Codec):
    """Raw deflate; its native dictionary is the last 32 KiB known."""

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
        coder = zlib.compressobj(
            self.level, zlib.DEFLATED, RAW, zlib.DEF_MEM_LEVEL, 0, prefix
        )
        return coder.compress(data) + coder.flush()

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:  # noqa: ARG002  (deflate ends by itself)
        return zlib.decompressobj(RAW, prefix).decompress(code)


def check_level(level: int) -> None:
    """Raise SpecError for a level that zlib does not have."""
    if not 0 <= level <= 9:
        raise SpecError(f"level is {level}; zlib has 0 to 9")


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Gzip, Deflate]
