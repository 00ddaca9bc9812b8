"""PPMd variant H (Shkarin 2002, "PPM: one step to practicality"), by the suffix route.

Orders above 6 are not offered: pyppmd 1.3.1 fails to decode long inputs there. Its encoder
loses a byte where the output of one call passes 32 KiB, so that it is fed in pieces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyppmd

from harness import Codec, SpecError, hookimpl

from ._primed import StreamingCoder, suffix_codes

PIECE = 1 << 14
PRIMED_FROM = 1 << 14
FEWEST_PRIMED = 8
"""Least prefix bytes and samples at which a fork is cheaper than coding the prefix."""


@dataclass(frozen=True, kw_only=True)
class Ppmd(Codec):
    """PPM with information inheritance."""

    name = "ppmd"
    family = "PPM"
    requires = ("pyppmd",)
    determinism = "isa"
    route = "suffix"

    order: int = 6
    memory_mib: int = 16

    def __post_init__(self) -> None:
        if not 2 <= self.order <= 6:
            raise SpecError(
                f"order is {self.order}; bitprobe offers PPMd of order 2 to 6"
            )
        if not 4 <= self.memory_mib <= 1024:
            raise SpecError(f"memory_mib is {self.memory_mib}; give 4 to 1024")

    @property
    def window(self) -> int:
        """Bytes that surely fit the memory; a full memory makes the model start afresh.

        At order 6, English text fills 16 MiB after 2.5 to 5 MB, and 4 MiB after .6 to 1.
        """
        return self.memory_mib << 17

    def pack(self, data: bytes) -> bytes:
        if not data:
            return b""
        encoder = pyppmd.Ppmd7Encoder(self.order, self.memory_mib << 20)
        # A piece whose output stays below 32 KiB: see the fault of pyppmd above.
        starts = range(0, len(data), PIECE)
        pieces = [encoder.encode(data[start : start + PIECE]) for start in starts]
        return b"".join([*pieces, encoder.flush()])

    def unpack(self, code: bytes, length: int) -> bytes:
        if not length:
            return b""
        decoder = pyppmd.Ppmd7Decoder(self.order, self.memory_mib << 20)
        data = decoder.decode(code, length)
        while len(data) < length and decoder.needs_input:
            # The last bytes of a range code may be zeros that were never written.
            data += decoder.decode(b"\0", length - len(data))
        return bytes(data)

    def pack_each_after(self, samples: Sequence[bytes], prefix: bytes) -> list[bytes]:
        # Starting the helper costs more than coding a short prefix a few times.
        if len(samples) < FEWEST_PRIMED or len(prefix) < PRIMED_FROM:
            return super().pack_each_after(samples, prefix)
        coder_spec = StreamingCoder(
            module="pyppmd.c._ppmd",
            factory="Ppmd7Encoder",
            args=(self.order, self.memory_mib << 20),
            feed="encode",
            finish="flush",
            chunk=PIECE,
        )
        return suffix_codes(coder_spec, prefix, samples)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Ppmd]
