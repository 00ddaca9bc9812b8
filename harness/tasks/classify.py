"""Scores of a classifier from the credit it gives to each class; ties share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.statistics import accuracy as stats
from harness.tasks.outcome import Score

DEDUPLICATED = "_dedup"
"""Suffix of scores over the test samples that duplicate nothing in train."""


def require_labels(dataset: Dataset) -> None:
    """Raise NotApplicableError where there is nothing to classify."""
    if not dataset.is_labelled:
        raise NotApplicableError(f"{dataset.name} has no labels")


def tied_credit(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1/|tied| for each class of minimal cost, 0 for the others: (n, n_classes)."""
    best = costs <= costs.min(axis=1, keepdims=True) + 1e-9
    credit: NDArray[np.float64] = best / best.sum(axis=1, keepdims=True)
    return credit


def class_scores(  # noqa: PLR0913  (what identifies the scores)
    dataset: Dataset,
    credit: NDArray[np.float64],
    *,
    state: str,
    seed: int,
    suffix: str = "",
    route: str = "",
) -> list[Score]:
    """Return accuracy, balanced accuracy, macro-F1 (with intervals) and the tie rate.

    Where test samples duplicate something in train, the same measures over the others
    follow, with the suffix "_dedup"; the tie rate is over all.

    Args:
        dataset: whose test split was classified.
        credit: shape (n_test, n_classes), the share of each answer; rows sum to 1.
        state: what the classifier knew.
        seed: of the intervals.
        suffix: of the scores' names, for variants of one readout.
        route: how conditional codes were realised; "" without.
    """
    labels = dataset.test.labels
    about = _About(state=state, route=route, seed=seed)
    scores = _measures(labels, credit, suffix, about)
    tied = float((credit.max(axis=1) < 1 - 1e-9).mean())
    scores.append(
        Score(
            name=f"tie_rate{suffix}",
            value=tied,
            unit="fraction",
            state=state,
            n=len(labels),
        )
    )
    if dataset.duplicated is not None and 0 < dataset.duplicated.sum() < len(labels):
        kept = ~dataset.duplicated
        scores += _measures(labels[kept], credit[kept], suffix + DEDUPLICATED, about)
    return scores


@dataclass(frozen=True, kw_only=True)
class _About:
    """What the measures of one classifier share."""

    state: str
    route: str
    seed: int


def _measures(
    labels: NDArray[np.int64], credit: NDArray[np.float64], suffix: str, about: _About
) -> list[Score]:
    table = stats.confusion(labels, credit)
    values = {
        "accuracy": stats.accuracy_of(table),
        "balanced_accuracy": stats.balanced_accuracy_of(table),
        "macro_f1": stats.macro_f1_of(table),
    }
    intervals = stats.accuracy_intervals(
        labels, credit, np.random.default_rng([about.seed, 2])
    )
    return [
        Score(
            name=name + suffix,
            value=value,
            unit="fraction",
            n=len(labels),
            ci_low=intervals[name][0],
            ci_high=intervals[name][1],
            note="given this split",
            state=about.state,
            route=about.route,
        )
        for name, value in values.items()
    ]
