"""Whether all interventions fall on one curve of accuracy against bits.

On each data set a curve that does not rise with bits is fitted to the points of all other
interventions; how far an intervention's own points lie off it is what bits do not tell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.statistics.block import Floats, Labels
from harness.statistics.bootstrap import TAIL, ends

N_RESAMPLES = 2000
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
    """How far an intervention lies above the curve of the others, in accuracy.

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


def falling_curve(bits: Floats, accuracy: Floats) -> tuple[Floats, Floats]:
    """Return the least-squares curve that does not rise: sorted bits and its values.

    Pools adjacent violators (Ayer et al. 1955); equal bits are one place.
    """
    places, which = np.unique(bits, return_inverse=True)
    counts = np.bincount(which)
    means = np.bincount(which, weights=accuracy) / counts
    pools: list[tuple[float, int, int]] = []  # mean, weight, places
    for mean, count in zip(means.tolist(), counts.tolist(), strict=True):
        pools.append((mean, count, 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (a, m, i), (b, n, j) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n, i + j)]
    values = [value for value, _, n in pools for _ in range(n)]
    return places, np.array(values)


def deviations(points: Points, rng: np.random.Generator) -> list[Deviation]:
    """Return the deviation of each intervention from the curve of the others."""
    kinds = np.unique(points.intervention)
    tail = TAIL / max(len(kinds), 1)
    found = []
    for kind in kinds:
        off = _off_the_curve(points, int(kind))
        if len(off) < MIN_POINTS:
            value = low = high = math.nan
        else:
            value = float(off.mean())
            drawn = off[rng.integers(0, len(off), (N_RESAMPLES, len(off)))].mean(axis=1)
            low, high = ends(drawn, tail)
        found.append(
            Deviation(
                intervention=int(kind),
                value=value,
                ci_low=low,
                ci_high=high,
                n=len(off),
            )
        )
    return found


def _off_the_curve(points: Points, kind: int) -> Floats:
    """Return accuracy less the others' curve, where it can be read off: (n,)."""
    parts = [np.empty(0)]
    for dataset in np.unique(points.dataset):
        here = points.take(np.flatnonzero(points.dataset == dataset))
        own = here.intervention == kind
        if (~own).sum() < MIN_POINTS:
            continue
        places, values = falling_curve(here.bits[~own], here.accuracy[~own])
        inside = own & (here.bits >= places[0]) & (here.bits <= places[-1])
        predicted = np.interp(here.bits[inside], places, values)
        parts.append(here.accuracy[inside] - predicted)
    return np.concatenate(parts)


def curve_word(found: Sequence[Deviation], tolerance: float) -> Word:
    """Return whether bits suffice to predict accuracy within a tolerance.

    Suffice: two interventions or more, and every interval lies inside the tolerance. Do
    not: one lies wholly outside. Otherwise the points do not tell.
    """
    if any(d.ci_low > tolerance or d.ci_high < -tolerance for d in found):
        return "do not suffice"
    inside = [-tolerance <= d.ci_low and d.ci_high <= tolerance for d in found]
    return "suffice" if len(inside) > 1 and all(inside) else "undecided"
