"""Block of a preregistered test, and the rank correlations of a complete one.

A block has one row per compressor and one column per data set. Correlations are taken
inside each data set and averaged: pooled cells would measure how hard the data sets are.
Correlations inside families are in `cells`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
MIN_COMPRESSORS = 3
"""Rows of a block below which its correlations say nothing."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Two numbers for every compressor on every data set.

    Attributes:
        rate: shape (n, D), minus bits per byte: higher is better, like the metric.
        metric: shape (n, D), such as balanced accuracies; nan, like the rate, in a cell that
            is missing. This module wants complete blocks.
        family: shape (n,), from 0 to n_families - 1, each at least once.
        near_tie: relative difference of two rates below which they tie.

    Simulations stack blocks of one layout: rates and metrics then have an axis in front.
    """

    rate: Floats
    metric: Floats
    family: Labels
    near_tie: float = 0.0

    @property
    def sizes(self) -> Labels:
        """Members of each family: (n_families,)."""
        return np.bincount(self.family)

    @property
    def n_families(self) -> int:
        """Number of families."""
        return len(self.sizes)

    def take(self, rows: Labels) -> Block:
        """Return the block of these compressors, families numbered anew."""
        _, family = np.unique(self.family[rows], return_inverse=True)
        return replace(
            self, rate=self.rate[rows], metric=self.metric[rows], family=family
        )

    def on(self, columns: Labels) -> Block:
        """Return the block on these data sets."""
        return replace(self, rate=self.rate[:, columns], metric=self.metric[:, columns])

    def with_rate(self, values: Floats) -> Block:
        """Return the block with another predictor in place of the rate, exact ties alone."""
        return replace(self, rate=values, near_tie=0.0)

    def grouped(self, unit_of_family: Sequence[int]) -> Block:
        """Return the block with units of several families in place of families.

        Args:
            unit_of_family: the unit of each family, from 0, none left out.
        """
        return replace(self, family=np.array(unit_of_family, np.int64)[self.family])


def comparisons(values: Floats, near_tie: float = 0.0) -> Floats:
    """Return, per data set, whether i lies above j (1), level (1/2) or below (0).

    Args:
        values: shape (..., n, D).
        near_tie: relative difference below which two values are level.

    Returns:
        Shape (..., D, n, n); a row's weighted sum is its weighted rank, up to a constant.
    """
    by_dataset = np.swapaxes(values, -1, -2)
    a, b = by_dataset[..., :, None], by_dataset[..., None, :]
    above: Floats = (a > b) + 0.5 * (a == b)
    if near_tie:
        is_near = np.abs(a - b) < near_tie * np.maximum(np.abs(a), np.abs(b))
        above[is_near] = 0.5
    return above


def ranks(values: Floats) -> Floats:
    """Return ranks inside each data set about their mean, ties sharing theirs: (..., n, D)."""
    from scipy.stats import rankdata

    ranked = rankdata(values, axis=-2)
    centred: Floats = ranked - ranked.mean(axis=-2, keepdims=True)
    return centred


def rate_ranks(rate: Floats, near_tie: float) -> Floats:
    """Return ranks of rates about their mean, near-ties as ties: (..., n, D).

    A rate's rank is half the number of rates below it less half of those above. Near-ties
    are no equivalence: of three rates the outer two may differ where each ties with the
    middle one.
    """
    if not near_tie:
        return ranks(rate)
    summed = comparisons(rate, near_tie).sum(axis=-1) - rate.shape[-2] / 2
    return np.swapaxes(summed, -1, -2)


def unit(columns: Floats) -> Floats:
    """Return columns about zero scaled to length 1; one that is constant becomes 0."""
    norm = np.sqrt((columns**2).sum(axis=-2, keepdims=True))
    scaled: Floats = columns / np.where(norm > 1e-12, norm, np.inf)
    return scaled


def spearman_by_dataset(block: Block) -> Floats:
    """Return Spearman's correlation inside each data set, 0 where all tie: (D,)."""
    return _correlations(*compressor_ranks(block))


def overall(block: Block) -> float:
    """Return the preregistered statistic: the mean over data sets of Spearman inside each."""
    return float(_correlations(*compressor_ranks(block)).mean())


def between(block: Block) -> float:
    """Return the same of family means: of each family's mean rank in each data set."""
    return float(_correlations(*family_ranks(block)).mean())


def compressor_ranks(block: Block) -> tuple[Floats, Floats]:
    """Return unit ranks of rate and metric: two of (..., n, D)."""
    return unit(rate_ranks(block.rate, block.near_tie)), unit(ranks(block.metric))


def family_ranks(block: Block) -> tuple[Floats, Floats]:
    """Return unit ranks of families by their mean ranks: two of (..., n_families, D)."""
    both = rate_ranks(block.rate, block.near_tie), ranks(block.metric)
    x, y = (unit(ranks(family_means(ranked, block.family))) for ranked in both)
    return x, y


def family_means(values: Floats, family: Labels) -> Floats:
    """Return the mean over members of a family: (..., n, D) -> (..., n_families, D)."""
    members = np.eye(family.max() + 1)[family]  # (n, n_families)
    means: Floats = (members.T @ values) / members.sum(axis=0)[:, None]
    # Sums in another order must not separate families whose means tie.
    return np.round(means, 9)


def about_family(values: Floats, family: Labels) -> Floats:
    """Return values less the mean of their family: (..., n, D)."""
    centred: Floats = values - family_means(values, family)[..., family, :]
    # What rounding leaves of a tie is a tie.
    return np.where(np.abs(centred) < 1e-8, 0.0, centred)


def _correlations(x: Floats, y: Floats) -> Floats:
    products: Floats = (x * y).sum(axis=-2)
    return products


def kendall(block: Block) -> float:
    """Return the mean over data sets of Kendall's tau-b inside each (Kendall 1945)."""
    # (D, n, n), signs of differences.
    x = 2 * comparisons(block.rate, block.near_tie) - 1
    y = 2 * comparisons(block.metric) - 1
    scale = np.sqrt((x**2).sum(axis=(1, 2)) * (y**2).sum(axis=(1, 2)))
    tau = (x * y).sum(axis=(1, 2)) / np.where(scale > 0, scale, np.inf)
    return float(tau.mean())


def partial(block: Block, covariate: Floats) -> float:
    """Return the mean over data sets of Spearman's partial correlation.

    (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)) on ranks.

    Args:
        block: rates and metrics.
        covariate: shape (n, D), such as log compute; only its ranks count.
    """
    x, y = compressor_ranks(block)
    z = unit(ranks(covariate))
    xy, xz, yz = ((a * b).sum(axis=0) for a, b in ((x, y), (x, z), (y, z)))
    # Where the covariate explains all, nothing remains to correlate: 0.
    unexplained = np.minimum(1 - xz**2, 1 - yz**2)
    is_defined = unexplained > 1e-9
    scale = np.sqrt((1 - xz**2) * (1 - yz**2), where=is_defined, out=np.inf + xy)
    correlations = (xy - xz * yz) / scale
    return float(correlations.mean())
