"""Curves of the accuracy from few labels over bits on unlabelled data.

They ask whether unlabelled data helps the main task.

A point is a network on one data set: its held-out rate after training without labels, and
the balanced accuracy of a linear probe of its middle layer, in 64 dimensions, fitted on n
labels per class (docs/method.md, layer_probe). Networks differ in their family and
configuration, such as training steps, so that bits fall along a curve.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from harness.analysis.ladders import (
    ALL,
    PROBE,
    rank_correlation,
    rows_by_compressor,
    signed,
    value_and_ends,
)
from harness.records.score import (
    BALANCED_ACCURACY,
    COMMON_DIMENSION,
    HEADLINE,
    REALISED,
    Variant,
)

FEWEST = 3
"""Networks of which a correlation is computed."""
EVERY_LABEL = 0
"""Number of labels that stands for all labels of train."""
COLUMNS = [
    *("dataset", "family", "compressor", "n_labels", "bits", "bits_low", "bits_high"),
    *("accuracy", "accuracy_low", "accuracy_high", "n_draws"),
]
WORDS = (
    "Networks trained without labels: Spearman's correlation of fewer held-out bits per "
    "byte with the balanced accuracy of a linear probe of the middle layer in 64 dimensions, "
    "fitted on so many labels per class (mean over ten draws of labels). Positive: fewer bits "
    "on unlabelled data, better classes from few labels. A dash: fewer than three networks, "
    "or all tie."
)


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """Correlation of minus bits with accuracy at one number of labels.

    Attributes:
        networks: a family, or all.
        n_labels: per class; `EVERY_LABEL` for all of train.
        correlation: Spearman's; nan below three points, or where all tie.
        n: points behind it.
    """

    dataset: str
    networks: str
    n_labels: int
    correlation: float
    n: int


def label_points(means: pd.DataFrame) -> pd.DataFrame:
    """Return one row per data set, network and number of labels; empty without any.

    Rates are realised ones. Where a data set has duplicates, scores without them stand.

    Args:
        means: of `estimates`.
    """
    probed = means[(means["task"] == PROBE) & (means["metric"] == BALANCED_ACCURACY)]
    rows = []
    for dataset, here in probed.groupby("dataset"):
        of_data = means[means["dataset"] == dataset]
        realised = of_data[of_data["realised"].isin(REALISED)]
        bits = rows_by_compressor(realised, HEADLINE)
        # A sorted order, all labels last as in the table.
        numbers = sorted(set(here["n_labels"].astype(int)), key=lambda n: (n == 0, n))
        for n_labels in numbers:
            variant = Variant(
                n_labels=n_labels, role="middle", n_dimensions=COMMON_DIMENSION
            )
            accuracy = rows_by_compressor(here, BALANCED_ACCURACY, variant)
            rows += [
                {
                    "dataset": str(dataset),
                    "family": row.family,
                    "compressor": spec,
                    "n_labels": n_labels,
                    **value_and_ends(bits[spec], "bits"),
                    **value_and_ends(row, "accuracy"),
                }
                for spec, row in accuracy.items()
                if spec in bits
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def curve_rows(points: pd.DataFrame) -> Iterator[CurveRow]:
    """Yield correlations by data set, family and number of labels; those of all come last."""
    for dataset, here in points.groupby("dataset"):
        groups = {str(name): of_family for name, of_family in here.groupby("family")}
        # A single family is all there is: its correlations stand once.
        if len(groups) > 1:
            groups[ALL] = here
        for networks, group in groups.items():
            for n_labels, of_number in group.groupby("n_labels"):
                yield CurveRow(
                    dataset=str(dataset),
                    networks=networks,
                    n_labels=int(str(n_labels)),
                    correlation=rank_correlation(of_number),
                    n=len(of_number),
                )


def curve_table(rows: Sequence[CurveRow], dataset: str) -> tuple[tuple[str, ...], ...]:
    """Return the table of a data set as words, its headers first; empty without few labels."""
    here = [row for row in rows if row.dataset == dataset]
    numbers = sorted({row.n_labels for row in here} - {EVERY_LABEL})
    # With all labels alone there is no curve over labels.
    if not numbers:
        return ()
    columns = [*numbers, EVERY_LABEL]
    cells = {
        (row.networks, row.n_labels): signed(row.correlation, row.n) for row in here
    }
    # One or two networks have no correlation: a line of dashes would say nothing.
    groups = dict.fromkeys(row.networks for row in here if row.n >= FEWEST)
    lines = [
        (networks, *(cells.get((networks, n), "-") for n in columns))
        for networks in groups
    ]
    if not lines:
        return ()
    return (("networks", *map(label_words, columns)), *lines)


def label_words(n_labels: int) -> str:
    """Return the number of labels as a header."""
    if n_labels == EVERY_LABEL:
        return "all labels"
    return f"{n_labels} per class" if n_labels > 1 else "1 label per class"
