"""Complete block of a preregistered test, and its rank correlations.

A block has one row per compressor and one column per data set. Correlations are taken
inside each data set and averaged: pooled cells would measure how hard the data sets are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
MIN_COMPRESSORS = 3
"""Rows of a block below which its correlations say nothing."""


@dataclass(frozen=True, kw_only=True)
class Block:
    """Two numbers for every compressor on every data set, no cell missing.

    Attributes:
        rate: shape (n, D), minus bits per byte: higher is better, like the metric.
        metric: shape (n, D), such as balanced accuracies.
        family: shape (n,), from 0 to n_families - 1, each at least once.

    Simulations stack blocks of one layout: rates and metrics then have an axis in front.
    """

    rate: Floats
    metric: Floats
    family: Labels

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
        return Block(rate=self.rate[rows], metric=self.metric[rows], family=family)

    def without(self, family: int) -> Block:
        """Return the block without one family."""
        return self.take(np.flatnonzero(self.family != family))


def comparisons(values: Floats) -> Floats:
    """Return, per data set, whether i lies above j (1), level (1/2) or below (0).

    Args:
        values: shape (..., n, D).

    Returns:
        Shape (..., D, n, n); a row's weighted sum is its weighted rank, up to a constant.
    """
    by_dataset = np.swapaxes(values, -1, -2)
    a, b = by_dataset[..., :, None], by_dataset[..., None, :]
    above: Floats = (a > b) + 0.5 * (a == b)
    return above


def ranks(values: Floats) -> Floats:
    """Return ranks inside each data set about their mean, ties sharing theirs: (..., n, D)."""
    from scipy.stats import rankdata

    ranked = rankdata(values, axis=-2)
    centred: Floats = ranked - ranked.mean(axis=-2, keepdims=True)
    return centred


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


def within(block: Block) -> float:
    """Return the mean correlation of ranks about their family's mean, inside data sets."""
    return float(_correlations(*member_ranks(block)).mean())


STATISTICS = {"overall": overall, "between": between, "within": within}


def compressor_ranks(block: Block) -> tuple[Floats, Floats]:
    """Return unit ranks of rate and metric: two of (..., n, D)."""
    return unit(ranks(block.rate)), unit(ranks(block.metric))


def family_ranks(block: Block) -> tuple[Floats, Floats]:
    """Return unit ranks of families by their mean ranks: two of (..., n_families, D)."""
    means = (family_means(ranks(v), block.family) for v in (block.rate, block.metric))
    x, y = (unit(ranks(mean)) for mean in means)
    return x, y


def member_ranks(block: Block) -> tuple[Floats, Floats]:
    """Return unit ranks of compressors about their family's mean: two of (..., n, D)."""
    about = (about_family(ranks(v), block.family) for v in (block.rate, block.metric))
    x, y = (unit(centred) for centred in about)
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
    x = 2 * comparisons(block.rate) - 1  # (D, n, n), signs of differences
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


def without_each_family(block: Block) -> Mapping[int, float]:
    """Return the preregistered statistic with each family left out in turn."""
    if block.n_families < 2:
        return {}
    return {f: overall(block.without(f)) for f in range(block.n_families)}
