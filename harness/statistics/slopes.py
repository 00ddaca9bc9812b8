"""Slopes of the metric on the rate: inside each family, inside all, between families."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.statistics.block import Block, Floats, about_family, family_means
from harness.statistics.intervals import N_RESAMPLES, NO_INTERVAL, percentile_interval


@dataclass(frozen=True, kw_only=True)
class Slope:
    """Gain of the metric per bit per byte saved.

    Attributes:
        family: its number; None where it is of all families.
        kind: "family", "within" or "between".
        value: least squares, each data set about its means; nan where rates tie.
        ci_low, ci_high: data sets resampled (and families where there are several); nan
            where resampling cannot move the slope, as that of one family on one data set.
        n: points on a data set.
    """

    family: int | None
    kind: str
    value: float
    ci_low: float
    ci_high: float
    n: int


def slopes(block: Block, rng: np.random.Generator) -> list[Slope]:
    """Return the slope inside each family of two or more, inside all, and between."""
    x, y = (about_family(v, block.family) for v in (block.rate, block.metric))
    results = []
    for family in np.flatnonzero(block.sizes > 1):
        rows = block.family == family
        # One family is one cluster: only data sets can be resampled.
        sums = _sums(x[rows], y[rows], np.zeros(rows.sum(), np.int64))
        results.append(_slope("family", sums, rng, family=int(family), n=rows.sum()))
    within = _sums(x, y, block.family)
    results.append(_slope("within", within, rng, n=len(x)))
    means = [family_means(v, block.family) for v in (block.rate, block.metric)]
    a, b = (mean - mean.mean(axis=0) for mean in means)
    between = _sums(a, b, np.arange(block.n_families))
    results.append(_slope("between", between, rng, n=block.n_families))
    return results


def _slope(
    kind: str,
    sums: tuple[Floats, Floats],
    rng: np.random.Generator,
    *,
    n: int,
    family: int | None = None,
) -> Slope:
    value, low, high = _estimate(*sums, rng)
    return Slope(
        family=family, kind=kind, value=value, ci_low=low, ci_high=high, n=int(n)
    )


def _sums(x: Floats, y: Floats, cluster: np.ndarray) -> tuple[Floats, Floats]:
    """Return sums of xy and xx by cluster and data set: two of (n_clusters, D)."""
    members = np.eye(cluster.max() + 1)[cluster].T
    return members @ (x * y), members @ (x * x)


def _estimate(
    products: Floats, squares: Floats, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Return the slope and both ends, clusters and data sets resampled."""
    if squares.sum() < 1e-12:
        return math.nan, math.nan, math.nan
    n, n_datasets = products.shape
    # Whole clusters and whole data sets: their members are not independent.
    rows = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES)
    columns = rng.multinomial(
        n_datasets, np.full(n_datasets, 1 / n_datasets), N_RESAMPLES
    )
    xy, xx = (((rows @ sums) * columns).sum(axis=1) for sums in (products, squares))
    # A resample in which all rates tie has no slope.
    replicates = xy[xx > 1e-12] / xx[xx > 1e-12]
    value = float(products.sum() / squares.sum())
    # Where resampling changes nothing, an interval of no width would claim certainty.
    if np.ptp(replicates) <= 1e-9 * abs(value):
        return value, *NO_INTERVAL
    return value, *percentile_interval(replicates)
