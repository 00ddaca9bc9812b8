"""Base class of codecs whose model is a `Machine`."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from harness import BITS_PER_BYTE, Bits, Codec

from .machine import Machine


@dataclass(frozen=True, kw_only=True)
class SequentialCodec(Codec):
    """Codec with the route "native": a prefix is learned, then a fresh coder codes the data.

    To learn a prefix costs as much as to code it; it happens once for all samples.
    """

    route = "native"

    @abstractmethod
    def machine(self) -> Machine:
        """Return a model that has seen nothing."""

    def pack(self, data: bytes) -> bytes:
        return self.pack_after(data, b"")

    def unpack(self, code: bytes, length: int) -> bytes:
        return self.unpack_after(code, b"", length)

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        return self._primed(prefix).encode(data)

    def unpack_after(self, code: bytes, prefix: bytes, length: int) -> bytes:
        return self._primed(prefix).decode(code, length)

    def packed_lengths(self, samples: Sequence[bytes]) -> Bits:
        return self.packed_lengths_after(samples, b"")

    def packed_lengths_after(self, samples: Sequence[bytes], prefix: bytes) -> Bits:
        n_bytes = self._primed(prefix).n_code_bytes(samples)
        return BITS_PER_BYTE * np.array(n_bytes, dtype=np.float64)

    def pair_code_lengths(self, xs: Sequence[bytes], ys: Sequence[bytes]) -> Bits:
        """Code each x once, go on with each y and undo it: the lengths of all x + y."""
        machine = self._primed(self.prefix())
        rows = [machine.n_pair_bytes(x, ys) for x in xs]
        n_bytes = np.array(rows, dtype=np.float64).reshape(len(xs), len(ys))
        return BITS_PER_BYTE * n_bytes

    def _primed(self, prefix: bytes) -> Machine:
        # The prefix says all, and arrays in a key could not be hashed.
        machine = _machine(replace(self, learned=None))
        machine.prime(prefix)
        return machine


# One model, which goes from prefix to prefix: new memory for each would cost more time than
# to learn 32 KiB, page by page.
@lru_cache(maxsize=1)
def _machine(codec: SequentialCodec) -> Machine:
    return codec.machine()
