"""Accuracies from shares of answers: measures, intervals, paired differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.statistics.intervals import (
    Interval,
    edge_interval,
    percentile_interval,
)
from harness.statistics.p_values import mcnemar_p
from harness.statistics.resampling import (
    Difference,
    ratio_difference,
    resampled_weights,
)

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def one_hot(labels: Labels, n_classes: int) -> Floats:
    """Return 1 in the column of each label and 0 elsewhere: (n,) -> (n, n_classes)."""
    # Not rows of an identity matrix, whose size is the square of the number of classes.
    table = np.zeros((len(labels), n_classes))
    table[np.arange(len(labels)), labels] = 1.0
    return table


def tallies(labels: Labels, credit: Floats) -> Floats:
    """Return hits, samples and answers of each class, (3, n_classes): all that measures need.

    They are the diagonal and the marginal sums of the expected confusion matrix, which would
    take gigabytes for thousands of classes.
    """
    truth = one_hot(labels, credit.shape[1])
    return np.stack([(truth * credit).sum(0), truth.sum(0), credit.sum(0)])


def accuracy_of(table: Floats) -> float:
    """Return the share of correct answers, from the tallies of classes."""
    return float(_measures_of(table)["accuracy"])


def balanced_accuracy_of(table: Floats) -> float:
    """Return the mean recall over the classes that occur."""
    return float(_measures_of(table)["balanced_accuracy"])


def macro_f1_of(table: Floats) -> float:
    """Return the mean F1 over the classes that occur, from expected counts."""
    return float(_measures_of(table)["macro_f1"])


def weighted_balanced_accuracies(
    labels: Labels, credit: Floats, weights: Floats
) -> Floats:
    """Return balanced accuracies of samples repeated by weight: (k, n) -> (k,)."""
    truth = one_hot(labels, credit.shape[1])
    hits, answers = weights @ (truth * credit), weights @ credit
    return _measures(hits, weights @ truth, answers)["balanced_accuracy"]


def accuracy_intervals(
    labels: Labels, credit: Floats, rng: np.random.Generator
) -> dict[str, Interval]:
    """Return percentile bootstrap intervals over test samples, given this split.

    Where every answer is right, or none, all resamples are alike, and the interval is
    Wilson's (1927). Means over classes count as many samples as a share of equal variance.

    Args:
        labels: shape (n,), the true classes.
        credit: shape (n, n_classes), the share of each answer; rows sum to 1.
        rng: source of the resamples.

    Returns:
        Both ends for "accuracy", "balanced_accuracy" and "macro_f1".
    """
    (replicates,) = _resampled_measures(labels, [credit], rng)
    return {
        name: _interval(values, labels, of_classes=name != "accuracy")
        for name, values in replicates.items()
    }


def _interval(replicates: Floats, labels: Labels, *, of_classes: bool) -> Interval:
    value = float(replicates[0])
    if value not in (0.0, 1.0) or (replicates != value).any():
        return percentile_interval(replicates)
    sizes = np.bincount(labels)
    sizes = sizes[sizes > 0]
    # The variance of a mean of recalls is p (1 - p) sum(1 / size) / n_classes^2.
    n = len(sizes) ** 2 / (1 / sizes).sum() if of_classes else len(labels)
    return edge_interval(value, float(n))


def accuracy_differences(
    labels: Labels, credits_: tuple[Floats, Floats], rng: np.random.Generator
) -> dict[str, Difference]:
    """Return the differences of two classifiers on the same test samples.

    Args:
        labels: shape (n,), the true classes.
        credits_: two of shape (n, n_classes), the share of each answer.
        rng: source of the resamples, shared by both.

    Returns:
        For "accuracy", "balanced_accuracy" and "macro_f1".
    """
    first, second = _resampled_measures(labels, credits_, rng)
    whole = [_measures_of(tallies(labels, credit)) for credit in credits_]
    return {
        name: Difference.of(
            float(whole[0][name] - whole[1][name]), first[name] - second[name]
        )
        for name in first
    }


def paired_p(
    right_a: Floats, right_b: Floats, rng: np.random.Generator
) -> tuple[float, str]:
    """Return the two-sided p of equal accuracy, and the name of the test.

    McNemar's exact test where each answer is right or wrong; where ties give shares, the
    paired bootstrap of the mean difference.

    Args:
        right_a: shape (n,), the share of the first's answer that is right.
        right_b: the same of the second.
        rng: source of the resamples.
    """
    both = np.concatenate([right_a, right_b])
    # McNemar counts whole samples; shares of ties have no exact test.
    if np.isclose(both, np.round(both), atol=1e-9).all():
        return mcnemar_p(right_a > 0.5, right_b > 0.5), "McNemar, exact"
    ones = np.ones(len(right_a))
    return ratio_difference((right_a, right_b), ones, rng).p, "paired bootstrap"


def _resampled_measures(
    labels: Labels, credits_: Sequence[Floats], rng: np.random.Generator
) -> list[dict[str, Floats]]:
    """Return, for each classifier, its measures on the same resamples."""
    truth = one_hot(labels, credits_[0].shape[1])
    # Classes without samples and answers count in no measure, and may be thousands.
    occurs = np.any([truth.any(0), *(credit.any(0) for credit in credits_)], axis=0)
    truth, credits_ = truth[:, occurs], [credit[:, occurs] for credit in credits_]
    blocks: list[list[dict[str, Floats]]] = [[] for _ in credits_]
    for weights in resampled_weights(len(labels), rng):
        actual = weights @ truth  # (b, n) -> (b, n_classes)
        for of_classifier, credit in zip(blocks, credits_, strict=True):
            hits, answers = weights @ (credit * truth), weights @ credit
            of_classifier.append(_measures(hits, actual, answers))
    return [
        {name: np.concatenate([block[name] for block in parts]) for name in parts[0]}
        for parts in blocks
    ]


def _measures_of(table: Floats) -> dict[str, Floats]:
    hits, actual, answers = table
    return _measures(hits, actual, answers)


def _measures(hits: Floats, actual: Floats, answers: Floats) -> dict[str, Floats]:
    """Return the measures of confusion matrices by their diagonals and marginal sums.

    Args:
        hits: shape (..., n_classes), the diagonal.
        actual: the same shape, samples of each class.
        answers: the same shape, answers of each class.
    """
    occurs = actual > 0
    n_occurring = occurs.sum(axis=-1)
    # A class without samples has neither recall nor F1, and counts in no mean.
    recall = np.divide(hits, actual, out=np.zeros_like(hits), where=occurs)
    f1 = np.divide(2 * hits, actual + answers, out=np.zeros_like(hits), where=occurs)
    return {
        "accuracy": hits.sum(axis=-1) / actual.sum(axis=-1),
        "balanced_accuracy": recall.sum(axis=-1) / n_occurring,
        "macro_f1": f1.sum(axis=-1) / n_occurring,
    }
