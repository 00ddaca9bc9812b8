"""LZ4's block format (Collet 2011): LZ77 without entropy coding; native dictionary."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lz4.block
import numpy as np

from harness import BITS_PER_BYTE, Bits, Codec, SpecError, hookimpl

WINDOW_BYTES = 65535
"""An offset has 16 bits."""


@dataclass(frozen=True, kw_only=True)
class Lz4(Codec):
    """One block without a size: level 1 is the fast parser, 2 to 12 search harder."""

    name = "lz4"
    family = "LZ77"
    requires = ("lz4",)
    determinism = "isa"
    route = "native"

    level: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 12:
            raise SpecError(f"level is {self.level}; lz4 has 1 to 12")

    @property
    def window(self) -> int:
        return WINDOW_BYTES

    def pack(self, data: bytes) -> bytes:
        return bytes(lz4.block.compress(data, **self._options()))

    def unpack(self, code: bytes, length: int) -> bytes:
        return self.unpack_after(code, b"", length)

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        # A copy: where data and dictionary overlap in memory, lz4 drops the dictionary.
        dictionary = bytearray(prefix)
        return bytes(lz4.block.compress(data, dict=dictionary, **self._options()))

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        # The code of nothing is no block that could be decoded.
        if not length:
            return b""
        data = lz4.block.decompress(code, uncompressed_size=length, dict=prefix)
        return bytes(data)

    def packed_lengths(self, samples: Sequence[bytes]) -> Bits:
        compress, options = lz4.block.compress, self._options()
        n_bytes = [len(compress(sample, **options)) for sample in samples]
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def _options(self) -> dict[str, Any]:
        # The size is left out: the decoder is told it.
        if self.level == 1:
            return {"mode": "default", "store_size": False}
        return {
            "mode": "high_compression",
            "compression": self.level,
            "store_size": False,
        }


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Lz4]
