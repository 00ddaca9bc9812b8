"""Range coder over 56-bit integers (Martin 1979), with carries into the bytes written.

An interval is LOW .. LOW + SIZE. It is divided into a whole number of equal units, so that
a division in T units loses at most T / 2**48 of the interval.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]
Function = TypeVar("Function", bound=Callable[..., Any])

# Registers. A decoder keeps its position inside the interval in LOW.
LOW, SIZE, POSITION, N_REGISTERS = range(4)

N_BYTES = 7
TOP = 1 << (8 * N_BYTES)
SMALLEST = TOP >> 8


def compiled(function: Function) -> Function:
    """Compile a function that allocates nothing.

    Without reference counts, which would cost more than the work for tuples of arrays.
    """
    # An option of numba that its type hints do not list.
    without_counts: Any = {"_nrt": False}
    return cast("Function", numba.njit(cache=True, **without_counts)(function))


@compiled
def begin(registers: Ints) -> None:
    """Take the whole interval."""
    registers[LOW], registers[SIZE], registers[POSITION] = 0, TOP, 0


@compiled
def begin_decoding(registers: Ints, code: Bytes) -> None:
    """Take the whole interval, and the first bytes of a code."""
    begin(registers)
    for _ in range(N_BYTES):
        _read(registers, code)


@compiled
def encode_part(registers: Ints, code: Bytes, start: int, stop: int) -> None:
    """Narrow the interval to LOW + start .. LOW + stop, and write the bytes settled."""
    registers[LOW] += start
    registers[SIZE] = stop - start
    _carry(registers, code)
    while registers[SIZE] <= SMALLEST:
        code[registers[POSITION]] = registers[LOW] >> (8 * N_BYTES - 8)
        registers[POSITION] += 1
        registers[LOW] = (registers[LOW] & (SMALLEST - 1)) << 8
        registers[SIZE] <<= 8


@compiled
def decode_part(registers: Ints, code: Bytes, start: int, stop: int) -> None:
    """Narrow the interval as `encode_part` did, and read as many bytes."""
    registers[LOW] -= start
    registers[SIZE] = stop - start
    while registers[SIZE] <= SMALLEST:
        _read(registers, code)
        registers[SIZE] <<= 8


@compiled
def finish(registers: Ints, code: Bytes) -> int:
    """Write the roundest number of the interval; return the length of the code.

    Zeros at its end are not written, since a decoder reads zeros past the end. Bytes settled
    before stay even if they are zeros: a code must not tell more by its length than by its
    bytes.
    """
    for n_bytes in range(N_BYTES + 1):
        unit = TOP >> (8 * n_bytes)
        value = (registers[LOW] + unit - 1) // unit * unit
        if value < registers[LOW] + registers[SIZE]:
            break
    registers[LOW] = value
    _carry(registers, code)
    n = registers[POSITION]
    for i in range(n_bytes):
        code[n + i] = (registers[LOW] >> (8 * (N_BYTES - 1 - i))) & 0xFF
    return int(n + n_bytes)


@compiled
def _carry(registers: Ints, code: Bytes) -> None:
    """Add what LOW has above its 56 bits to the bytes written."""
    if registers[LOW] < TOP:
        return
    registers[LOW] -= TOP
    # All numbers of the interval are below 1, so that a byte below 255 comes first.
    i = registers[POSITION] - 1
    while code[i] == 0xFF:
        code[i] = 0
        i -= 1
    code[i] += 1


@compiled
def _read(registers: Ints, code: Bytes) -> None:
    i = registers[POSITION]
    value = np.int64(code[i]) if i < len(code) else np.int64(0)
    registers[LOW] = (registers[LOW] << 8) | value
    registers[POSITION] = i + 1
