"""Snappy's raw format (Google 2011): LZ77 without entropy coding, in 64 KiB blocks."""

from dataclasses import dataclass

import cramjam

from harness import Codec, hookimpl, read_varint, varint

BLOCK_BYTES = 65536


@dataclass(frozen=True, kw_only=True)
class Snappy(Codec):
    """Raw snappy without its preamble, the length, which the decoder has."""

    name = "snappy"
    family = "LZ77"
    requires = ("cramjam",)
    determinism = "isa"

    @property
    def window(self) -> int:
        return BLOCK_BYTES

    def pack(self, data: bytes) -> bytes:
        # The decoder is told the length; the preamble would count it twice.
        raw = bytes(cramjam.snappy.compress_raw(data))
        return raw[read_varint(raw)[1] :]

    def unpack(self, code: bytes, length: int) -> bytes:
        # The library wants the preamble back.
        return bytes(cramjam.snappy.decompress_raw(varint(length) + code))


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Snappy]
