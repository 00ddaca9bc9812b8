"""Simulations of a true null and of effects, in the conditions of real tables."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.block import Block, overall, ranks, unit
from harness.statistics.bootstrap import Replicates, two_way_interval
from harness.statistics.estimate import mean_of
from harness.statistics.permutation import between_p
from harness.statistics.power import (
    CellLayout,
    Layout,
    detectable_inside_families,
    detectable_over_datasets,
    detectable_over_families,
    simulated_stack,
    simulated_tables,
)

UNEQUAL = (1, 2, 3, 3, 4, 2, 3, 5)
EQUAL = (3,) * 8
N_SMALL, N_LARGE = 200, 1000


def rng(seed=0):
    return np.random.default_rng(seed)


def test_more_families_detect_smaller_effects():
    few, many = (
        detectable_over_families(Layout(sizes=(3,) * n, n_datasets=6), alpha=0.05)
        for n in (6, 20)
    )
    assert many.effect < few.effect
    assert many.power >= 0.8
    assert many.half_width < few.half_width


def test_three_descents_detect_nothing():
    """Three means have six orders: no p is below 1/3."""
    result = detectable_over_families(Layout(sizes=(6,) * 3, n_datasets=20), alpha=0.05)
    assert math.isnan(result.effect)


def test_power_over_data_sets_is_that_of_simulated_t_tests():
    result = detectable_over_datasets(12, heterogeneity=0.25, alpha=0.025)
    draw, n = rng(3), 4000
    at_effect = draw.normal(result.effect, 0.25, size=(n, 12))
    tests = scipy_stats.ttest_1samp(at_effect, 0.0, axis=1)
    is_detected = (tests.pvalue <= 0.025) & (tests.statistic > 0)
    assert is_detected.mean() == pytest.approx(result.power, abs=0.03)
    widths = [mean_of(row).half_width for row in draw.normal(0, 0.25, size=(500, 12))]
    # The mean of sample deviations is a little below the deviation.
    assert np.mean(widths) == pytest.approx(result.half_width, rel=0.05)


def crossed_layout(n_families, n_members, n_datasets):
    return CellLayout(sizes=((n_members,) * n_datasets,) * n_families)


def test_new_compressors_need_larger_effects_than_new_data_sets():
    layout = crossed_layout(8, 8, 12)
    fixed, random = (
        detectable_inside_families(layout, families_random=r, alpha=0.05)
        for r in (False, True)
    )
    assert fixed.effect < random.effect
    assert fixed.half_width < random.half_width
    assert random.power >= 0.8


def test_two_families_or_cells_of_two_detect_nothing():
    for layout in (crossed_layout(2, 8, 12), crossed_layout(8, 2, 12)):
        result = detectable_inside_families(layout, families_random=True, alpha=0.05)
        assert math.isnan(result.effect)


def test_simulated_cells_have_the_correlation_and_the_spread_they_say():
    layout = CellLayout(sizes=((200,) * 3,) * 4, heterogeneity=0.1)
    tables = simulated_tables(layout, 0.3, 100, rng(5), families_random=True)
    # Spearman of normal variables is a little below their correlation.
    expected = 6 / math.pi * math.asin(0.3 / 2)
    assert tables.mean() == pytest.approx(expected, abs=0.02)
    assert tables.mean(axis=2).std() == pytest.approx(
        0.1 * math.sqrt(1 + 1 / 3), abs=0.03
    )


def test_families_without_configurations_on_a_data_set_have_no_simulated_cell():
    layout = CellLayout(sizes=((8, 8, 0), (8, 3, 2), (8, 8, 8)))
    tables = simulated_tables(layout, 0.0, 5, rng(), families_random=True)
    is_missing = np.isnan(tables).all(axis=0)
    assert is_missing.tolist() == [
        [False, False, True],
        [False, False, True],
        [False] * 3,
    ]


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
    return [lambda b, r: between_p(b, r, 199)]


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
    truth = np.mean([overall(block) for block in blocks])
    intervals = [
        two_way_interval(Replicates.of(block), draw, n_resamples)
        for block in blocks[:n]
    ]
    n_covered = sum(low <= truth <= high for low, high in intervals)
    # Two-way resampling counts some noise twice (Owen 2007): above is no fault.
    assert_about(n_covered, n, 0.95, only_above=True)
    assert n_covered < n, "an interval that never misses says nothing"


@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL])
@pytest.mark.parametrize("icc", [0.0, 0.85])
def test_permuted_families_reject_a_true_null_as_often_as_they_say(sizes, icc):
    check_size(sizes, icc, N_SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [EQUAL, UNEQUAL])
@pytest.mark.parametrize("icc", [0.0, 0.5, 0.7, 0.85])
def test_permuted_families_reject_a_true_null_as_often_as_they_say_at_length(
    sizes, icc
):
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
