"""ZPAQ (Mahoney 2009): context mixing whose model is part of the archive."""

from dataclasses import dataclass

import zpaq

from harness import Codec, SpecError, hookimpl


@dataclass(frozen=True, kw_only=True)
class Zpaq(Codec):
    """One archive, one thread (more would split blocks); it cannot be conditioned.

    Level 0 only stores, and is not offered; level 5 needs .14 s for the shortest sample
    (level 4 .7 ms), because its tables are large.
    """

    name = "zpaq"
    family = "context mixing"
    requires = ("zpaq",)
    determinism = "isa"

    level: int = 4
    hints: bool = False
    """Choose the model by a look at the data, as the program does: smaller files, but
    lengths jump where the choice changes (random bytes are only stored)."""

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 5:
            raise SpecError(f"level is {self.level}; zpaq has 1 to 5")

    @property
    def window(self) -> int:
        """One block, as the package cuts them."""
        # libzpaq cuts blocks 4096 bytes below a power of two.
        return (1 << (24 if self.level == 1 else 26)) - 4096

    def pack(self, data: bytes) -> bytes:
        code = zpaq.compress(data, level=self.level, threads=1, hints=self.hints)
        return bytes(code)

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (the archive knows)
        # One thread, as for the code: a job keeps to one core.
        return bytes(zpaq.decompress(code, threads=1))


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Zpaq]
