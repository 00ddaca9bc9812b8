"""Scores of a classifier from the credit it gives to each class; ties share."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.records.score import PLAIN, Score, Variant
from harness.statistics import accuracy as stats


def require_labels(dataset: Dataset) -> None:
    """Raise NotApplicableError for a data set without labels."""
    if not dataset.is_labelled:
        raise NotApplicableError(f"{dataset.name} has no labels")


def tied_credit(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1/|tied| for each class of minimal cost, 0 for the others: (n, n_classes)."""
    # Sums of logarithms that should be equal may differ by a rounding error.
    best = costs <= costs.min(axis=1, keepdims=True) + 1e-9
    credit: NDArray[np.float64] = best / best.sum(axis=1, keepdims=True)
    return credit


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Context of a classifier's answers.

    Attributes:
        state: of the compressor that was read.
        route: how conditional codes were realised; "" without.
        seed: of the intervals.
        variant: qualifiers of the scores.
    """

    state: str
    seed: int
    route: str = ""
    variant: Variant = PLAIN


def class_scores(
    dataset: Dataset, credit: NDArray[np.float64], origin: Origin
) -> list[Score]:
    """Return accuracy, balanced accuracy, macro-F1 (with intervals) and the tie rate.

    Where test samples duplicate something in train, the same measures over the others
    follow, marked as deduplicated; the tie rate is over all.

    Args:
        dataset: data set of which the test split was classified.
        credit: shape (n_test, n_classes), the share of each answer; rows sum to 1.
        origin: state, route, seed and variant of the scores.
    """
    labels = dataset.test.labels
    scores = _measures(labels, credit, origin)
    # Where no class has the whole credit, several were tied.
    n_shared = float((credit.max(axis=1) < 1 - 1e-9).mean())
    tie_rate = Score(
        metric="tie_rate",
        variant=origin.variant,
        value=n_shared,
        unit="fraction",
        state=origin.state,
        n=len(labels),
    )
    scores.append(tie_rate)
    # A sample that train repeats is recalled rather than classified.
    if dataset.duplicated is not None and 0 < dataset.duplicated.sum() < len(labels):
        unique = ~dataset.duplicated
        again = _measures(labels[unique], credit[unique], origin)
        scores += [replace(score, deduplicated=True) for score in again]
    return scores


def _measures(
    labels: NDArray[np.int64], credit: NDArray[np.float64], origin: Origin
) -> list[Score]:
    table = stats.tallies(labels, credit)
    values = {
        "accuracy": stats.accuracy_of(table),
        "balanced_accuracy": stats.balanced_accuracy_of(table),
        "macro_f1": stats.macro_f1_of(table),
    }
    intervals = stats.accuracy_intervals(
        labels, credit, np.random.default_rng([origin.seed, 2])
    )
    return [
        Score(
            metric=metric,
            variant=origin.variant,
            value=value,
            unit="fraction",
            n=len(labels),
            ci_low=intervals[metric][0],
            ci_high=intervals[metric][1],
            note="given this split",
            state=origin.state,
            route=origin.route,
        )
        for metric, value in values.items()
    ]
