"""PPMd variant H (Shkarin 2002, "PPM: one step to practicality"), by the suffix route.

Orders above 6 are not offered: pyppmd 1.3.1 fails to decode long inputs there. Its encoder
loses a byte where the output of one call passes 32 KiB, so that it is fed in pieces. Each
encoder leaks 19 KB, so that large batches are coded in a helper process, which ends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyppmd

from harness import BITS_PER_BYTE, Bits, Codec, SpecError, hookimpl

from ._primed import StreamingCoder, suffix_codes, tails_after

PIECE = 1 << 14
PRIMED_FROM = 1 << 14
FEWEST_PRIMED = 8
"""Least prefix bytes and samples at which a fork is cheaper than coding the prefix."""
LARGE_BATCH, BATCH = 64, 1000
"""Least samples after a shorter prefix, or none, for which a helper is started; and most of
one helper, which leaks 19 MB by them."""


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

    def packed_lengths(self, samples: Sequence[bytes]) -> Bits:
        if len(samples) < LARGE_BATCH:
            return super().packed_lengths(samples)
        tails: list[bytes] = []
        for batch in _batches(samples):
            tails += tails_after(self._coder_spec(forks=False), b"", batch)[1]
        # `pack` writes nothing for nothing, where the coder would end its code.
        n_bytes = [
            len(tail) if sample else 0
            for sample, tail in zip(samples, tails, strict=True)
        ]
        return BITS_PER_BYTE * np.array(n_bytes, np.float64)

    def pack_each_after(self, samples: Sequence[bytes], prefix: bytes) -> list[bytes]:
        is_long = len(prefix) >= PRIMED_FROM
        # Starting the helper costs more than coding a short prefix a few times.
        if len(samples) < (FEWEST_PRIMED if is_long else LARGE_BATCH):
            return super().pack_each_after(samples, prefix)
        coder_spec = self._coder_spec(forks=is_long)
        return [
            code
            for batch in _batches(samples)
            for code in suffix_codes(coder_spec, prefix, batch)
        ]

    def _coder_spec(self, *, forks: bool) -> StreamingCoder:
        return StreamingCoder(
            module="pyppmd.c._ppmd",
            factory="Ppmd7Encoder",
            args=(self.order, self.memory_mib << 20),
            feed="encode",
            finish="flush",
            chunk=PIECE,
            forks=forks,
        )


def _batches(samples: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(samples), BATCH):
        yield samples[start : start + BATCH]


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Ppmd]
