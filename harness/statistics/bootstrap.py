"""Two-way bootstrap: families and data sets resampled at once (Owen 2007).

The inner level is passed in as replicates of the block: each is one resample of the test
samples, shared by all compressors, and of the draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.statistics.block import (
    Block,
    Floats,
    Labels,
    about_family,
    comparisons,
    family_means,
    ranks,
)
from harness.statistics.intervals import (
    N_RESAMPLES,
    NO_INTERVAL,
    TAIL,
    Interval,
    percentile_interval,
)

ALWAYS_ONE = 2
"""Families whose mean ranks correlate by +1 or -1 whatever the truth."""


@dataclass(frozen=True, kw_only=True)
class Replicates:
    """Blocks that repeat one, each with other test samples and draws.

    Attributes:
        rate, metric: shape (K, n, D).
        family: shape (n,).
    """

    rate: Floats
    metric: Floats
    family: Labels

    @classmethod
    def of(cls, block: Block) -> Replicates:
        """Return the block itself as the only replicate."""
        return cls(
            rate=block.rate[None], metric=block.metric[None], family=block.family
        )

    def block(self, k: int) -> Block:
        """Return replicate k."""
        return Block(rate=self.rate[k], metric=self.metric[k], family=self.family)


def two_way_intervals(
    replicates: Replicates, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> Mapping[str, Interval]:
    """Return intervals, 95 %, of "overall", "between" and "within".

    Every resample draws a replicate, as many families as there are (a family with all its
    members), and as many data sets. A family drawn twice counts twice. Resamples of a
    single family are drawn again: they have no correlation between families.

    Ends are percentiles, moved outwards for the small number F of families (Hesterberg
    2015, "What teachers should know about the bootstrap"): "overall" by sqrt(F / (F - 1)),
    "within" by the t quantile of F - 1 in place of the normal one, F its families of two
    or more. Ranks of families are conservative as they are. The simulations of
    tests/statistics/test_power.py show what the intervals then cover.

    Ends are nan where there is nothing to tell them from: between fewer than three
    families, and where on a single data set no resample differs from another.
    """
    n_replicates = len(replicates.rate)
    # Resamples are spread evenly over the replicates.
    shares = np.full(n_replicates, n_resamples // n_replicates)
    shares[: n_resamples % n_replicates] += 1
    resamples: dict[str, list[Floats]] = {"overall": [], "between": [], "within": []}
    for k, share in enumerate(shares):
        if share:
            statistics = _resampled(replicates.block(k), int(share), rng)
            for name, values in statistics.items():
                resamples[name].append(values)
    sizes, n_datasets = np.bincount(replicates.family), replicates.rate.shape[2]
    tails = _tails(sizes)
    intervals = {
        name: _defined_interval(np.concatenate(values), tails[name], n_datasets)
        for name, values in resamples.items()
    }
    if len(sizes) <= ALWAYS_ONE:
        intervals["between"] = NO_INTERVAL
    return intervals


def _defined_interval(resamples: Floats, tail: float, n_datasets: int) -> Interval:
    # Over data sets, resamples that agree are agreement; on one they are no resamples.
    if n_datasets == 1 and np.ptp(resamples) < 1e-12:
        return NO_INTERVAL
    return percentile_interval(resamples, tail)


def _tails(sizes: Labels) -> dict[str, float]:
    """Return the share of resamples beyond each end, smaller the fewer the families."""
    from scipy.stats import norm, t

    z = norm.isf(TAIL)
    n, n_within = len(sizes), int((sizes > 1).sum())
    return {
        "overall": float(norm.sf(z * math.sqrt(n / max(n - 1, 1)))),
        "between": TAIL,
        "within": float(norm.sf(t.isf(TAIL, max(n_within - 1, 1)))),
    }


def _resampled(block: Block, m: int, rng: np.random.Generator) -> dict[str, Floats]:
    families = family_counts(block.n_families, m, rng)
    n_datasets = block.rate.shape[1]
    shares = rng.multinomial(n_datasets, np.full(n_datasets, 1 / n_datasets), m)
    by_dataset = {
        "overall": _overall(block, families),
        "between": _between(block, families),
        "within": _within(block, families),
    }
    return {
        name: (correlations * shares).sum(axis=1) / n_datasets
        for name, correlations in by_dataset.items()
    }


def family_counts(n: int, m: int, rng: np.random.Generator) -> Labels:
    """Return how often m resamples hold each of n families, two of them at least."""
    counts = rng.multinomial(n, np.full(n, 1 / n), m)
    # A resample of a single family has no correlation between families.
    while n > 1 and (single := (counts > 0).sum(axis=1) < 2).any():
        counts[single] = rng.multinomial(n, np.full(n, 1 / n), int(single.sum()))
    return counts


def _overall(block: Block, families: Labels) -> Floats:
    weights = families[:, block.family]
    return weighted_spearman(block.rate, block.metric, weights)


def _between(block: Block, families: Labels) -> Floats:
    x, y = (family_means(ranks(v), block.family) for v in (block.rate, block.metric))
    return weighted_spearman(x, y, families)


def _within(block: Block, families: Labels) -> Floats:
    """Return (m, D): sums over families of the products of ranks about the family's mean."""
    x, y = (about_family(ranks(v), block.family) for v in (block.rate, block.metric))
    members = np.eye(block.n_families)[block.family]  # (n, n_families)
    xy, xx, yy = (families @ (members.T @ product) for product in (x * y, x * x, y * y))
    return _ratio(xy, xx * yy)


def weighted_spearman(x: Floats, y: Floats, weights: Labels) -> Floats:
    """Return Spearman's correlation of each data set, rows repeated by weight.

    Args:
        x: shape (n, D).
        y: shape (n, D).
        weights: shape (m, n), how often each of m resamples holds each row.

    Returns:
        Shape (m, D); 0 where all tie.
    """
    w = weights.astype(np.float64)
    n = w.sum(axis=1)  # (m,)
    a, b = (_weighted_ranks(values, w, n) for values in (x, y))  # (D, m, n)
    xy, xx, yy = ((w * a * b).sum(-1), (w * a * a).sum(-1), (w * b * b).sum(-1))
    return _ratio(xy.T, (xx * yy).T)


def _weighted_ranks(values: Floats, weights: Floats, n: Floats) -> Floats:
    """Return ranks about their mean among repeated rows: (D, m, n)."""
    # A weighted sum of comparisons is the rank among the repeated rows.
    summed: Floats = weights @ np.swapaxes(comparisons(values), 1, 2)
    return summed - n[None, :, None] / 2


def _ratio(products: Floats, squares: Floats) -> Floats:
    scale = np.sqrt(np.clip(squares, 0, None))
    correlations: Floats = products / np.where(scale > 1e-9, scale, np.inf)
    return correlations
