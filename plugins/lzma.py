"""LZMA (Pavlov 1998): raw LZMA1 by the suffix route, and in xz's container (LZMA2)."""

import lzma
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from harness import Codec, SpecError, hookimpl, read_varint, shared_length, varint

from ._primed import StreamingCoder, suffix_codes

WINDOW_LOGS = (18, 20, 21, 22, 22, 23, 23, 24, 25, 26)
"""log2 of the dictionary of presets 0 to 9 (xz's manual)."""

LOWEST_WINDOW_LOG = 12
PRIMED_FROM = 1 << 13
FEWEST_PRIMED = 8
PRIMING_CHUNK = 1024


@dataclass(frozen=True, kw_only=True)
class _Preset(Codec):
    preset: int = 6
    extreme: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.preset <= 9:
            raise SpecError(f"preset is {self.preset}; {self.name} has 0 to 9")

    @property
    def window(self) -> int:
        return 1 << WINDOW_LOGS[self.preset]

    @property
    def flags(self) -> int:
        """The preset in the encoding of the library."""
        return self.preset | (lzma.PRESET_EXTREME if self.extreme else 0)


@dataclass(frozen=True, kw_only=True)
class Lzma(_Preset):
    """Raw LZMA1: no header, and not its first byte, which is always zero.

    The dictionary is no larger than prefix and data need: short samples would pay for
    clearing its tables, and a forked coder for every page of them it touches.
    """

    name = "lzma"
    family = "LZ77 + range coder"
    requires = ("lzma",)
    determinism = "isa"
    route = "suffix"

    def pack(self, data: bytes) -> bytes:
        return _packed(data, self._filters(len(data)))

    def unpack(self, code: bytes, length: int) -> bytes:
        return _unpacked(code, self._filters(length))

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        n_bytes = len(prefix) + len(data)
        head = _head(prefix, self.flags, self._dictionary(n_bytes))
        whole = _packed(prefix + data, self._filters(n_bytes))
        # The decoder knows the prefix, and so the code up to the first difference.
        shared = shared_length(head, whole)
        return varint(len(head) - shared) + whole[shared:]

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        filters = self._filters(len(prefix) + length)
        dropped, start = read_varint(code)
        head = _head(prefix, self.flags, self._dictionary(len(prefix) + length))
        whole = head[: len(head) - dropped] + code[start:]
        return _unpacked(whole, filters)[len(prefix) :]

    def pack_each_after(self, samples: Sequence[bytes], prefix: bytes) -> list[bytes]:
        if len(samples) < FEWEST_PRIMED or len(prefix) < PRIMED_FROM:
            return super().pack_each_after(samples, prefix)
        sizes = np.array([self._dictionary(len(prefix) + len(s)) for s in samples])
        codes = [b""] * len(samples)
        # A primed coder has one dictionary size, which must be that of `pack_after`.
        for size in np.unique(sizes):
            members = np.flatnonzero(sizes == size).tolist()
            group = [samples[i] for i in members]
            group_codes = suffix_codes(self._coder_spec(int(size)), prefix, group)
            for i, code in zip(members, group_codes, strict=True):
                codes[i] = code
        return codes

    def _coder_spec(self, dict_size: int) -> StreamingCoder:
        filters = self._filters(dict_size)
        return StreamingCoder(
            module="lzma",
            factory="LZMACompressor",
            kwargs={"format": lzma.FORMAT_RAW, "filters": filters},
            feed="compress",
            finish="flush",
            # One large piece would only be buffered, and coded again in every child.
            chunk=PRIMING_CHUNK,
        )

    def _dictionary(self, n_bytes: int) -> int:
        """Return the size of the smallest dictionary that holds so many bytes."""
        needed = 1 << max(LOWEST_WINDOW_LOG, (n_bytes - 1).bit_length())
        return min(self.window, needed)

    def _filters(self, n_bytes: int) -> list[dict[str, Any]]:
        return _chain(self.flags, self._dictionary(n_bytes))


@dataclass(frozen=True, kw_only=True)
class Xz(_Preset):
    """Output of `xz`; LZMA2 has no usable cut, so that it cannot be conditioned."""

    name = "xz"
    family = "LZ77 + range coder"
    requires = ("lzma",)
    determinism = "isa"

    def pack(self, data: bytes) -> bytes:
        return lzma.compress(data, preset=self.flags)

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (the container knows)
        return lzma.decompress(code)


def _chain(flags: int, dict_size: int) -> list[dict[str, Any]]:
    return [{"id": lzma.FILTER_LZMA1, "preset": flags, "dict_size": dict_size}]


@lru_cache(maxsize=2)
def _head(prefix: bytes, flags: int, dict_size: int) -> bytes:
    """Return the code of a prefix, computed once for all samples after it."""
    return _packed(prefix, _chain(flags, dict_size))


def _packed(data: bytes, filters: list[dict[str, Any]]) -> bytes:
    # The range coder's first byte is always 0; `_unpacked` puts it back.
    return lzma.compress(data, lzma.FORMAT_RAW, filters=filters)[1:]


def _unpacked(code: bytes, filters: list[dict[str, Any]]) -> bytes:
    return lzma.decompress(b"\0" + code, lzma.FORMAT_RAW, filters=filters)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Lzma, Xz]
