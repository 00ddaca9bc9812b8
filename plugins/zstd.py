"""Zstandard (RFC 8878), conditioned through a raw-content dictionary digested once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import zstandard

from harness import BITS_PER_BYTE, Bits, Codec, SpecError, hookimpl

LONGEST_LOG = 27
"""What every decoder accepts."""


@dataclass(frozen=True, kw_only=True)
class Zstd(Codec):
    """Zstandard without magic number, checksum and content size, or whole frames."""

    name = "zstd"
    family = "LZ77 + FSE"
    requires = ("zstandard",)
    route = "native"

    level: int = 3
    frame: bool = False
    window_log: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.level <= zstandard.MAX_COMPRESSION_LEVEL:
            raise SpecError(f"level is {self.level}; zstd has 1 to 22")
        if self.window_log is not None and not 10 <= self.window_log <= LONGEST_LOG:
            raise SpecError(
                f"window_log is {self.window_log}; give 10 to {LONGEST_LOG}, or None for "
                "the level's own"
            )

    @property
    def window(self) -> int:
        """The window, or what the library indexes of a dictionary if that is less.

        Below the strongest levels it loads only the end of a dictionary, by the size of
        its tables; long-distance matching is for streams and does not index dictionaries.
        """
        return _window(self.level, self.window_log)

    def pack(self, data: bytes) -> bytes:
        return self._coder().compress(data)

    def unpack(self, code: bytes, length: int) -> bytes:
        return (
            self._decoder().decompress(code, max_output_size=length) if length else b""
        )

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        return self._coder(self._digested(prefix)).compress(data)

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        decoder = self._decoder(_dictionary(prefix))
        return decoder.decompress(code, max_output_size=length) if length else b""

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        coder = self._coder(self._digested(prefix))
        n_bytes = [len(coder.compress(sample)) for sample in samples]
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def packed_lengths(self, samples: Sequence[bytes]) -> Bits:
        coder = self._coder()
        n_bytes = [len(coder.compress(sample)) for sample in samples]
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def _coder(
        self, dictionary: zstandard.ZstdCompressionDict | None = None
    ) -> zstandard.ZstdCompressor:
        if self.frame and self.window_log is None:
            # Only this way zstd fits its parameters to the size, as its program does.
            return zstandard.ZstdCompressor(level=self.level, dict_data=dictionary)
        return zstandard.ZstdCompressor(
            compression_params=self._parameters(), dict_data=dictionary
        )

    def _digested(self, prefix: bytes) -> zstandard.ZstdCompressionDict:
        return _digested(prefix, self.level, self.window_log)

    def _parameters(self) -> zstandard.ZstdCompressionParameters:
        return _parameters(self.level, self.window_log, frame=self.frame)

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
def _digested(
    prefix: bytes, level: int, window_log: int | None
) -> zstandard.ZstdCompressionDict:
    """Digest a prefix once for all the samples that follow it."""
    dictionary = _dictionary(prefix)
    dictionary.precompute_compress(
        compression_params=_digesting(level, window_log, len(prefix))
    )
    return dictionary


def _digesting(
    level: int, window_log: int | None, n_bytes: int
) -> zstandard.ZstdCompressionParameters:
    """Return the parameters with which a dictionary of so many bytes is digested."""
    if window_log is None:
        return zstandard.ZstdCompressionParameters.from_level(level, dict_size=n_bytes)
    return _parameters(level, window_log, frame=True)


@lru_cache(maxsize=64)
def _window(level: int, window_log: int | None) -> int:
    size = 1 << int(_parameters(level, window_log, frame=True).window_log)
    for log in range(14, size.bit_length()):
        n_bytes = (1 << log) - 1024  # the sizes at which zstd changes its tables
        size = min(size, _indexed(level, window_log, n_bytes))
    return size


def _indexed(level: int, window_log: int | None, n_bytes: int) -> int:
    """Return how much is indexed where a dictionary of so many bytes is cut, or 2**31."""
    chosen = _digesting(level, window_log, n_bytes)
    kept = 8 << max(int(chosen.hash_log), int(chosen.chain_log))
    cut = chosen.strategy < zstandard.STRATEGY_BTULTRA and kept < n_bytes
    return kept if cut else 1 << 31


def _parameters(
    level: int, window_log: int | None, *, frame: bool
) -> zstandard.ZstdCompressionParameters:
    """Return a level's parameters; a window longer than its own matches at long distance."""
    changed: dict[str, Any] = {}
    if not frame:
        changed["format"] = zstandard.FORMAT_ZSTD1_MAGICLESS
        changed["write_content_size"] = False
    if window_log is not None:
        own = zstandard.ZstdCompressionParameters.from_level(level).window_log
        changed |= {"window_log": window_log, "enable_ldm": window_log > own}
    return zstandard.ZstdCompressionParameters.from_level(level, **changed)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Zstd]
