"""Bootstrap over samples, against the delta method and the paired t test."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics import resampling


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def test_resampling_in_blocks_draws_n_samples_in_every_resample(monkeypatch):
    monkeypatch.setattr(resampling, "BLOCK_ENTRIES", 7 * 64)
    blocks = list(resampling.resampled_weights(64, rng()))
    weights = np.concatenate(blocks)
    assert len(blocks) > 1
    assert weights.shape == (resampling.N_RESAMPLES, 64)
    assert (weights.sum(axis=1) == 64).all()
    assert weights.var() == pytest.approx(1 - 1 / 64, rel=0.02)  # binomial(n, 1/n)


def test_a_ratio_interval_has_the_width_of_the_delta_method():
    draw = np.random.default_rng(5)
    sizes = draw.integers(50, 150, 800).astype(float)
    bits = 2 * sizes + draw.normal(0, 30, 800)
    low, high = resampling.ratio_interval(bits, sizes, rng())
    ratio = bits.sum() / sizes.sum()
    half = 1.96 * np.std(bits - ratio * sizes) / sizes.mean() / math.sqrt(800)
    assert (low, high) == pytest.approx((ratio - half, ratio + half), abs=0.1 * half)


def test_the_difference_of_ratios_is_paired_and_so_narrower_than_each_ratio():
    draw = np.random.default_rng(6)
    sizes = np.full(300, 100.0)
    hard = draw.normal(200, 60, 300)
    result = resampling.ratio_difference((hard + 10, hard), sizes, rng())
    assert result.value == pytest.approx(0.1)
    assert (result.ci_low, result.ci_high) == pytest.approx((0.1, 0.1), abs=1e-9)
    low, high = resampling.ratio_interval(hard, sizes, rng())
    assert high - low > 0.1


def test_the_paired_bootstrap_p_agrees_with_the_paired_t_test():
    draw = np.random.default_rng(8)
    a, b = draw.random(400), draw.random(400) + 0.03
    result = resampling.ratio_difference((a, b), np.ones(400), rng())
    assert result.p == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue, abs=0.04)
