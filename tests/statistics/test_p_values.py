"""P-values against closed cases and exact tails."""

import math
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics.p_values import bootstrap_p, holm, mcnemar_p, permutation_p


def doubled_tail(k, n):
    """Twice the smaller tail of a fair binomial, at most 1, in exact integers."""
    tail = sum(math.comb(n, i) for i in range(min(k, n - k) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**n)))


@pytest.mark.parametrize(("only_a", "only_b"), list(product([0, 1, 7, 25], [0, 3, 40])))
def test_mcnemar_is_twice_the_binomial_tail_of_discordant_pairs(
    only_a: int, only_b: int
):
    right_a = np.array([True] * only_a + [False] * only_b + [True, False])
    right_b = np.array([False] * only_a + [True] * only_b + [True, False])
    n = only_a + only_b
    expected = doubled_tail(only_a, n) if n else 1.0
    assert mcnemar_p(right_a, right_b) == pytest.approx(expected, rel=1e-12)


def test_a_permutation_p_is_twice_the_smaller_tail_with_the_observed_order_counted():
    permuted = np.array([[-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])
    assert permutation_p(np.array([5.0]), permuted) == pytest.approx(2 * 2 / 10)
    assert permutation_p(np.array([9.0]), permuted) == pytest.approx(2 * 1 / 10)
    assert permutation_p(np.array([1.0]), permuted) == 1.0


def test_a_permutation_that_only_rounding_tells_from_the_observed_is_as_extreme():
    permuted = np.array([[0.1 + 0.2, 0.0, 0.0]])
    assert permutation_p(np.array([0.3]), permuted) == pytest.approx(2 * 2 / 4)


def test_a_bootstrap_p_is_the_share_of_resamples_that_stray_as_far_as_zero():
    replicates = np.array([0.5, 1.0, 1.5, 2.5, -0.5])  # strays from 1.0: 2.5 and -0.5
    assert bootstrap_p(1.0, replicates) == pytest.approx((1 + 2) / 6)


def test_holm_gives_the_adjusted_values_of_a_worked_example():
    # Sorted .005 .01 .03 .04 times 4 3 2 1, then made monotone.
    p_values = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    expected = {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    assert holm(p_values) == pytest.approx(expected)


def test_holm_counts_an_undefined_p_as_one():
    assert holm({"G": 0.02, "R": math.nan}) == {"G": 0.04, "R": 1.0}
    assert holm({"G": 0.02, "R": 0.03}) == {"G": 0.04, "R": 0.04}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_and_the_bonferroni_values(p_values):
    named = dict(zip("abcdefgh", p_values, strict=False))
    for name, adjusted in holm(named).items():
        assert named[name] <= adjusted <= min(1, len(named) * named[name])
