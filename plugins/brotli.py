"""Brotli (RFC 7932): LZ77, Huffman codes selected by context, and a built-in dictionary.

Its code after a prefix is the output behind the library's flush point; the decoder codes
the prefix again to rebuild the output before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import brotli

from harness import Codec, CodingError, SpecError, hookimpl

from ._primed import StreamingCoder, tails_after

DICTIONARY_BYTES = 122_784
FAST_LGWIN = 18
"""Qualities 0 and 1 look back no further."""

SLOW_QUALITY = 10
FEWEST_PRIMED = 8
PRIMED_FROM = {False: 1 << 16, True: 1 << 12}
"""Bytes of prefix from which a fork is cheaper, for the fast and the slow qualities."""


@dataclass(frozen=True, kw_only=True)
class _Brotli(Codec):
    quality: int = 11
    lgwin: int = 22

    def __post_init__(self) -> None:
        if not 10 <= self.lgwin <= 24:
            raise SpecError(f"lgwin is {self.lgwin}; brotli has 10 to 24")

    @property
    def window(self) -> int:
        # RFC 7932, section 9.1: 16 bytes less than the power of two.
        return (1 << self.lgwin) - 16

    def pack(self, data: bytes) -> bytes:
        code = brotli.compress(data, quality=self.quality, lgwin=self.lgwin)
        return bytes(code)

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (brotli ends by itself)
        return bytes(brotli.decompress(code))


@dataclass(frozen=True, kw_only=True)
class Brotli(_Brotli):
    """Qualities 2 to 11, which remember across a flush."""

    name = "brotli"
    family = "LZ77 + context Huffman"
    requires = ("brotli",)
    prior_bytes = DICTIONARY_BYTES
    route = "flush"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 2 <= self.quality <= 11:
            raise SpecError(
                f"quality is {self.quality}; brotli takes 2 to 11, brotli_fast 0 and 1"
            )

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        coder = brotli.Compressor(quality=self.quality, lgwin=self.lgwin)
        # A flush ends the prefix on a byte boundary, at which the code can be cut.
        coder.process(prefix)
        coder.flush()
        return bytes(coder.process(data) + coder.finish())

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        whole = _head(prefix, self.quality, self.lgwin) + code
        data = bytes(brotli.decompress(whole))[len(prefix) :]
        if len(data) != length:
            raise CodingError(f"brotli: decoded {len(data)} bytes of {length}")
        return data

    def pack_each_after(self, samples: Sequence[bytes], prefix: bytes) -> list[bytes]:
        enough = PRIMED_FROM[self.quality >= SLOW_QUALITY]
        # Starting the helper costs more than coding a short prefix a few times.
        if len(samples) < FEWEST_PRIMED or len(prefix) < enough:
            return super().pack_each_after(samples, prefix)
        coder_spec = StreamingCoder(
            module="_brotli",
            factory="Compressor",
            kwargs={"quality": self.quality, "lgwin": self.lgwin},
            feed="process",
            seal="flush",
            finish="finish",
        )
        _, tails = tails_after(coder_spec, prefix, samples)
        return tails


@dataclass(frozen=True, kw_only=True)
class BrotliFast(_Brotli):
    """Qualities 0 and 1, which forget at a flush: they cannot be conditioned."""

    name = "brotli_fast"
    family = "LZ77 + context Huffman"
    requires = ("brotli",)
    prior_bytes = DICTIONARY_BYTES
    determinism = "isa"

    quality: int = 1

    @property
    def window(self) -> int:
        # The fast qualities ignore a larger window.
        return (1 << min(self.lgwin, FAST_LGWIN)) - 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.quality not in (0, 1):
            raise SpecError(
                f"quality is {self.quality}; brotli_fast takes 0 and 1, brotli 2 to 11"
            )


@lru_cache(maxsize=1)
def _head(prefix: bytes, quality: int, lgwin: int) -> bytes:
    """Return the code of a prefix up to its flush point."""
    coder = brotli.Compressor(quality=quality, lgwin=lgwin)
    return bytes(coder.process(prefix) + coder.flush())


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Brotli, BrotliFast]
