"""The compiled units: integer sums to int16 values in units of 1/32768."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled

Array = NDArray[Any]

# Not imported: numba's cache of this file would keep the old value of another file.
BITS = 15
ONE = 1 << BITS
HALF = ONE // 2
I4 = np.int32


@compiled
def tanh_units(out: Array, sums: Array, tanh: Array) -> None:
    """Write tanh of the sums.

    Args:
        out: shape (n, d), int16, written.
        sums: shape (n, d), int32, in the units of the table.
        tanh: table in units of 1/ONE, 0 in the middle; what lies outside is its end.
    """
    top = len(tanh) // 2
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = tanh[min(max(sums[row, i], -top), top) + top]


@compiled
def gated_units(
    out: Array, sums: Array, below: Array, curves: tuple[Array, Array]
) -> None:
    """Write the mean of candidate and layer below, weighed by the gate.

    Args:
        out: shape (n, d), int16, written.
        sums: shape (n, 2 d), int32: of candidates, then of gates.
        below: shape (n, d), int16, what a closed gate passes; of no rows: 0.
        curves: tables of sigmoid and tanh in units of 1/ONE, 0 in the middle.
    """
    sigmoid, tanh = curves
    d, top = out.shape[1], len(tanh) // 2
    for row in range(len(out)):
        for i in range(d):
            new = tanh[min(max(sums[row, i], -top), top) + top]
            share = sigmoid[min(max(sums[row, d + i], -top), top) + top]
            passed = I4(below[row, i]) if len(below) else I4(0)
            # At most 2**30 + 2**14 in size, as both values are below ONE: no overflow.
            mixed = share * new + (ONE - share) * passed
            out[row, i] = (mixed + HALF) >> BITS
