"""Quantisation of float weights to integers whose sums are exact in any order; numpy only.

A float32 holds every integer below 2**24. Where |activations| <= limit and
limit * (sum of |weights| of a row) < 2**24, no partial sum of a row, in whatever order, is
rounded: the matmul is integer arithmetic, whatever kernel carries it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_EXACT = (1 << 24) - 1
WIDEST_ACTIVATION = 1 << 20

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """A matrix as integers, scaled by row.

    Attributes:
        integers: shape (n_out, n_in), int8 or int16.
        scales: shape (n_out,), float64; weights = integers * scales[:, None].
        limit: the largest |activation| for which every float32 sum is exact.
    """

    integers: NDArray[Any]
    scales: Floats
    limit: int


def quantise_rows(weights: NDArray[Any], *, bits: int = 8) -> Quantised:
    """Return weights (n_out, n_in) rounded to signed integers of so many bits."""
    weights = np.asarray(weights, np.float64)
    top = (1 << (bits - 1)) - 1
    peaks = np.abs(weights).max(axis=1)  # (n_out,)
    # A row of zeros has no scale of its own; any will do.
    scales = np.where(peaks > 0, peaks, 1.0) / top
    integers = np.rint(weights / scales[:, None]).astype(
        np.int8 if bits <= 8 else np.int16
    )
    return Quantised(integers=integers, scales=scales, limit=activation_limit(integers))


def activation_limit(integers: NDArray[Any]) -> int:
    """Return the largest |activation| that keeps the sums of these rows below 2**24."""
    # The worst case: every activation at its limit, with the sign of its weight.
    largest = int(np.abs(integers.astype(np.int64)).sum(axis=1).max(initial=1))
    return min(LARGEST_EXACT // max(largest, 1), WIDEST_ACTIVATION)


def dequantise(integers: NDArray[Any], scales: NDArray[Any]) -> NDArray[np.float32]:
    """Return the float weights (n_out, n_in) that integers and row scales stand for."""
    return (integers * np.asarray(scales, np.float64)[:, None]).astype(np.float32)
