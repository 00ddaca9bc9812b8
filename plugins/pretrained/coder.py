"""Range coder for the largest vocabularies, whose code ends in a whole byte.

As in Martin 1979, with 64-bit registers: a symbol narrows the interval [low, low + width),
a byte is written when the width has lost it, and a carry runs back over what is written.
The harness's coder has totals of 2**24, in which 250,000 symbols of at least 1 would take
1.5 % of all probability, and it ends on whole words of 4 bytes, which is what a language
model needs for a dozen bytes of text. Here totals are 2**32 and an end costs under a byte.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness import CodingError

TOTAL_BITS = 32
TOTAL = 1 << TOTAL_BITS
_WHOLE = 1 << 64
_BYTE = 1 << 56
"""Unit of the first byte of a register; the width never stays below it."""


def frequencies_of(probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return integers of at least 1 that sum to 2**32, nearly proportional.

    Args:
        probabilities: shape (n,), n < 2**31, not negative, summing to about 1.

    Raises:
        CodingError: a probability is not finite.
    """
    if not np.isfinite(probabilities).all():
        raise CodingError(
            "the model gave a probability that is no number; use dtype='float32'"
        )
    free = TOTAL - len(probabilities)
    scaled = np.floor(probabilities * (free / probabilities.sum()))
    frequencies: NDArray[np.int64] = scaled.astype(np.int64) + 1
    # Roundings leave a few units over or, of the last bit of a sum, lack some.
    frequencies[frequencies.argmax()] += TOTAL - frequencies.sum()
    return frequencies


class Encoder:
    """Encoder of symbols; its code is complete after `finish`."""

    def __init__(self) -> None:
        self._low, self._width = 0, _WHOLE
        self._code = bytearray()

    def encode(self, frequencies: NDArray[np.int64], symbol: int) -> None:
        """Narrow the interval to a symbol's share."""
        unit = self._width >> TOTAL_BITS
        # Exact integers of Python: low may pass 64 bits by the carry.
        self._low += unit * int(frequencies[:symbol].sum())
        self._width = unit * int(frequencies[symbol])
        self._carry()
        while self._width < _BYTE:
            self._code.append(self._low >> 56)
            self._low = self._low << 8 & _WHOLE - 1
            self._width <<= 8

    def finish(self) -> bytes:
        """Return the code without zeros at the end of its last number.

        Past the end a decoder reads zeros. Bytes settled before stay even if they are
        zeros: a code must not tell more by its length than by its bytes.
        """
        top = self._low + self._width
        # The fewest bytes whose number lies in the interval, zeros after it.
        for n_bytes in range(9):
            unit = _WHOLE >> 8 * n_bytes
            value = -(-self._low // unit) * unit
            if value < top:
                break
        self._low = value
        self._carry()
        self._code += self._low.to_bytes(8, "big")[:n_bytes]
        return bytes(self._code)

    def _carry(self) -> None:
        """Add a carry out of the register to the bytes already written."""
        if self._low < _WHOLE:
            return
        self._low -= _WHOLE
        at = len(self._code) - 1
        while self._code[at] == 0xFF:
            self._code[at] = 0
            at -= 1
        self._code[at] += 1


class Decoder:
    """Decoder of the symbols of an `Encoder`, given the same frequencies."""

    def __init__(self, code: bytes) -> None:
        self._code, self._read = code, 8
        self._above = int.from_bytes(code[:8].ljust(8, b"\0"), "big")
        self._width = _WHOLE

    def decode(self, frequencies: NDArray[np.int64]) -> int:
        """Return the symbol whose share holds the code.

        Raises:
            CodingError: none does.
        """
        unit = self._width >> TOTAL_BITS
        mark = self._above // unit
        if mark >= TOTAL:
            raise CodingError("the code is damaged, or belongs to another model")
        ends = frequencies.cumsum()
        symbol = int(np.searchsorted(ends, mark, side="right"))
        self._above -= unit * int(ends[symbol] - frequencies[symbol])
        self._width = unit * int(frequencies[symbol])
        while self._width < _BYTE:
            # Past the end of the code are zeros, which `finish` leaves out.
            byte = self._code[self._read] if self._read < len(self._code) else 0
            self._read += 1
            self._above = self._above << 8 | byte
            self._width <<= 8
        return symbol
