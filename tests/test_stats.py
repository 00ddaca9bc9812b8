"""Statistics against scipy, closed cases and the laws they must obey."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from harness.statistics import samples as stats

LABELS = np.array([0] * 60 + [1] * 30 + [2] * 10)
RNG_SEED = 11


def rng() -> np.random.Generator:
    return np.random.default_rng(RNG_SEED)


def credit_of(seed: int, share_right: float) -> np.ndarray:
    """One-hot answers, right with the given probability, and some ties shared by two."""
    draw = np.random.default_rng(seed)
    answers = np.where(draw.random(100) < share_right, LABELS, (LABELS + 1) % 3)
    credit = np.eye(3)[answers]
    credit[::10] = [0.5, 0.5, 0.0]
    return credit


def brute_force_measures(labels: np.ndarray, credit: np.ndarray) -> dict[str, float]:
    """By loops over classes: recall and F1 of the classes that occur."""
    recalls, f1s = [], []
    for c in set(labels.tolist()):
        hits = sum(credit[i, c] for i in range(len(labels)) if labels[i] == c)
        recalls.append(hits / sum(labels == c))
        f1s.append(2 * hits / (sum(labels == c) + credit[:, c].sum()))
    right = sum(credit[i, label] for i, label in enumerate(labels))
    return {
        "accuracy": right / len(labels),
        "balanced_accuracy": sum(recalls) / len(recalls),
        "macro_f1": sum(f1s) / len(f1s),
    }


def test_measures_equal_loops_over_classes_also_where_a_class_is_missing():
    for labels in (LABELS, np.where(LABELS == 2, 0, LABELS)):
        credit = credit_of(0, 0.7)
        table = stats.confusion(labels, credit)
        expected = brute_force_measures(labels, credit)
        assert stats.accuracy_of(table) == pytest.approx(expected["accuracy"])
        assert stats.balanced_accuracy_of(table) == pytest.approx(
            expected["balanced_accuracy"]
        )
        assert stats.macro_f1_of(table) == pytest.approx(expected["macro_f1"])


def test_intervals_equal_those_of_a_loop_that_resamples_rows():
    credit, draw = credit_of(1, 0.7), np.random.default_rng(99)
    rows = [draw.integers(0, 100, 100) for _ in range(1500)]
    loop = [brute_force_measures(LABELS[i], credit[i]) for i in rows]
    for name, ends in stats.accuracy_intervals(LABELS, credit, rng()).items():
        expected = np.quantile([one[name] for one in loop], [0.025, 0.975])
        assert ends == pytest.approx(tuple(expected), abs=0.02)


def test_an_accuracy_interval_has_the_width_of_the_normal_approximation():
    credit = np.eye(2)[(np.arange(1000) % 5 == 0).astype(int)]  # 20 % answer class 1
    labels = np.ones(1000, np.int64)
    low, high = stats.accuracy_intervals(labels, credit, rng())["accuracy"]
    half = 1.96 * math.sqrt(0.2 * 0.8 / 1000)
    assert (low, high) == pytest.approx((0.2 - half, 0.2 + half), abs=0.004)


def test_resampling_in_blocks_draws_n_samples_in_every_resample(monkeypatch):
    monkeypatch.setattr(stats, "BLOCK_ENTRIES", 7 * 64)
    blocks = list(stats._resamples(64, rng()))
    weights = np.concatenate(blocks)
    assert len(blocks) > 1
    assert weights.shape == (stats.N_RESAMPLES, 64)
    assert (weights.sum(axis=1) == 64).all()
    assert weights.var() == pytest.approx(1 - 1 / 64, rel=0.02)  # binomial(n, 1/n)


def test_a_ratio_interval_has_the_width_of_the_delta_method():
    draw = np.random.default_rng(5)
    sizes = draw.integers(50, 150, 800).astype(float)
    bits = 2 * sizes + draw.normal(0, 30, 800)
    low, high = stats.ratio_interval(bits, sizes, rng())
    ratio = bits.sum() / sizes.sum()
    half = 1.96 * np.std(bits - ratio * sizes) / sizes.mean() / math.sqrt(800)
    assert (low, high) == pytest.approx((ratio - half, ratio + half), abs=0.1 * half)


def test_the_difference_of_ratios_is_paired_and_so_narrower_than_each_ratio():
    draw = np.random.default_rng(6)
    sizes = np.full(300, 100.0)
    hard = draw.normal(200, 60, 300)
    found = stats.ratio_difference((hard + 10, hard), sizes, rng())
    assert found.value == pytest.approx(0.1)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.1, 0.1), abs=1e-9)
    low, high = stats.ratio_interval(hard, sizes, rng())
    assert high - low > 0.1


def test_a_difference_of_nothing_has_p_one_and_a_clear_one_has_a_small_p():
    same = credit_of(2, 0.7)
    for one in stats.accuracy_differences(LABELS, (same, same), rng()).values():
        assert (one.value, one.ci_low, one.ci_high, one.p) == (0, 0, 0, 1)
    clear = stats.accuracy_differences(
        LABELS, (credit_of(3, 0.9), credit_of(4, 0.3)), rng()
    )
    for one in clear.values():
        assert one.ci_low > 0.2
        assert one.p < 0.002


def test_swapping_the_two_swaps_the_sign_of_the_difference():
    a, b = credit_of(3, 0.8), credit_of(4, 0.6)
    there = stats.accuracy_differences(LABELS, (a, b), rng())
    back = stats.accuracy_differences(LABELS, (b, a), rng())
    for name, one in there.items():
        assert (one.value, one.ci_low, one.p) == pytest.approx(
            (-back[name].value, -back[name].ci_high, back[name].p)
        )


def test_the_paired_bootstrap_p_agrees_with_the_paired_t_test():
    draw = np.random.default_rng(8)
    a, b = draw.random(400), draw.random(400) + 0.03
    found = stats.ratio_difference((a, b), np.ones(400), rng())
    assert found.p == pytest.approx(scipy_stats.ttest_rel(a, b).pvalue, abs=0.04)


@pytest.mark.parametrize(("only_a", "only_b"), list(product([0, 1, 7, 25], [0, 3, 40])))
def test_mcnemar_is_the_binomial_test_of_discordant_pairs(only_a: int, only_b: int):
    right_a = np.array([True] * only_a + [False] * only_b + [True, False])
    right_b = np.array([False] * only_a + [True] * only_b + [True, False])
    n = only_a + only_b
    expected = scipy_stats.binomtest(only_a, n, 0.5).pvalue if n else 1.0
    assert stats.mcnemar_p(right_a, right_b) == pytest.approx(expected, rel=1e-12)


def test_paired_p_is_mcnemar_for_whole_answers_and_the_bootstrap_for_shares():
    right_a, right_b = np.array([1.0] * 9 + [0.0] * 3), np.array([0.0] * 9 + [1.0] * 3)
    assert stats.paired_p(right_a, right_b, rng()) == (
        pytest.approx(scipy_stats.binomtest(9, 12, 0.5).pvalue),
        "McNemar, exact",
    )
    right_a[0] = 0.5
    assert stats.paired_p(right_a, right_b, rng())[1] == "paired bootstrap"


def test_holm_gives_the_adjusted_values_of_a_worked_example():
    # Sorted .005 .01 .03 .04 times 4 3 2 1, then made monotone.
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_and_the_bonferroni_values(p_values: list[float]):
    for raw, adjusted in zip(p_values, stats.holm(p_values), strict=True):
        assert raw <= adjusted <= min(1, len(p_values) * raw)


few_values = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3)


@given(few_values)
@settings(max_examples=60)
def test_spearman_equals_scipy_with_ties(pairs: list[tuple[int, int]]):
    x, y = np.array(pairs, float).T
    found = stats.spearman(x, y)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert math.isnan(found)
    else:
        assert found == pytest.approx(scipy_stats.spearmanr(x, y).statistic)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 50), (50, 50), (2, 100000)])
def test_the_wilson_bound_equals_scipy(successes: int, n: int):
    test = scipy_stats.binomtest(successes, n, alternative="greater")
    expected = test.proportion_ci(0.95, method="wilson").low
    assert stats.wilson_lower(successes, n) == pytest.approx(expected, abs=1e-12)


def test_an_interval_over_draws_covers_draws_and_samples_alike():
    rng = np.random.default_rng(0)
    n_runs, n_draws, of_draw, of_samples = 2000, 3, 0.02, 0.03
    hits = 0
    for _ in range(n_runs):
        shared = rng.normal(0.5, of_samples)  # the draws share their test samples
        values = shared + rng.normal(0, of_draw, n_draws)
        half = 1.96 * of_samples
        low, high = stats.interval_over_draws(values, values - half, values + half)
        hits += low <= 0.5 <= high
    assert 0.93 <= hits / n_runs <= 0.99


def test_draws_that_agree_have_the_interval_of_one():
    same = np.full(4, 0.7)
    low, high = stats.interval_over_draws(same, same - 0.1, same + 0.1)
    assert (low, high) == pytest.approx((0.6, 0.8))


def test_one_draw_has_no_interval_over_draws():
    with pytest.raises(ValueError, match="at least 2"):
        stats.interval_over_draws(np.array([1.0]), np.zeros(1), np.ones(1))
