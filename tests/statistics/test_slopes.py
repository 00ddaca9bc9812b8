"""Slopes against least squares with an intercept per group."""

import math

import numpy as np
import pytest

from harness.statistics.slopes import slopes


def rng(seed=0):
    return np.random.default_rng(seed)


def test_slopes_are_those_of_a_least_squares_fit_with_an_intercept_per_group(block_of):
    block = block_of(0.5)
    result = slopes(block, rng())
    for slope in result[:-2]:
        rows = np.flatnonzero(block.family == slope.family)
        design = np.kron(np.eye(6), np.ones((len(rows), 1)))
        design = np.column_stack([block.rate[rows].T.ravel(), design])
        expected = np.linalg.lstsq(design, block.metric[rows].T.ravel(), rcond=None)
        assert slope.value == pytest.approx(expected[0][0])
        assert slope.ci_low <= slope.value <= slope.ci_high
    groups = [(f, d) for d in range(6) for f in block.family]
    design = np.array([[g == c for c in dict.fromkeys(groups)] for g in groups], float)
    design = np.column_stack([block.rate.T.ravel(), design])
    expected = np.linalg.lstsq(design, block.metric.T.ravel(), rcond=None)[0][0]
    (all_within,) = [slope for slope in result if slope.kind == "within"]
    assert all_within.value == pytest.approx(expected)


def test_a_single_compressor_family_has_no_slope_of_its_own(block_of):
    result = [slope.family for slope in slopes(block_of(), rng())]
    assert result == [1, 2, 3, 4, 5, 6, 7, None, None]


def test_a_family_on_one_data_set_has_a_slope_without_an_interval(block_of):
    result = slopes(block_of(0.5, n_datasets=1), rng())
    of_families = [slope for slope in result if slope.kind == "family"]
    assert of_families
    assert not any(math.isnan(slope.value) for slope in of_families)
    assert all(math.isnan(slope.ci_low + slope.ci_high) for slope in of_families)


def test_several_families_on_one_data_set_have_an_interval_over_families(block_of):
    result = slopes(block_of(0.5, n_datasets=1), rng())
    assert all(s.ci_low < s.ci_high for s in result if s.kind != "family")
