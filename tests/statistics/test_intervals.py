"""Intervals against closed forms and simulated coverage."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from harness.statistics import intervals


def test_a_percentile_interval_leaves_the_tail_out_on_either_side():
    replicates = np.arange(1001.0)
    assert intervals.percentile_interval(replicates) == pytest.approx((25, 975))
    assert intervals.percentile_interval(replicates, 0.1) == pytest.approx((100, 900))


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 50), (50, 50), (2, 100000)])
def test_the_wilson_bound_is_the_root_of_its_equation(successes, n):
    bound = intervals.wilson_lower(successes, n)
    z, share = NormalDist().inv_cdf(0.95), successes / n
    # Wilson: the bound p with (share - p) = z sqrt(p (1 - p) / n).
    assert share - bound == pytest.approx(z * math.sqrt(bound * (1 - bound) / n))


def test_an_interval_over_draws_covers_draws_and_samples_alike():
    rng = np.random.default_rng(0)
    n_runs, n_draws, of_draw, of_samples = 2000, 3, 0.02, 0.03
    hits = 0
    for _ in range(n_runs):
        shared = rng.normal(0.5, of_samples)  # the draws share their test samples
        values = shared + rng.normal(0, of_draw, n_draws)
        half = 1.96 * of_samples
        low, high = intervals.interval_over_draws(values, values - half, values + half)
        hits += low <= 0.5 <= high
    assert 0.93 <= hits / n_runs <= 0.99


def test_draws_that_agree_have_the_interval_of_one():
    same = np.full(4, 0.7)
    low, high = intervals.interval_over_draws(same, same - 0.1, same + 0.1)
    assert (low, high) == pytest.approx((0.6, 0.8))


def test_one_draw_has_no_interval_over_draws():
    with pytest.raises(ValueError, match="at least 2"):
        intervals.interval_over_draws(np.array([1.0]), np.zeros(1), np.ones(1))
