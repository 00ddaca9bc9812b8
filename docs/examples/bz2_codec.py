"""bzip2 (Seward 1996) as a plugin: the smallest codec, two methods and a declaration."""

import bz2
from dataclasses import dataclass

from harness import Codec, SpecError, hookimpl


@dataclass(frozen=True, kw_only=True)
class Bz2Example(Codec):
    """Codec of the standard library; its format cannot be conditioned on a text."""

    name = "bz2_example"
    family = "BWT"  # compressors of one mechanism share a family
    requires = ("bz2",)  # its version enters the key of every result
    determinism = "isa"  # the same bytes decode on every processor

    level: int = 9  # a hyperparameter: bz2_example(level=5)

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 9:
            raise SpecError(f"level is {self.level}; bz2_example has 1 to 9")

    def pack(self, data: bytes) -> bytes:
        return bz2.compress(data, self.level)

    def unpack(self, code: bytes, length: int) -> bytes:
        return bz2.decompress(code)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Bz2Example]
