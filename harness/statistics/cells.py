"""Rank correlations inside each family and data set: the cells of a crossed table.

Configurations are compared with those of their own family on the same data set alone, so
that neither the difficulty of a data set nor the kind of compressor counts as evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from harness.statistics.block import (
    MIN_COMPRESSORS,
    Block,
    Floats,
    Labels,
    comparisons,
    ranks,
    rate_ranks,
    unit,
)

NOTHING = 1e-9
"""Share of a variance below which a covariate has explained all of it."""


@dataclass(frozen=True, kw_only=True)
class NearTies:
    """Pairs of one family on one data set whose rates tie or nearly do.

    Attributes:
        n_near, n_pairs: near-ties among all such pairs.
    """

    n_near: int = 0
    n_pairs: int = 0


def family_correlations(block: Block) -> Floats:
    """Return Spearman's correlation inside each family and data set.

    Of rows without a missing number; near-ties in rate tie.

    Returns:
        Shape (..., n_families, D); nan where fewer than three configurations have both
        numbers, and where all rates or all scores of a cell tie.
    """
    return _table(block, lambda rows, d: correlation(*_ranks(block, rows, d)))


def partial_correlations(block: Block, covariate: Floats) -> Floats:
    """Return the same given a covariate: partial Spearman correlations.

    (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2)(1 - r_yz^2)) on ranks; r_xy where the covariate
    is constant, nan where it is missing or orders the rates or the scores as they are.

    Args:
        block: rates and metrics, (n, D).
        covariate: shape (n, D), such as log parameters; only its ranks count.
    """

    def partial(rows: Labels, d: int) -> Floats:
        x, y = _ranks(block, rows, d)
        values = covariate[rows, d]
        if np.isnan(values).any():
            return np.array(math.nan)
        xy = correlation(x, y)
        if np.ptp(values) == 0:
            return xy
        z = ranks(values[:, None])[:, 0]
        xz, yz = correlation(x, z), correlation(y, z)
        unexplained = (1 - xz**2) * (1 - yz**2)
        # Where the covariate explains all, nothing remains to correlate.
        scale = np.sqrt(np.where(unexplained > NOTHING, unexplained, math.nan))
        remainder: Floats = (xy - xz * yz) / scale
        return remainder

    return _table(block, partial)


def near_ties(block: Block) -> NearTies:
    """Return how many pairs inside families tie in rate, or nearly do."""
    n_near = n_pairs = 0
    for _, rows, d in _cells(block):
        upper = np.triu_indices(len(rows), k=1)
        (above,) = comparisons(block.rate[rows, d][:, None], block.near_tie)
        n_near += int((above[upper] == 0.5).sum())
        n_pairs += len(upper[0])
    return NearTies(n_near=n_near, n_pairs=n_pairs)


def correlation(x: Floats, y: Floats) -> Floats:
    """Return the correlation of centred ranks, nan where either is constant: (..., m)."""
    is_defined = (np.ptp(x, axis=-1) > 0) & (np.ptp(y, axis=-1) > 0)
    products = (unit(x[..., None]) * unit(y[..., None])).sum(axis=(-2, -1))
    return np.where(is_defined, products, math.nan)


def _table(block: Block, correlation_of: Callable[[Labels, int], Floats]) -> Floats:
    *stack, _, n_datasets = block.rate.shape
    table = np.full((*stack, block.n_families, n_datasets), math.nan)
    for family, rows, d in _cells(block):
        table[..., family, d] = correlation_of(rows, d)
    return table


def _cells(block: Block) -> Iterator[tuple[int, Labels, int]]:
    """Yield family, rows and data set of each cell with three configurations or more."""
    both = block.rate + block.metric
    # Blocks of a stack have their holes in the same places.
    holes = np.isnan(both).reshape(-1, *both.shape[-2:])
    is_complete = ~np.any(holes, axis=0)  # (n, D)
    for family in range(block.n_families):
        for d in range(both.shape[-1]):
            rows = np.flatnonzero((block.family == family) & is_complete[:, d])
            if len(rows) >= MIN_COMPRESSORS:
                yield family, rows, d


def _ranks(block: Block, rows: Labels, d: int) -> tuple[Floats, Floats]:
    """Return centred ranks of rate and metric of a cell: two of (..., m)."""
    rate, metric = (v[..., rows, d, None] for v in (block.rate, block.metric))
    return rate_ranks(rate, block.near_tie)[..., 0], ranks(metric)[..., 0]
