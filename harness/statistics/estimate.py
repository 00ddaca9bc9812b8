"""Estimate: a number with its interval and test, and Student's way to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.intervals import TAIL

Floats = NDArray[np.float64]
NO_VARIANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Statistic with its interval, 95 %, and its test; nan where there is none.

    Attributes:
        half_width: of the interval before it was cut to what the statistic can be.
        p: two-sided, of a value of 0.
        freedom: degrees of freedom behind the interval.
    """

    value: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    half_width: float = math.nan
    p: float = math.nan
    freedom: float = math.nan

    def within(self, low: float, high: float) -> Estimate:
        """Return the same with the ends of the interval cut to what is possible."""
        return Estimate(
            value=self.value,
            ci_low=max(self.ci_low, low),
            ci_high=min(self.ci_high, high),
            half_width=self.half_width,
            p=self.p,
            freedom=self.freedom,
        )


NO_ESTIMATE = Estimate()


def student(
    value: float, variance: float, freedom: float, tail: float = TAIL
) -> Estimate:
    """Return the estimate of a mean by Student's t (Student 1908).

    Args:
        value: the mean.
        variance: of the mean; without one there is neither interval nor p.
        freedom: its degrees of freedom.
        tail: share beyond each end of the interval.
    """
    if not variance > NO_VARIANCE or not freedom > 0:
        return Estimate(value=value)
    from scipy.special import stdtr, stdtrit

    error = math.sqrt(variance)
    half_width = float(stdtrit(freedom, 1 - tail)) * error
    return Estimate(
        value=value,
        ci_low=value - half_width,
        ci_high=value + half_width,
        half_width=half_width,
        p=float(2 * stdtr(freedom, -abs(value) / error)),
        freedom=freedom,
    )


def mean_of(values: Floats, tail: float = TAIL) -> Estimate:
    """Return the mean of independent values by Student's t; without interval below two.

    Args:
        values: shape (n,), such as one correlation per data set.
        tail: share beyond each end of the interval.
    """
    n = len(values)
    if not n:
        return Estimate()
    variance = float(values.var(ddof=1)) / n if n > 1 else 0.0
    return student(float(values.mean()), variance, n - 1, tail)
