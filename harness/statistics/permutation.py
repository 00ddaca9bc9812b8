"""Permutation tests of no association that respect what is exchangeable.

Permuting single compressors takes relatives for independent and rejects a true null too
often. Families are exchangeable, or superfamilies where families share an ancestor; they
are permuted jointly over data sets, which keeps the dependence between data sets. Members
inside families are not permuted: that tests that no family has an association, not that
the mean is zero (`crossed`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.statistics.block import (
    Block,
    Floats,
    Labels,
    compressor_ranks,
    family_ranks,
    ranks,
    unit,
)
from harness.statistics.p_values import permutation_p

N_PERMUTATIONS = 9999


def between_p(
    block: Block, rng: np.random.Generator, n_permutations: int = N_PERMUTATIONS
) -> float:
    """Return p of no association between families; nan with fewer than 2."""
    return float(between_ps(block, rng, n_permutations)[0])


def between_ps(
    block: Block, rng: np.random.Generator, n_permutations: int = N_PERMUTATIONS
) -> Floats:
    """Return p of no association between families for one block or a stack: (k,).

    Families of equal size are permuted as blocks, members in the order of their mean
    rates, so that order inside families stays and does not count as evidence. Otherwise
    family means are permuted.
    """
    if block.n_families < 2:
        return np.array([math.nan])
    shuffles = np.argsort(rng.random((n_permutations, block.n_families)), axis=1)
    size = int(block.sizes[0])
    if size == 1 or (block.sizes != size).any():
        return _ps(*family_ranks(block), shuffles)
    x, y = compressor_ranks(block)
    # Ranks differ by less than n: families stay apart, members come by mean rank.
    keys = len(block.family) * block.family + x.mean(axis=-1)
    order = np.argsort(keys, axis=-1)[..., None]
    x, y = (np.take_along_axis(values, order, axis=-2) for values in (x, y))
    blocks = shuffles[:, :, None] * size + np.arange(size)
    return _ps(x, y, blocks.reshape(n_permutations, -1))


def spearman_in_blocks(
    blocks: Sequence[tuple[Floats, Floats]], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the mean Spearman correlation over rows, and its p from permuted columns.

    Each block permutes its columns by itself, all its rows alike: rows of a block share
    what their columns are.

    Args:
        blocks: two arrays of shape (n_rows, n_columns) each, at least one block.
        rng: source of the permutations.

    Returns:
        The mean over the rows of all blocks (a constant row counts 0), and the two-sided p.
    """
    n_rows = sum(len(x) for x, _ in blocks)
    observed, permuted = 0.0, np.zeros(N_PERMUTATIONS)
    for x, y in blocks:
        x_ranks, y_ranks = unit(ranks(x.T)), unit(ranks(y.T))
        products = x_ranks @ y_ranks.T  # (n_columns, n_columns)
        columns = np.arange(len(products))
        shuffles = rng.permuted(np.tile(columns, (N_PERMUTATIONS, 1)), axis=1)
        observed += float(np.trace(products))
        permuted += products[shuffles, columns].sum(axis=1)
    p = permutation_p(np.array([observed]), permuted[None])
    return observed / n_rows, float(p[0])


def _ps(x: Floats, y: Floats, shuffles: Labels) -> Floats:
    """Return p of the mean of x[shuffle] y, for each block of a stack: (k,).

    Args:
        x: shape (..., m, D).
        y: shape (..., m, D).
        shuffles: shape (n_permutations, m).
    """
    # Row i of x with row j of y, summed over data sets, is all that a shuffle needs.
    products = x @ np.swapaxes(y, -1, -2)
    m = products.shape[-1]
    products = products.reshape(-1, m, m)
    observed = np.trace(products, axis1=1, axis2=2)
    permuted = products[:, shuffles, np.arange(m)].sum(axis=-1)  # (k, n_permutations)
    return permutation_p(observed, permuted)
