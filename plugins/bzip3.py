"""bzip3 (Palaiologos 2022): Burrows-Wheeler blocks coded by context mixing."""

from dataclasses import dataclass

from bz3.bz3 import compress, decompress

from harness import Codec, SpecError, hookimpl

SMALLEST_BLOCK = 65 << 10


@dataclass(frozen=True, kw_only=True)
class Bzip3(Codec):
    """Output of `bzip3`; it cannot be conditioned.

    A block is allocated whole before coding, so no block is larger than its data needs:
    at 16 MiB a call on a short sample costs 28 ms, with the smallest block 0.1 ms.
    """

    name = "bzip3"
    family = "BWT"
    requires = ("bzip3",)
    determinism = "isa"

    block_mib: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.block_mib <= 511:
            raise SpecError(f"block_mib is {self.block_mib}; bzip3 has 1 to 511")

    @property
    def window(self) -> int:
        return self.block_mib << 20

    def pack(self, data: bytes) -> bytes:
        # The library refuses blocks below 65 KiB.
        size = min(self.block_mib << 20, max(SMALLEST_BLOCK, len(data)))
        # One thread: a job keeps to one core.
        return bytes(compress(data, size, 1))

    def unpack(self, code: bytes, length: int) -> bytes:  # noqa: ARG002  (the container knows)
        return bytes(decompress(code, 1))


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Bzip3]
