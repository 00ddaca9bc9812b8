"""bzip2 (Seward 1996): Burrows-Wheeler blocks (Burrows and Wheeler 1994).

It cannot be conditioned: a block is sorted as a whole, so that a text after a prefix changes
all of the prefix's code (docs/plugins.md has the figures).
"""

import bz2
from dataclasses import dataclass

from harness import Codec, SpecError, hookimpl


@dataclass(frozen=True, kw_only=True)
class Bz2(Codec):
    """Output of `bzip2`; it cannot be conditioned."""

    name = "bz2"
    family = "BWT"
    requires = ("bz2",)
    determinism = "isa"

    level: int = 9

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 9:
            raise SpecError(f"level is {self.level}; bz2 has 1 to 9")

    @property
    def window(self) -> int:
        # A block is sorted as a whole; nothing is shared between blocks.
        return self.level * 100_000

    def pack(self, data: bytes) -> bytes:
        return bz2.compress(data, self.level)

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (the container knows)
        return bz2.decompress(code)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Bz2]
