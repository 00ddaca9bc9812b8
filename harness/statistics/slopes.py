"""Slopes of the metric on the rate: inside each family, inside all, between families."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.statistics.block import Block, Floats, about_family, family_means
from harness.statistics.bootstrap import ends

N_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Slope:
    """Gain of the metric per bit per byte saved.

    Attributes:
        family: its number; None where it is of all families.
        kind: "family", "within" or "between".
        value: least squares, each data set about its own means; nan where rates tie.
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
    found = []
    for family in np.flatnonzero(block.sizes > 1):
        rows = block.family == family
        products, squares = _sums(x[rows], y[rows], np.zeros(rows.sum(), np.int64))
        value, low, high = _estimate(products, squares, rng)
        found.append(
            Slope(
                family=int(family),
                kind="family",
                value=value,
                ci_low=low,
                ci_high=high,
                n=int(rows.sum()),
            )
        )
    within = _estimate(*_sums(x, y, block.family), rng)
    means = [family_means(v, block.family) for v in (block.rate, block.metric)]
    a, b = (mean - mean.mean(axis=0) for mean in means)
    between = _estimate(*_sums(a, b, np.arange(block.n_families)), rng)
    for kind, estimate, n in (
        ("within", within, len(x)),
        ("between", between, block.n_families),
    ):
        value, low, high = estimate
        found.append(
            Slope(family=None, kind=kind, value=value, ci_low=low, ci_high=high, n=n)
        )
    return found


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
    rows = rng.multinomial(n, np.full(n, 1 / n), N_RESAMPLES)
    columns = rng.multinomial(
        n_datasets, np.full(n_datasets, 1 / n_datasets), N_RESAMPLES
    )
    xy, xx = (((rows @ sums) * columns).sum(axis=1) for sums in (products, squares))
    drawn = xy[xx > 1e-12] / xx[xx > 1e-12]
    value = float(products.sum() / squares.sum())
    if np.ptp(drawn) <= 1e-9 * abs(value):
        return value, math.nan, math.nan
    return value, *ends(drawn)
