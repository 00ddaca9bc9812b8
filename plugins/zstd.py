"""Zstandard (RFC 8878), conditioned through a raw-content dictionary digested once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import zstandard

from harness import BITS_PER_BYTE, Bits, Codec, SpecError, hookimpl

LONGEST_LOG = 27
"""Largest window that every decoder accepts."""
LARGE = 1 << 19
"""Size of a dictionary from which on the library's tables are its largest."""


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
    def window(self) -> int | None:
        """Bytes of a dictionary that the library indexes, or `window_log` if that is less.

        All of a dictionary is in reach until a code is longer than the level's window, which
        therefore is no limit. Below the strongest levels the library loads only the end of a
        dictionary, by the size of its tables; long-distance matching is for streams and does
        not index dictionaries.
        """
        return _window(self.level, self.window_log)

    def pack(self, data: bytes) -> bytes:
        return self._coder.compress(data)

    def unpack(self, code: bytes, length: int) -> bytes:
        # The library takes an output size of 0 for "unknown".
        return self._decoder.decompress(code, max_output_size=length) if length else b""

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        return self._coder_after(prefix).compress(data)

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        decoder = _new_decoder(_dictionary(prefix), frame=self.frame)
        return decoder.decompress(code, max_output_size=length) if length else b""

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        return _lengths(self._coder_after(prefix), samples)

    def packed_lengths(self, samples: Sequence[bytes]) -> Bits:
        return _lengths(self._coder, samples)

    # Making a compressor costs more than coding a short sample with it.
    @property
    def _coder(self) -> zstandard.ZstdCompressor:
        return _coder(self.level, self.window_log, frame=self.frame)

    def _coder_after(self, prefix: bytes) -> zstandard.ZstdCompressor:
        return _coder_after(prefix, self.level, self.window_log, frame=self.frame)

    @property
    def _decoder(self) -> zstandard.ZstdDecompressor:
        return _decoder(frame=self.frame)


def _lengths(coder: zstandard.ZstdCompressor, samples: Sequence[bytes]) -> Bits:
    n_bytes = [len(coder.compress(sample)) for sample in samples]
    return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)


@lru_cache(maxsize=8)
def _coder(
    level: int, window_log: int | None, *, frame: bool
) -> zstandard.ZstdCompressor:
    return _new_coder(None, level, window_log, frame=frame)


# One entry: the tables of a strong level and a long prefix take 100 MB and more.
@lru_cache(maxsize=1)
def _coder_after(
    prefix: bytes, level: int, window_log: int | None, *, frame: bool
) -> zstandard.ZstdCompressor:
    dictionary = _digested(prefix, level, window_log)
    return _new_coder(dictionary, level, window_log, frame=frame)


def _new_coder(
    dictionary: zstandard.ZstdCompressionDict | None,
    level: int,
    window_log: int | None,
    *,
    frame: bool,
) -> zstandard.ZstdCompressor:
    if frame and window_log is None:
        # Only this way zstd fits its parameters to the size, as its program does.
        return zstandard.ZstdCompressor(level=level, dict_data=dictionary)
    parameters = _parameters(level, window_log, frame=frame)
    return zstandard.ZstdCompressor(compression_params=parameters, dict_data=dictionary)


@lru_cache(maxsize=2)
def _decoder(*, frame: bool) -> zstandard.ZstdDecompressor:
    return _new_decoder(None, frame=frame)


def _new_decoder(
    dictionary: zstandard.ZstdCompressionDict | None, *, frame: bool
) -> zstandard.ZstdDecompressor:
    form = zstandard.FORMAT_ZSTD1 if frame else zstandard.FORMAT_ZSTD1_MAGICLESS
    return zstandard.ZstdDecompressor(dict_data=dictionary, format=form)


def _dictionary(prefix: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(
        prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )


def _digested(
    prefix: bytes, level: int, window_log: int | None
) -> zstandard.ZstdCompressionDict:
    """Return the digested dictionary of a prefix, shared by all samples after it."""
    dictionary = _dictionary(prefix)
    dictionary.precompute_compress(
        compression_params=_digesting(level, window_log, len(prefix))
    )
    return dictionary


def _digesting(
    level: int, window_log: int | None, n_bytes: int
) -> zstandard.ZstdCompressionParameters:
    """Return the parameters with which a dictionary of so many bytes is digested."""
    if window_log is not None:
        return _parameters(level, window_log, frame=True)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        level, dict_size=n_bytes
    )
    # Just below some sizes of its own the library takes tables too small for all of the
    # dictionary, where the next larger ones have room.
    if (_indexed(parameters) or n_bytes) < n_bytes:
        return zstandard.ZstdCompressionParameters.from_level(level, dict_size=LARGE)
    return parameters


@lru_cache(maxsize=64)
def _window(level: int, window_log: int | None) -> int | None:
    n_indexed = _indexed(_digesting(level, window_log, LARGE))
    if window_log is None:
        return n_indexed
    return min(1 << window_log, n_indexed or 1 << window_log)


def _indexed(parameters: zstandard.ZstdCompressionParameters) -> int | None:
    """Return the number of bytes, from the end of a dictionary, that are indexed."""
    # As ZSTD_loadDictionaryContent of zstd 1.5 has it.
    if parameters.strategy >= zstandard.STRATEGY_BTULTRA:
        return None
    return 8 << max(int(parameters.hash_log), int(parameters.chain_log))


def _parameters(
    level: int, window_log: int | None, *, frame: bool
) -> zstandard.ZstdCompressionParameters:
    """Return a level's parameters; a window longer than its own matches at long distance."""
    overrides: dict[str, Any] = {}
    if not frame:
        overrides["format"] = zstandard.FORMAT_ZSTD1_MAGICLESS
        overrides["write_content_size"] = False
    if window_log is not None:
        level_window_log = zstandard.ZstdCompressionParameters.from_level(
            level
        ).window_log
        # A window beyond the level's own is of no use without long-distance matching.
        overrides |= {
            "window_log": window_log,
            "enable_ldm": window_log > level_window_log,
        }
    return zstandard.ZstdCompressionParameters.from_level(level, **overrides)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Zstd]
