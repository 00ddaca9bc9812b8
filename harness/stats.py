"""Statistics: numbers in, numbers out, random state passed in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
N_RESAMPLES = 2000
LEVEL = 0.95


def ratio_interval(
    numerators: Floats, denominators: Floats, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of sum(numerators) / sum(denominators).

    Both are resampled together, by sample (Efron and Tibshirani 1993, chapter 13).

    Returns:
        Lower and upper end, 95 %, given this split.
    """
    n = len(numerators)
    weights = rng.multinomial(n, np.full(n, 1 / n), size=N_RESAMPLES).astype(np.float64)
    totals = weights @ denominators
    ratios = (weights @ numerators)[totals > 0] / totals[totals > 0]
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def confusion(labels: NDArray[np.int64], credit: Floats) -> Floats:
    """Return the expected confusion matrix, (n_classes, n_classes): true class x share."""
    table = np.zeros((credit.shape[1], credit.shape[1]))
    np.add.at(table, labels, credit)
    return table


def accuracy_of(table: Floats) -> float:
    """Return the share of correct answers in a confusion matrix."""
    return float(np.trace(table) / table.sum())


def balanced_accuracy_of(table: Floats) -> float:
    """Return the mean recall over the classes that occur."""
    occurs = table.sum(axis=1) > 0
    return float((np.diag(table)[occurs] / table.sum(axis=1)[occurs]).mean())


def macro_f1_of(table: Floats) -> float:
    """Return the mean F1 over the classes that occur, from expected counts."""
    occurs = table.sum(axis=1) > 0
    sizes = (table.sum(axis=0) + table.sum(axis=1))[occurs]
    return float((2 * np.diag(table)[occurs] / sizes).mean())


def accuracy_intervals(
    labels: NDArray[np.int64], credit: Floats, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Return percentile bootstrap intervals over test samples, given this split.

    Args:
        labels: shape (n,), the true classes.
        credit: shape (n, n_classes), the share of each answer; rows sum to 1.
        rng: source of the resamples.
    """
    measures = {
        "accuracy": accuracy_of,
        "balanced_accuracy": balanced_accuracy_of,
        "macro_f1": macro_f1_of,
    }
    draws: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(N_RESAMPLES // 4):
        chosen = rng.integers(0, len(labels), len(labels))
        table = confusion(labels[chosen], credit[chosen])
        for name, measure in measures.items():
            draws[name].append(measure(table))
    ends = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    found = {name: np.quantile(values, ends) for name, values in draws.items()}
    return {name: (float(low), float(high)) for name, (low, high) in found.items()}
