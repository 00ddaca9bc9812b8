"""p-values against all orders."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.block import between, overall, ranks
from harness.statistics.permutation import between_p, spearman_in_blocks


def rng(seed=0):
    return np.random.default_rng(seed)


def test_between_p_of_unequal_families_is_that_of_all_orders(block_of):
    block = block_of(0.9, sizes=(1, 2, 3, 1, 2))
    x, y = between(block), []
    for order in itertools.permutations(range(5)):
        means = [
            [r[block.family == f].mean(axis=0) for f in range(5)]
            for r in (ranks(block.rate), ranks(block.metric))
        ]
        pairs = zip(np.array(means[0])[[*order]].T, np.array(means[1]).T, strict=True)
        y.append(np.mean([scipy_stats.spearmanr(a, b).statistic for a, b in pairs]))
    tail = min(np.mean(np.array(y) >= x - 1e-9), np.mean(np.array(y) <= x + 1e-9))
    assert between_p(block, rng(), 20000) == pytest.approx(min(1.0, 2 * tail), abs=0.01)


def test_between_p_of_equal_families_is_that_of_all_orders_of_blocks(block_of):
    block = block_of(0.7, sizes=(3,) * 5)
    by_rate = np.lexsort((ranks(block.rate).mean(axis=1), block.family)).reshape(5, 3)
    y_rows, observed, permuted = by_rate.ravel(), overall(block), []
    for order in itertools.permutations(range(5)):
        x_rows = by_rate[[*order]].ravel()
        pairs = zip(block.rate[x_rows].T, block.metric[y_rows].T, strict=True)
        permuted.append(
            np.mean([scipy_stats.spearmanr(a, b).statistic for a, b in pairs])
        )
    above = np.mean(np.array(permuted) >= observed - 1e-9)
    below = np.mean(np.array(permuted) <= observed + 1e-9)
    expected = min(1.0, 2 * min(above, below))
    assert between_p(block, rng(), 20000) == pytest.approx(expected, abs=0.01)


def test_one_family_cannot_be_permuted(block_of):
    assert math.isnan(between_p(block_of(sizes=(4,)), rng(), 99))


def test_correlation_in_blocks_is_scipys_and_its_p_that_of_all_permutations():
    draw = rng()
    blocks = [(draw.random((2, 4)), draw.random((2, 4))) for _ in range(2)]
    value, p = spearman_in_blocks(blocks, draw)

    def mean(orders):
        correlations = [
            scipy_stats.spearmanr(x[row, list(order)], y[row]).statistic
            for (x, y), order in zip(blocks, orders, strict=True)
            for row in range(2)
        ]
        return float(np.mean(correlations))

    every = list(itertools.permutations(range(4)))
    permuted = np.array([mean((a, b)) for a in every for b in every])
    assert value == pytest.approx(mean((every[0], every[0])))
    tails = [(permuted >= value - 1e-9).mean(), (permuted <= value + 1e-9).mean()]
    assert p == pytest.approx(min(1.0, 2 * min(tails)), abs=0.03)


def test_a_constant_row_counts_as_no_correlation():
    x = np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
    y = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    value, _ = spearman_in_blocks([(x, y)], rng())
    assert value == pytest.approx(0.5)
