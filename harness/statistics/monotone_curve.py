"""Isotonic regression of accuracy on bits: deviations of each intervention from it.

On each data set a non-increasing curve is fitted to the points of all other interventions;
an intervention's residuals from that curve are what bits do not predict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.statistics.block import Floats, Labels
from harness.statistics.estimate import mean_of
from harness.statistics.intervals import TAIL

MIN_POINTS = 3
"""Points that make a curve, and values that a t interval rests on, at least."""
Unit = Literal["data sets", "draws", "networks", ""]
Word = Literal["suffice", "do not suffice", "undecided"]


@dataclass(frozen=True, kw_only=True)
class Points:
    """One point per network, data set and draw.

    Attributes:
        bits: shape (n,), bits per byte.
        accuracy: shape (n,).
        intervention, dataset, draw: shape (n,), numbers.
    """

    bits: Floats
    accuracy: Floats
    intervention: Labels
    dataset: Labels
    draw: Labels

    def take(self, rows: Labels) -> Points:
        """Return the points of these rows."""
        return Points(
            bits=self.bits[rows],
            accuracy=self.accuracy[rows],
            intervention=self.intervention[rows],
            dataset=self.dataset[rows],
            draw=self.draw[rows],
        )


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """Mean residual of an intervention from the curve of the others, in accuracy.

    Attributes:
        value: mean over its points inside the others' range of bits, data sets alike; nan
            below three points.
        ci_low, ci_high: Student's t, simultaneous over interventions (Bonferroni); nan where
            there are fewer than three of the unit.
        n: such points.
        unit: things over which the interval speaks: data sets where there are three or
            more, else draws on these data sets, else networks in this draw.
    """

    intervention: int
    value: float
    ci_low: float
    ci_high: float
    n: int
    unit: Unit = ""


def isotonic_fit(bits: Floats, accuracy: Floats) -> tuple[Floats, Floats]:
    """Return the non-increasing least-squares fit: distinct bits, sorted, and its values.

    Equal bits are one place, weighted by its points.
    """
    from scipy.optimize import isotonic_regression

    places, which = np.unique(bits, return_inverse=True)
    weights = np.bincount(which)
    means = np.bincount(which, weights=accuracy) / weights
    return places, isotonic_regression(means, weights=weights, increasing=False).x


def deviations(points: Points) -> list[Deviation]:
    """Return the deviation of each intervention from the curve of the others."""
    kinds = np.unique(points.intervention)
    # Bonferroni: all intervals hold at once.
    tail = TAIL / max(len(kinds), 1)
    return [_deviation(points, int(kind), tail) for kind in kinds]


def _deviation(points: Points, kind: int, tail: float) -> Deviation:
    by_run = _residuals(points, kind)
    residuals = np.concatenate([np.empty(0), *by_run.values()])
    if len(residuals) < MIN_POINTS:
        nothing = math.nan
        return Deviation(
            intervention=kind,
            value=nothing,
            ci_low=nothing,
            ci_high=nothing,
            n=len(residuals),
        )
    unit, values = _units(by_run)
    estimate = mean_of(values, tail)
    return Deviation(
        intervention=kind,
        value=estimate.value,
        ci_low=estimate.ci_low,
        ci_high=estimate.ci_high,
        n=len(residuals),
        unit=unit,
    )


def _units(by_run: Mapping[tuple[int, int], Floats]) -> tuple[Unit, Floats]:
    """Return the widest unit with three values or more, and its mean residuals.

    A percentile bootstrap of three points covers .75 where .99 was meant; Student's t of
    independent means holds with few.
    """
    runs = {run: float(residuals.mean()) for run, residuals in by_run.items()}
    by_dataset: dict[int, list[float]] = {}
    for (dataset, _), mean in runs.items():
        by_dataset.setdefault(dataset, []).append(mean)
    of_datasets = np.array([np.mean(means) for means in by_dataset.values()])
    if len(of_datasets) >= MIN_POINTS:
        return "data sets", of_datasets
    # Two data sets are no sample of data sets: the interval is given these.
    draws = sorted({draw for _, draw in runs})
    if len(draws) >= MIN_POINTS:
        of_draws = [
            np.mean([mean for (_, other), mean in runs.items() if other == draw])
            for draw in draws
        ]
        return "draws", np.array(of_draws)
    return "networks", np.concatenate([*by_run.values()])


def _residuals(points: Points, kind: int) -> dict[tuple[int, int], Floats]:
    """Return accuracy less the others' curve, inside their range of bits, by run.

    A run is a data set and a draw; those without such a point are left out.
    """
    by_run: dict[tuple[int, int], Floats] = {}
    runs = sorted(set(zip(points.dataset.tolist(), points.draw.tolist(), strict=True)))
    for dataset, draw in runs:
        is_here = (points.dataset == dataset) & (points.draw == draw)
        here = points.take(np.flatnonzero(is_here))
        is_kind = here.intervention == kind
        # Two points or fewer make no curve to compare with.
        if (~is_kind).sum() < MIN_POINTS:
            continue
        places, values = isotonic_fit(here.bits[~is_kind], here.accuracy[~is_kind])
        # Beyond the others' bits the curve would be extrapolated.
        inside = is_kind & (here.bits >= places[0]) & (here.bits <= places[-1])
        if inside.any():
            predicted = np.interp(here.bits[inside], places, values)
            by_run[dataset, draw] = here.accuracy[inside] - predicted
    return by_run


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
