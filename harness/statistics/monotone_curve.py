"""Isotonic regression of accuracy on bits: deviations of each intervention from it.

On each data set a non-increasing curve is fitted to the points of all other interventions;
an intervention's residuals from that curve are what bits do not predict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.statistics.block import Floats, Labels
from harness.statistics.intervals import N_RESAMPLES, TAIL, percentile_interval

MIN_POINTS = 3
Word = Literal["suffice", "do not suffice", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Points:
    """One point per network and data set.

    Attributes:
        bits: shape (n,), bits per byte.
        accuracy: shape (n,).
        intervention, dataset: shape (n,), numbers.
    """

    bits: Floats
    accuracy: Floats
    intervention: Labels
    dataset: Labels

    def take(self, rows: Labels) -> Points:
        """Return the points of these rows."""
        return Points(
            bits=self.bits[rows],
            accuracy=self.accuracy[rows],
            intervention=self.intervention[rows],
            dataset=self.dataset[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """Mean residual of an intervention from the curve of the others, in accuracy.

    Attributes:
        value: mean over its points inside the others' range of bits; nan below three.
        ci_low, ci_high: points resampled, simultaneous over interventions (Bonferroni).
        n: such points.
    """

    intervention: int
    value: float
    ci_low: float
    ci_high: float
    n: int


def isotonic_fit(bits: Floats, accuracy: Floats) -> tuple[Floats, Floats]:
    """Return the non-increasing least-squares fit: distinct bits, sorted, and its values.

    Equal bits are one place, weighted by its points.
    """
    from scipy.optimize import isotonic_regression

    places, which = np.unique(bits, return_inverse=True)
    weights = np.bincount(which)
    means = np.bincount(which, weights=accuracy) / weights
    return places, isotonic_regression(means, weights=weights, increasing=False).x


def deviations(points: Points, rng: np.random.Generator) -> list[Deviation]:
    """Return the deviation of each intervention from the curve of the others."""
    kinds = np.unique(points.intervention)
    # Bonferroni: all intervals hold at once.
    tail = TAIL / max(len(kinds), 1)
    results = []
    for kind in kinds:
        residuals = _residuals(points, int(kind))
        n = len(residuals)
        value = low = high = math.nan
        if n >= MIN_POINTS:
            value = float(residuals.mean())
            rows = rng.integers(0, n, (N_RESAMPLES, n))
            low, high = percentile_interval(residuals[rows].mean(axis=1), tail)
        results.append(
            Deviation(
                intervention=int(kind), value=value, ci_low=low, ci_high=high, n=n
            )
        )
    return results


def _residuals(points: Points, kind: int) -> Floats:
    """Return accuracy less the others' curve, inside their range of bits: (n,)."""
    parts = [np.empty(0)]
    for dataset in np.unique(points.dataset):
        here = points.take(np.flatnonzero(points.dataset == dataset))
        is_kind = here.intervention == kind
        # Two points or fewer make no curve to compare with.
        if (~is_kind).sum() < MIN_POINTS:
            continue
        places, values = isotonic_fit(here.bits[~is_kind], here.accuracy[~is_kind])
        # Beyond the others' bits the curve would be extrapolated.
        inside = is_kind & (here.bits >= places[0]) & (here.bits <= places[-1])
        predicted = np.interp(here.bits[inside], places, values)
        parts.append(here.accuracy[inside] - predicted)
    return np.concatenate(parts)


def curve_word(results: Sequence[Deviation], tolerance: float) -> Word:
    """Return whether bits suffice to predict accuracy within a tolerance.

    They suffice where there are two interventions or more and every interval lies inside
    the tolerance; they do not where one lies wholly outside. Otherwise it is undecided.
    """
    if any(d.ci_low > tolerance or d.ci_high < -tolerance for d in results):
        return "do not suffice"
    # An undefined interval lies neither inside nor outside.
    inside = [-tolerance <= d.ci_low and d.ci_high <= tolerance for d in results]
    return "suffice" if len(inside) > 1 and all(inside) else "undecided"
