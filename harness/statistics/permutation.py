"""Permutation tests that respect families: two-sided p-values of no association.

Permuting single compressors takes relatives for independent and rejects a true null too
often. What is exchangeable are families (between) and members of one family (within).
Either is permuted jointly over data sets, which keeps the dependence between data sets.
"""

from __future__ import annotations

import math

import numpy as np

from harness.statistics.block import (
    Block,
    Floats,
    Labels,
    compressor_ranks,
    family_ranks,
    member_ranks,
)
from harness.statistics.samples import holm

N_PERMUTATIONS = 9999
SLACK = 1e-9
"""Rounding must not turn a permutation that is exactly as extreme into one that is not."""


def between_p(
    block: Block, rng: np.random.Generator, n_permutations: int = N_PERMUTATIONS
) -> float:
    """Return p of no association between families; nan with fewer than 2."""
    return float(between_ps(block, rng, n_permutations)[0])


def within_p(
    block: Block, rng: np.random.Generator, n_permutations: int = N_PERMUTATIONS
) -> float:
    """Return p of no association inside families; nan where none has two members."""
    return float(within_ps(block, rng, n_permutations)[0])


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


def within_ps(
    block: Block, rng: np.random.Generator, n_permutations: int = N_PERMUTATIONS
) -> Floats:
    """Return p of no association inside families for one block or a stack: (k,)."""
    if block.sizes.max() < 2:
        return np.array([math.nan])
    rows = np.argsort(block.family, kind="stable")
    x, y = (values[..., rows, :] for values in member_ranks(block))
    keys = block.family[rows] + rng.random((n_permutations, len(rows)))
    return _ps(x, y, np.argsort(keys, axis=1))


def holm_over(claims: dict[str, float]) -> dict[str, float]:
    """Return p-values adjusted over claims (Holm 1979); a missing one counts as 1."""
    values = [1.0 if math.isnan(p) else p for p in claims.values()]
    return dict(zip(claims, holm(values), strict=True))


def _ps(x: Floats, y: Floats, shuffles: Labels) -> Floats:
    """Return twice the smaller tail of the mean of x[shuffle] y, at most 1: (k,).

    Args:
        x: shape (..., m, D).
        y: shape (..., m, D).
        shuffles: shape (n_permutations, m).
    """
    # Row i of x with row j of y, summed over data sets, is all that a shuffle needs.
    products = x @ np.swapaxes(y, -1, -2)
    m = products.shape[-1]
    products = products.reshape(-1, m, m)
    observed = np.trace(products, axis1=1, axis2=2)[:, None]
    drawn = products[:, shuffles, np.arange(m)].sum(axis=-1)  # (k, n_permutations)
    above = (drawn >= observed - SLACK).sum(axis=1)
    below = (drawn <= observed + SLACK).sum(axis=1)
    doubled: Floats = 2 * (1 + np.minimum(above, below)) / (1 + len(shuffles))
    return np.minimum(1.0, doubled)
