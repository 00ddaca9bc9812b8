"""Simulations of a true null and of effects, in the conditions of real tables."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.block import STATISTICS, Block, overall, ranks, unit
from harness.statistics.bootstrap import Replicates, two_way_intervals
from harness.statistics.permutation import between_p, within_p
from harness.statistics.power import (
    Layout,
    minimum_detectable_effect,
    simulated_stack,
)

UNEQUAL = (1, 2, 3, 3, 4, 2, 3, 5)
EQUAL = (3,) * 8
N_SMALL, N_LARGE = 200, 1000


def rng(seed=0):
    return np.random.default_rng(seed)


def test_more_families_detect_smaller_effects():
    few, many = (
        minimum_detectable_effect(
            Layout(sizes=(3,) * n, n_datasets=6), decided_by="between", alpha=0.05
        )
        for n in (6, 20)
    )
    assert many.effect < few.effect
    assert many.power >= 0.8


def test_nothing_is_detectable_inside_families_of_one():
    layout = Layout(sizes=(1,) * 8, n_datasets=6)
    result = minimum_detectable_effect(layout, decided_by="within", alpha=0.05)
    assert math.isnan(result.effect)


def test_the_simulated_population_has_the_correlations_it_says():
    layout = Layout(sizes=(4,) * 500, n_datasets=2, intra_family=0.6)
    block = simulated_block(layout, 0.4, rng())
    assert np.corrcoef(block.rate[:, 0], block.metric[:, 0])[0, 1] == pytest.approx(
        0.4, abs=0.06
    )
    assert np.corrcoef(block.rate[::4, 0], block.rate[1::4, 0])[0, 1] == pytest.approx(
        0.6, abs=0.1
    )
    assert block.rate.std() == pytest.approx(1.0, abs=0.05)


def simulated_block(layout, effect, draw):
    stack = simulated_stack(layout, effect, 1, draw)
    return Block(rate=stack.rate[0], metric=stack.metric[0], family=stack.family)


def hard_and_missing(block, draw, share_missing=0.01):
    """Data sets that differ in difficulty, and cells missing: what stays complete."""
    n, n_datasets = block.rate.shape
    difficulty = draw.normal(scale=3, size=n_datasets)
    complete = (draw.random((n, n_datasets)) >= share_missing).all(axis=1)
    hard = Block(
        rate=block.rate + difficulty,
        metric=block.metric - difficulty,
        family=block.family,
    )
    return hard.take(np.flatnonzero(complete))


def single_compressor_p(block, draw, n_permutations=199):
    """The wrong test: relatives permuted as if they were independent."""
    products = unit(ranks(block.rate)) @ unit(ranks(block.metric)).T
    n = len(products)
    orders = np.argsort(draw.random((n_permutations, n)), axis=1)
    permuted = products[orders, np.arange(n)].sum(axis=1)
    strays = np.abs(permuted) >= abs(np.trace(products)) - 1e-9
    return (1 + strays.sum()) / (1 + n_permutations)


def pooled_p(block):
    """The other wrong test: all cells of all data sets as one sample."""
    return scipy_stats.spearmanr(block.rate.ravel(), block.metric.ravel()).pvalue


def rejections(sizes, icc, n, tests, seed=0):
    """Share of simulated true nulls that each test rejects at .05."""
    draw, counts = rng(seed), np.zeros(len(tests))
    layout = Layout(sizes=sizes, n_datasets=6, intra_family=icc)
    for _ in range(n):
        block = hard_and_missing(simulated_block(layout, 0.0, draw), draw)
        counts += [test(block, draw) <= 0.05 for test in tests]
    return counts


def right_tests():
    return [lambda b, r: between_p(b, r, 199), lambda b, r: within_p(b, r, 199)]


def assert_about(count, n, share, *, only_above=False):
    low, high = scipy_stats.binom.interval(0.998, n, share)
    assert count >= low, f"{count} of {n}, expected at least {low}"
    if not only_above:
        assert count <= high, f"{count} of {n}, expected at most {high}"


def check_size(sizes, icc, n):
    for count in rejections(sizes, icc, n, right_tests()):
        assert_about(count, n, 0.05)


def check_coverage(icc, effect, n, n_resamples):
    """Coverage of the statistic's own expectation, from blocks of the same layout."""
    layout = Layout(sizes=UNEQUAL, n_datasets=6, intra_family=icc)
    draw = rng(7)
    blocks = [simulated_block(layout, effect, draw) for _ in range(2 * n)]
    truth = {k: np.mean([of(b) for b in blocks]) for k, of in STATISTICS.items()}
    covered = dict.fromkeys(STATISTICS, 0)
    for block in blocks[:n]:
        intervals = two_way_intervals(Replicates.of(block), draw, n_resamples)
        for name, (low, high) in intervals.items():
            covered[name] += low <= truth[name] <= high
    for name, count in covered.items():
        # Two-way resampling counts some noise twice (Owen 2007): above is no fault.
        assert_about(count, n, 0.95, only_above=True)
        assert count < n, f"{name}: an interval that never misses says nothing"


@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL])
@pytest.mark.parametrize("icc", [0.0, 0.85])
def test_the_right_tests_reject_a_true_null_as_often_as_they_say(sizes, icc):
    check_size(sizes, icc, N_SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL])
@pytest.mark.parametrize("icc", [0.0, 0.5, 0.7, 0.85])
def test_the_right_tests_reject_a_true_null_as_often_as_they_say_at_length(sizes, icc):
    check_size(sizes, icc, N_LARGE)


def test_permuting_single_compressors_rejects_a_true_null_too_often():
    (count,) = rejections(UNEQUAL, 0.85, N_SMALL, [single_compressor_p])
    assert count > scipy_stats.binom.isf(0.001, N_SMALL, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0.5, 0.7, 0.85])
def test_permuting_single_compressors_rejects_a_true_null_too_often_at_length(icc):
    (count,) = rejections(UNEQUAL, icc, N_LARGE, [single_compressor_p])
    assert count > scipy_stats.binom.isf(0.001, N_LARGE, 0.05)


def test_pooling_all_cells_finds_difficulty_instead_of_the_effect():
    draw, pooled, averaged = rng(4), [], []
    layout = Layout(sizes=UNEQUAL, n_datasets=6)
    for _ in range(60):
        block = hard_and_missing(simulated_block(layout, 0.6, draw), draw)
        cells = (block.rate.ravel(), block.metric.ravel())
        pooled.append(scipy_stats.spearmanr(*cells).statistic)
        averaged.append(overall(block))
    assert np.mean(averaged) > 0.4
    assert np.mean(pooled) < -0.4


def test_pooling_all_cells_rejects_a_true_null_almost_always():
    (count,) = rejections(UNEQUAL, 0.5, 60, [lambda b, _: pooled_p(b)])
    assert count > 0.9 * 60


def test_difficulty_of_data_sets_does_not_move_the_statistic(block_of):
    block = block_of(0.5)
    moved = hard_and_missing(block, rng(1), share_missing=0.0)
    assert overall(moved) == pytest.approx(overall(block))


@pytest.mark.parametrize("icc", [0.0, 0.85])
def test_intervals_cover_at_least_as_often_as_they_say(icc):
    check_coverage(icc, 0.5, N_SMALL, 400)


@pytest.mark.slow
@pytest.mark.parametrize("icc", [0.0, 0.5, 0.85])
@pytest.mark.parametrize("effect", [0.0, 0.5])
def test_intervals_cover_at_least_as_often_as_they_say_at_length(icc, effect):
    check_coverage(icc, effect, N_LARGE, 500)
