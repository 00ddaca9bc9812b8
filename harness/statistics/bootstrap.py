"""Two-way bootstrap: families and data sets resampled at once (Owen 2007).

A block may come in several replicates, such as one per draw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from harness.statistics.block import Block, Floats, Labels, comparisons
from harness.statistics.intervals import (
    N_RESAMPLES,
    NO_INTERVAL,
    TAIL,
    Interval,
    percentile_interval,
)


@dataclass(frozen=True, kw_only=True)
class Replicates:
    """Blocks that repeat one, such as in other draws.

    Attributes:
        rate, metric: shape (K, n, D).
        family: shape (n,).
        near_tie: of all blocks.
    """

    rate: Floats
    metric: Floats
    family: Labels
    near_tie: float = 0.0

    @classmethod
    def of(cls, block: Block) -> Replicates:
        """Return the block itself as the only replicate."""
        return cls(
            rate=block.rate[None],
            metric=block.metric[None],
            family=block.family,
            near_tie=block.near_tie,
        )

    def block(self, k: int) -> Block:
        """Return replicate k."""
        return Block(
            rate=self.rate[k],
            metric=self.metric[k],
            family=self.family,
            near_tie=self.near_tie,
        )


def two_way_interval(
    replicates: Replicates, rng: np.random.Generator, n_resamples: int = N_RESAMPLES
) -> Interval:
    """Return the interval, 95 %, of the mean over data sets of Spearman inside each.

    Every resample draws a replicate, as many families as there are (a family with all its
    members), and as many data sets. A family drawn twice counts twice. Resamples of a
    single family are drawn again: they tell nothing of other families.

    Ends are percentiles, moved outwards by sqrt(F / (F - 1)) for the small number F of
    families (Hesterberg 2015, "What teachers should know about the bootstrap"). The
    simulations of tests/statistics/test_power.py show what the interval then covers.

    Ends are nan where no resample differs from another on a single data set.
    """
    n_replicates = len(replicates.rate)
    # Resamples are spread evenly over the replicates.
    shares = np.full(n_replicates, n_resamples // n_replicates)
    shares[: n_resamples % n_replicates] += 1
    resamples = np.concatenate(
        [
            _resampled(replicates.block(k), int(share), rng)
            for k, share in enumerate(shares)
            if share
        ]
    )
    # Over data sets, resamples that agree are agreement; on one they are no resamples.
    if replicates.rate.shape[2] == 1 and np.ptp(resamples) < 1e-12:
        return NO_INTERVAL
    return percentile_interval(resamples, _tail(len(np.bincount(replicates.family))))


def _tail(n_families: int) -> float:
    """Return the share of resamples beyond each end, smaller the fewer the families."""
    from scipy.stats import norm

    outwards = math.sqrt(n_families / max(n_families - 1, 1))
    return float(norm.sf(norm.isf(TAIL) * outwards))


def _resampled(block: Block, m: int, rng: np.random.Generator) -> Floats:
    """Return the statistic of m resamples of families and data sets: (m,)."""
    families = family_counts(block.n_families, m, rng)
    n_datasets = block.rate.shape[1]
    shares = rng.multinomial(n_datasets, np.full(n_datasets, 1 / n_datasets), m)
    correlations = weighted_spearman(block, families[:, block.family])
    statistics: Floats = (correlations * shares).sum(axis=1) / n_datasets
    return statistics


def family_counts(n: int, m: int, rng: np.random.Generator) -> Labels:
    """Return how often m resamples hold each of n families, two of them at least."""
    counts = rng.multinomial(n, np.full(n, 1 / n), m)
    # A resample of a single family has no correlation between families.
    while n > 1 and (single := (counts > 0).sum(axis=1) < 2).any():
        counts[single] = rng.multinomial(n, np.full(n, 1 / n), int(single.sum()))
    return counts


def weighted_spearman(block: Block, weights: Labels) -> Floats:
    """Return Spearman's correlation of each data set, rows repeated by weight.

    Args:
        block: of n compressors and D data sets.
        weights: shape (m, n), how often each of m resamples holds each row.

    Returns:
        Shape (m, D); 0 where all tie.
    """
    w = weights.astype(np.float64)
    half = w.sum(axis=1)[None, :, None] / 2
    # A weighted sum of comparisons is the rank among the repeated rows: (D, m, n).
    pairs = comparisons(block.rate, block.near_tie), comparisons(block.metric)
    a, b = (w @ np.swapaxes(above, 1, 2) - half for above in pairs)
    xy, xx, yy = ((w * a * b).sum(-1), (w * a * a).sum(-1), (w * b * b).sum(-1))
    return _ratio(xy.T, (xx * yy).T)


def _ratio(products: Floats, squares: Floats) -> Floats:
    scale = np.sqrt(np.clip(squares, 0, None))
    correlations: Floats = products / np.where(scale > 1e-9, scale, np.inf)
    return correlations
