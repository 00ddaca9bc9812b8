"""Student's intervals against scipy."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.estimate import mean_of, student

VALUES = np.random.default_rng(0).normal(0.3, 1, size=7)


def test_a_mean_has_the_interval_and_p_of_the_one_sample_t_test():
    result = mean_of(VALUES)
    t = scipy_stats.ttest_1samp(VALUES, 0.0)
    low, high = t.confidence_interval(0.95)
    assert (result.value, result.p) == pytest.approx((VALUES.mean(), t.pvalue))
    assert (result.ci_low, result.ci_high) == pytest.approx((low, high))
    assert result.half_width == pytest.approx((high - low) / 2)
    assert result.freedom == 6


def test_a_smaller_tail_gives_a_wider_interval():
    low, high = scipy_stats.ttest_1samp(VALUES, 0.0).confidence_interval(0.99)
    result = mean_of(VALUES, tail=0.005)
    assert (result.ci_low, result.ci_high) == pytest.approx((low, high))


@pytest.mark.parametrize("values", [[], [0.4], [0.4, 0.4, 0.4]])
def test_nothing_to_tell_a_variance_from_gives_no_interval(values):
    result = mean_of(np.array(values))
    assert math.isnan(result.ci_low)
    assert math.isnan(result.p)


def test_a_cut_interval_keeps_the_half_width_that_it_had():
    result = student(0.9, 0.04, 5.0)
    cut = result.within(-1.0, 1.0)
    assert result.ci_high > cut.ci_high == 1.0
    assert cut.half_width == result.half_width


@pytest.mark.parametrize("n", [3, 4, 8])
def test_intervals_of_few_values_cover_as_often_as_they_say(n):
    """Where a percentile bootstrap of three points covers .75, meant to cover .994."""
    draw, tail, n_runs = np.random.default_rng(1), 0.025 / 8, 4000
    intervals = [mean_of(draw.normal(size=n), tail) for _ in range(n_runs)]
    n_missed = sum(not each.ci_low <= 0 <= each.ci_high for each in intervals)
    low, high = scipy_stats.binom.interval(0.998, n_runs, 2 * tail)
    assert low <= n_missed <= high
