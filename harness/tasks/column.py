"""Columns of a leaderboard, as tasks declare them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.records.score import PLAIN, Variant

LABEL_READERS = (
    "majority",
    "tfidf_svm",
    "raw_logreg",
    "log_length",
    "ngram_landmarks",
)
"""Baselines that read labels of train, compared with readouts that do the same."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One score of one task as a column of every leaderboard: terminal, page, CSV, LaTeX.

    It is shown where a data set has the score.

    Attributes:
        header: words above it, the same in every format.
        metric, variant: of the score.
        meaning: one sentence for a reader, shown in legends.
        digits: after the decimal point.
        with_interval: whether the interval is shown beside the value.
        higher_is_better: for sorting.
        baselines: names of the baselines whose score of the same metric is shown here.
        ranks: whether rows are ranked by it: of a task's ranking columns the first that a
            data set has is shown, and gives the ratio.
        goes_without_saying: a value that no reader asks for: where all compressors have it,
            the column is left out.
        is_readout: whether it measures the separation of classes, from 0 to 1: such
            columns have a chart against the rate.
    """

    header: str
    metric: str
    variant: Variant = PLAIN
    meaning: str = ""
    digits: int = 3
    with_interval: bool = True
    higher_is_better: bool = True
    baselines: tuple[str, ...] = ()
    ranks: bool = False
    goes_without_saying: float | None = None
    is_readout: bool = False
