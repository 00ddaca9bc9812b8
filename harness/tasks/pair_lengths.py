"""Code lengths of pairs of texts, and the arithmetic of joint compression.

docs/method.md, joint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SWITCH_BITS = 1.0
"""Cost of the flag that tells a decoder if X is used."""


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Code lengths of n pairs, bits; each field has shape (n,).

    `y_given_x` and `x_given_y` are nan where the compressor has no conditional code.
    """

    n_bytes: Floats
    y: Floats
    x: Floats
    y_given_x: Floats
    x_given_y: Floats
    xy: Floats
    yx: Floats


def savings(lengths: Lengths) -> Floats:
    """Return C(Y) - C(Y|X) of each pair, bits; negative where X does harm."""
    return lengths.y - lengths.y_given_x


def shared(lengths: Lengths, empty_bits: float) -> Floats:
    """Return C(X) + C(Y) - C(XY) - C(empty) of each pair, bits."""
    # Two codes have two overheads and the joint code one: C(empty) makes up for it.
    return lengths.x + lengths.y - lengths.xy - empty_bits


def switched(lengths: Lengths) -> Floats:
    """Return min(C(Y), C(Y|X)) and the bit that says which, of each pair."""
    # An encoder that may ignore X loses no more than the bit that tells so.
    return np.minimum(lengths.y, lengths.y_given_x) + SWITCH_BITS


def regret(lengths: Lengths, bits: Floats) -> Floats:
    """Return the excess of a code of Y given X over C(Y), 0 where there is none."""
    return np.maximum(0.0, bits - lengths.y)


def reversed_lengths(lengths: Lengths) -> Lengths:
    """Return the lengths with X and Y exchanged."""
    return Lengths(
        n_bytes=lengths.n_bytes,
        y=lengths.x,
        x=lengths.y,
        y_given_x=lengths.x_given_y,
        x_given_y=lengths.y_given_x,
        xy=lengths.yx,
        yx=lengths.xy,
    )


def rows_at(lengths: Lengths, where: NDArray[np.int64]) -> Lengths:
    """Return the lengths of the pairs at these indices."""
    return Lengths(**{name: column[where] for name, column in vars(lengths).items()})
