"""Context mixing: bitwise logistic mixing (Mahoney 2005; close to his lpaq, 2007), exact.

Orders 0 to 6, the word, two words and the longest match each predict the next bit from
hashed bit histories; small networks mix the predictions, adaptive maps refine them, and a
binary arithmetic coder writes bytes. Everything is an integer, so that every machine gets
the same code.

The route is "native": a prefix is learned, which the decoder can do as well, and then the
data is coded by a fresh coder. Learning a prefix costs as much as coding it; it happens
once for all samples, because the changes by a sample are undone after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness import BITS_PER_BYTE, Bits, Codec, SpecError, hookimpl

from .machine import Dimensions, Machine

MAX_ORDER = 6


@dataclass(frozen=True, kw_only=True)
class Mix(Codec):
    """Context mixing by bits, in a table of 2**table_bits bytes.

    Attributes:
        order: length of the longest plain context, in bytes.
        words: True adds two contexts, the current word alone and with the word before it.
        table_bits: 24 suits a few MB of text; memory is used only as it is filled.
        shape: (height, width) of images of one byte per pixel; adds contexts of
            neighbouring pixels.
    """

    name = "mix"
    family = "context mixing (bitwise)"
    requires = ("numba",)
    determinism = "isa"
    route = "native"

    order: int = 6
    words: bool = True
    table_bits: int = 24
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.order <= MAX_ORDER:
            raise SpecError(f"order is {self.order}; mix has 0 to {MAX_ORDER}")
        if not 16 <= self.table_bits <= 30:
            raise SpecError(f"table_bits is {self.table_bits}; give 16 to 30")
        if self.shape is not None and min(self.shape, default=0) < 1:
            raise SpecError(f"shape is {self.shape}; give positive (height, width)")

    def pack(self, data: bytes) -> bytes:
        # An empty prefix is one that is primed like any other.
        return self.pack_after(data, b"")

    def unpack(self, code: bytes, length: int) -> bytes:
        return self.unpack_after(code, b"", length)

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        return _primed(self._dimensions, prefix).encode(data)

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        return _primed(self._dimensions, prefix).decode(code, length)

    def packed_lengths(self, samples: Sequence[bytes]) -> Bits:
        return self.packed_lengths_after(samples, b"")

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        n_bytes = _primed(self._dimensions, prefix).n_code_bytes(samples)
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def pair_code_lengths(self, xs: Sequence[bytes], ys: Sequence[bytes]) -> Bits:
        """Return the lengths of all x + y: x is coded once, each y is undone after it."""
        machine = _primed(self._dimensions, self.prefix())
        rows = [machine.n_pair_bytes(x, ys) for x in xs]
        n_bytes = np.array(rows, dtype=np.float64).reshape(len(xs), len(ys))
        return BITS_PER_BYTE * n_bytes

    @property
    def _dimensions(self) -> Dimensions:
        # Only images of one channel have neighbours one byte and one row away.
        shape = self.shape if self.shape and len(self.shape) == 2 else None
        return Dimensions(
            order=self.order,
            words=self.words,
            table_bits=self.table_bits,
            shape=shape,
        )


# Many samples follow the same prefix; a second model would double the memory.
@lru_cache(maxsize=1)
def _primed(dimensions: Dimensions, prefix: bytes) -> Machine:
    """Return a model primed with a prefix."""
    return Machine(dimensions, prefix)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Mix]
