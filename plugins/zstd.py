"""Zstandard (RFC 8878), conditioned through a raw-content dictionary digested once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import zstandard

from harness import Codec, SpecError, hookimpl
from harness.compressor import Bits
from harness.units import BITS_PER_BYTE


@dataclass(frozen=True, kw_only=True)
class Zstd(Codec):
    """Zstandard without magic number, checksum and content size, or whole frames."""

    name = "zstd"
    family = "LZ77 + FSE"
    requires = ("zstandard",)
    route = "native"

    level: int = 3
    frame: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.level <= zstandard.MAX_COMPRESSION_LEVEL:
            raise SpecError(f"level is {self.level}; zstd has 1 to 22")

    @property
    def window(self) -> int:
        parameters = zstandard.ZstdCompressionParameters.from_level(self.level)
        return int(1 << parameters.window_log)

    def pack(self, data: bytes) -> bytes:
        return self._coder().compress(data)

    def unpack(self, code: bytes, length: int) -> bytes:
        return (
            self._decoder().decompress(code, max_output_size=length) if length else b""
        )

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        return self._coder(_digested(prefix, self.level)).compress(data)

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        decoder = self._decoder(_dictionary(prefix))
        return decoder.decompress(code, max_output_size=length) if length else b""

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        coder = self._coder(_digested(prefix, self.level))
        n_bytes = [len(coder.compress(sample)) for sample in samples]
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def _coder(
        self, dictionary: zstandard.ZstdCompressionDict | None = None
    ) -> zstandard.ZstdCompressor:
        if self.frame:
            return zstandard.ZstdCompressor(level=self.level, dict_data=dictionary)
        parameters = zstandard.ZstdCompressionParameters.from_level(
            self.level,
            format=zstandard.FORMAT_ZSTD1_MAGICLESS,
            write_content_size=False,
            write_checksum=False,
            write_dict_id=False,
        )
        return zstandard.ZstdCompressor(
            compression_params=parameters, dict_data=dictionary
        )

    def _decoder(
        self, dictionary: zstandard.ZstdCompressionDict | None = None
    ) -> zstandard.ZstdDecompressor:
        form = (
            zstandard.FORMAT_ZSTD1 if self.frame else zstandard.FORMAT_ZSTD1_MAGICLESS
        )
        return zstandard.ZstdDecompressor(dict_data=dictionary, format=form)


def _dictionary(prefix: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(
        prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )


@lru_cache(maxsize=1)
def _digested(prefix: bytes, level: int) -> zstandard.ZstdCompressionDict:
    """Digest a prefix once for all the samples that follow it."""
    dictionary = _dictionary(prefix)
    dictionary.precompute_compress(level=level)
    return dictionary


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Zstd]
