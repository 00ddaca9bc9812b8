"""Tables of nonlinear functions, computed in integers: the same on every machine.

They need not be shipped with a model: Python's integers have no rounding of their own.
A table of f has entries f(i / units), i = first .. last, times `top`, rounded.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LOGIT_UNITS = 1024
"""Logits are integers in units of 1/1024 nat."""
LOGIT_BITS = 22
LOGIT_REACH = 16
"""Symbols more than so many nats below the likeliest get the smallest frequency."""

_BITS = 128
_ONE = 1 << _BITS

Ints = NDArray[np.int64]


@lru_cache(maxsize=32)
def exp_table(*, units: int, last: int, top: int) -> Ints:
    """Return top * exp(-i / units) for i = 0 .. last, read-only."""
    return _frozen([(top * e + _ONE // 2) >> _BITS for e in _powers(units, last)])


def logit_table() -> Ints:
    """Return the exp table that turns integer logits into frequencies."""
    last = LOGIT_REACH * LOGIT_UNITS
    return exp_table(units=LOGIT_UNITS, last=last, top=1 << LOGIT_BITS)


@lru_cache(maxsize=32)
def sigmoid_table(*, units: int, last: int, top: int) -> Ints:
    """Return top / (1 + exp(-i / units)) for i = -last .. last, read-only."""
    right = [_ratio(top * _ONE, _ONE + e) for e in _powers(units, last)]
    return _frozen([top - value for value in right[:0:-1]] + right)


@lru_cache(maxsize=32)
def tanh_table(*, units: int, last: int, top: int) -> Ints:
    """Return top * tanh(i / units) for i = -last .. last, read-only."""
    squares = [(e * e) >> _BITS for e in _powers(units, last)]
    right = [_ratio(top * (_ONE - e), _ONE + e) for e in squares]
    return _frozen([-value for value in right[:0:-1]] + right)


@lru_cache(maxsize=32)
def gelu_table(*, units: int, last: int, top: int) -> Ints:
    """Return top * x * Phi(x), x = i / units, for i = -last .. last, read-only.

    Phi is the normal distribution function (GELU: Hendrycks and Gimpel 2016). Multiply and
    round for another scale; `top` of 2**20 or more leaves room for that.
    """
    normal = list(enumerate(_normal(units, last)))
    right = [_ratio(top * i * phi, units * _ONE) for i, phi in normal]
    negative = [-_ratio(top * i * (_ONE - phi), units * _ONE) for i, phi in normal]
    return _frozen(negative[:0:-1] + right)


def _frozen(values: list[int]) -> Ints:
    table = np.array(values, np.int64)
    table.flags.writeable = False
    return table


def _ratio(numerator: int, denominator: int) -> int:
    # Round half up, without a float.
    return (2 * numerator + denominator) // (2 * denominator)


def _powers(units: int, last: int) -> list[int]:
    """Return exp(-i / units), i = 0 .. last, in units of 2**-128."""
    term, base, k = _ONE, 0, 0
    while term:
        # The alternating series of exp(-1 / units); terms fall until they are 0.
        base += term if k % 2 == 0 else -term
        k += 1
        term //= k * units
    powers = [_ONE]
    for _ in range(last):
        powers.append((powers[-1] * base) >> _BITS)
    return powers


def _normal(units: int, last: int) -> list[int]:
    """Return Phi(i / units), i = 0 .. last, in units of 2**-128.

    Phi(x) = 1/2 + pdf(x) (x + x^3/3 + x^5/(3*5) + ...), all terms positive.
    """
    # exp(-x^2 / 2) = q^(i^2) with q = exp(-1 / (2 units^2)); i^2 grows by 2i + 1.
    q = _powers(2 * units * units, 1)[1]
    density, step, square = _ONE, q, (q * q) >> _BITS
    values = []
    for i in range(last + 1):
        term, total, k = (_ONE * i) // units, 0, 1
        while term:
            total += term
            k += 2
            term = term * i * i // (units * units * k)
        values.append(_ONE // 2 + ((density * total) >> _BITS) * _INVERSE_ROOT // _ONE)
        density, step = (density * step) >> _BITS, (step * square) >> _BITS
    return values


# 1 / sqrt(2 pi) in units of 2**-128.
_INVERSE_ROOT = 0x6621_14CF_50D9_4234_3F2C_F140_2EAE_38BF
