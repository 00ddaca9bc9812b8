"""Bytes of codes: integers of variable length, and prefixes that two codes share."""

from __future__ import annotations

import numpy as np

from harness.errors import CodingError

LONGEST_VARINT = 9
"""Bytes of the longest integer that is read: 63 bits."""


def varint(value: int) -> bytes:
    """Return a non-negative integer as 7-bit groups, lowest first, high bit = more."""
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def read_varint(code: bytes, start: int = 0) -> tuple[int, int]:
    """Return the integer at `start` and the offset after it.

    Raises:
        CodingError: the bytes end inside the integer, or it exceeds 63 bits.
    """
    value = shift = 0
    # Bounded, so that damaged bytes cannot make an integer of any size.
    for offset in range(start, min(len(code), start + LONGEST_VARINT)):
        value |= (code[offset] & 0x7F) << shift
        shift += 7
        if code[offset] < 0x80:
            return value, offset + 1
    msg = "the code is damaged: an integer does not end"
    raise CodingError(msg)


def shared_length(a: bytes, b: bytes) -> int:
    """Return the length of the longest common prefix."""
    n = min(len(a), len(b))
    # Compared as arrays: a Python loop over long prefixes would be slow.
    differ = np.flatnonzero(
        np.frombuffer(a, np.uint8, n) != np.frombuffer(b, np.uint8, n)
    )
    return int(differ[0]) if len(differ) else n
