"""Scores of a classifier from the credit it gives to each class; ties share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness import stats
from harness.tasks.outcome import Score


def tied_credit(costs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1/|tied| for each class of minimal cost, 0 for the others: (n, n_classes)."""
    best = costs <= costs.min(axis=1, keepdims=True) + 1e-9
    credit: NDArray[np.float64] = best / best.sum(axis=1, keepdims=True)
    return credit


def class_scores(  # noqa: PLR0913  (what identifies the scores)
    labels: NDArray[np.int64],
    credit: NDArray[np.float64],
    *,
    state: str,
    seed: int,
    suffix: str = "",
    route: str = "",
) -> list[Score]:
    """Return accuracy, balanced accuracy, macro-F1 (with intervals) and the tie rate."""
    table = stats.confusion(labels, credit)
    values = {
        "accuracy": stats.accuracy_of(table),
        "balanced_accuracy": stats.balanced_accuracy_of(table),
        "macro_f1": stats.macro_f1_of(table),
    }
    rng = np.random.default_rng([seed, 2])
    intervals = stats.accuracy_intervals(labels, credit, rng)
    scores = [
        Score(
            name=name + suffix,
            value=value,
            unit="fraction",
            state=state,
            route=route,
            n=len(labels),
            ci_low=intervals[name][0],
            ci_high=intervals[name][1],
            note="given this split",
        )
        for name, value in values.items()
    ]
    tied = float((credit.max(axis=1) < 1).mean())
    rate = Score(
        name=f"tie_rate{suffix}",
        value=tied,
        unit="fraction",
        state=state,
        n=len(labels),
    )
    return [*scores, rate]
