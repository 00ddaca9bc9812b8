"""Bitwise logistic mixing of contexts (Mahoney 2005; close to his lpaq, 2007), exact.

Orders 0 to 6, the word, two words and the longest match each predict the next bit from
hashed bit histories; small networks mix the predictions, adaptive maps refine them, and a
binary arithmetic coder writes bytes. Everything is an integer, so that every machine gets
the same code.

The route is "native": a prefix is learned, which the decoder can do as well, and then the
data is coded by a fresh coder. To learn a prefix costs as much as to code it; it happens
once for all samples, because what a sample has changed is undone after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from harness import BITS_PER_BYTE, Bits, Codec, SpecError, hookimpl

from .machine import Machine, Plan

MAX_ORDER = 6


@dataclass(frozen=True, kw_only=True)
class Mix(Codec):
    """Context mixing by bits, in a table of 2**table_bits bytes.

    Attributes:
        order: the longest of the plain contexts, in bytes.
        words: whether the current word, and it with the last word, are contexts too.
        table_bits: 24 holds what a few MB of text teach; memory is used when it is filled.
        shape: (height, width) of images of one byte per pixel; adds contexts of pixels
            around.
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
        return self.pack_after(data, b"")

    def unpack(self, code: bytes, length: int) -> bytes:
        return self.unpack_after(code, b"", length)

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        return _primed(self._plan, prefix).encode(data)

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        return _primed(self._plan, prefix).decode(code, length)

    def packed_lengths(self, samples: Sequence[bytes]) -> Bits:
        return self.packed_lengths_after(samples, b"")

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        n_bytes = _primed(self._plan, prefix).n_code_bytes(samples)
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def pair_code_lengths(self, xs: Sequence[bytes], ys: Sequence[bytes]) -> Bits:
        """Code each x once, go on with each y and undo it: the lengths of all x + y."""
        machine = _primed(self._plan, self.prefix())
        rows = [machine.n_pair_bytes(x, ys) for x in xs]
        n_bytes = np.array(rows, dtype=np.float64).reshape(len(xs), len(ys))
        return BITS_PER_BYTE * n_bytes

    @property
    def _plan(self) -> Plan:
        # Samples that are no images of one channel have no pixels around.
        shape = self.shape if self.shape and len(self.shape) == 2 else None
        return Plan(
            order=self.order,
            words=self.words,
            table_bits=self.table_bits,
            shape=shape,
        )


@lru_cache(maxsize=1)
def _primed(plan: Plan, prefix: bytes) -> Machine:
    """Keep the last model that was primed: many samples follow the same prefix."""
    return Machine(plan, prefix)


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Mix]
