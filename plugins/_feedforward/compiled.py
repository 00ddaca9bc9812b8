"""Compiled units and reads: int16 values in units of largest/ONE (see `Architecture`)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled
from .._torch.sums import Curves

Array = NDArray[Any]

# Not imported: numba's cache of this file would keep the old value of another file.
BITS = 15
TOP = (1 << BITS) - 1
I4 = np.int32


@compiled
def collect(
    out: Array, values: Array, ends: tuple[int, int], distances: Array, inside: Array
) -> None:
    """Write what the last k steps of m streams read of a layer, 0 outside.

    Args:
        out: shape (k, m, K, d), int16, written.
        values: shape (room, at least m, d), int16, the layer's values by step.
        ends: rows of `values` in use, and the steps before the first of the k.
        distances: shape (K,), how many steps back each read lies.
        inside: shape (n_places or 1, K), False where a read is 0.
    """
    n_steps, n_streams, n_reads, width = out.shape
    n_held, n_read = ends
    for step in range(n_steps):
        # After the last place of an image comes the first one of the next.
        place = (n_read + step) % len(inside)
        for j in range(n_reads):
            at = n_held - n_steps + step - distances[j]
            for stream in range(n_streams):
                target = out[step, stream, j]
                if inside[place, j]:
                    source = values[at, stream]
                    for i in range(width):
                        target[i] = source[i]
                else:
                    target[:] = 0


@compiled
def tanh_units(out: Array, sums: Array, tanh: Array) -> None:
    """Write tanh of the sums.

    Args:
        out: shape (n, d), int16, written.
        sums: shape (n, d), int32, in the units of the table.
        tanh: table in units of 1/ONE, 0 in the middle; what lies outside is its end.
    """
    middle = len(tanh) // 2
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = tanh[min(max(sums[row, i], -middle), middle) + middle]


@compiled
def gated_units(
    out: Array, sums: Array, below: Array, shift: int, curves: Curves
) -> None:
    """Write the layer below plus the candidates, weighed by their gates.

    Args:
        out: shape (n, d), int16, written, in units of 2**shift/ONE.
        sums: shape (n, 2 d), int32: of candidates, then of gates.
        below: shape (n, d), int16, in the units of `out`; of no rows: 0.
        shift: binary logarithm of the bound of the values.
        curves: tables of sigmoid and tanh in units of 1/ONE, 0 in the middle.
    """
    sigmoid, tanh = curves
    d, middle = out.shape[1], len(tanh) // 2
    half = I4(1) << (BITS + shift - 1)
    for row in range(len(out)):
        for i in range(d):
            new = tanh[min(max(sums[row, i], -middle), middle) + middle]
            share = sigmoid[min(max(sums[row, d + i], -middle), middle) + middle]
            # Below 2**30 + 2**18 in size: no overflow.
            total = (share * new + half) >> (BITS + shift)
            if len(below):
                total += I4(below[row, i])
            # As many layers as the bound, all saturated, could pass it by rounding.
            out[row, i] = min(max(total, -TOP), TOP)
