"""Accuracies, their intervals and differences, against loops and scipy."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats
from scipy.stats import binomtest, norm

from harness.statistics import accuracy

LABELS = np.array([0] * 60 + [1] * 30 + [2] * 10)


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


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
        table = accuracy.tallies(labels, credit)
        expected = brute_force_measures(labels, credit)
        assert accuracy.accuracy_of(table) == pytest.approx(expected["accuracy"])
        assert accuracy.balanced_accuracy_of(table) == pytest.approx(
            expected["balanced_accuracy"]
        )
        assert accuracy.macro_f1_of(table) == pytest.approx(expected["macro_f1"])


def test_intervals_equal_those_of_a_loop_that_resamples_rows():
    credit, draw = credit_of(1, 0.7), np.random.default_rng(99)
    rows = [draw.integers(0, 100, 100) for _ in range(1500)]
    loop = [brute_force_measures(LABELS[i], credit[i]) for i in rows]
    for name, ends in accuracy.accuracy_intervals(LABELS, credit, rng()).items():
        expected = np.quantile([measures[name] for measures in loop], [0.025, 0.975])
        assert ends == pytest.approx(tuple(expected), abs=0.02)


def test_an_accuracy_interval_has_the_width_of_the_normal_approximation():
    credit = np.eye(2)[(np.arange(1000) % 5 == 0).astype(int)]  # 20 % answer class 1
    labels = np.ones(1000, np.int64)
    low, high = accuracy.accuracy_intervals(labels, credit, rng())["accuracy"]
    half = 1.96 * math.sqrt(0.2 * 0.8 / 1000)
    assert (low, high) == pytest.approx((0.2 - half, 0.2 + half), abs=0.004)


def test_a_difference_of_nothing_has_p_one_and_a_clear_one_has_a_small_p():
    same = credit_of(2, 0.7)
    for difference in accuracy.accuracy_differences(
        LABELS, (same, same), rng()
    ).values():
        assert (
            difference.value,
            difference.ci_low,
            difference.ci_high,
            difference.p,
        ) == (0, 0, 0, 1)
    clear = accuracy.accuracy_differences(
        LABELS, (credit_of(3, 0.9), credit_of(4, 0.3)), rng()
    )
    for difference in clear.values():
        assert difference.ci_low > 0.2
        assert difference.p < 0.002


def test_swapping_the_two_swaps_the_sign_of_the_difference():
    a, b = credit_of(3, 0.8), credit_of(4, 0.6)
    there = accuracy.accuracy_differences(LABELS, (a, b), rng())
    back = accuracy.accuracy_differences(LABELS, (b, a), rng())
    for name, difference in there.items():
        assert (difference.value, difference.ci_low, difference.p) == pytest.approx(
            (-back[name].value, -back[name].ci_high, back[name].p)
        )


def test_paired_p_is_mcnemar_for_whole_answers_and_the_bootstrap_for_shares():
    right_a, right_b = np.array([1.0] * 9 + [0.0] * 3), np.array([0.0] * 9 + [1.0] * 3)
    assert accuracy.paired_p(right_a, right_b, rng()) == (
        pytest.approx(scipy_stats.binomtest(9, 12, 0.5).pvalue),
        "McNemar, exact",
    )
    right_a[0] = 0.5
    assert accuracy.paired_p(right_a, right_b, rng())[1] == "paired bootstrap"


def test_weighted_accuracies_are_those_of_repeated_samples():
    credit = credit_of(5, 0.6)
    weights = rng().multinomial(100, np.full(100, 0.01), 4)
    values = accuracy.weighted_balanced_accuracies(LABELS, credit, weights)
    for counts, value in zip(weights, values, strict=True):
        rows = np.repeat(np.arange(100), counts)
        expected = brute_force_measures(LABELS[rows], credit[rows])
        assert value == pytest.approx(expected["balanced_accuracy"])


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("n", [1, 7, 50, 1000])
def test_where_all_answers_are_alike_the_interval_is_wilsons(value, n):
    """As scipy has it; each of two equal classes is worth half of the samples."""
    labels = np.arange(2 * n) % 2
    credit = np.eye(2)[labels if value else 1 - labels]
    expected = binomtest(2 * n * value, 2 * n).proportion_ci(0.95, method="wilson")
    for name, ends in accuracy.accuracy_intervals(labels, credit, rng()).items():
        assert ends == pytest.approx((expected.low, expected.high), abs=1e-6), name
        assert ends[1] - ends[0] > 0


def test_a_mean_of_recalls_is_worth_the_samples_of_a_share_with_its_variance():
    sizes = np.array([90, 10])
    labels = np.repeat([0, 1], sizes)
    intervals = accuracy.accuracy_intervals(labels, np.eye(2)[labels], rng())
    worth = 4 / (1 / sizes).sum()
    z = norm.ppf(0.975)
    assert intervals["balanced_accuracy"][0] == pytest.approx(worth / (worth + z**2))
    assert intervals["accuracy"][0] == pytest.approx(100 / (100 + z**2))
