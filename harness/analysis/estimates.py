"""Estimates from the score table: the mean over draws of every score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.analysis.score_table import QUALIFIERS
from harness.statistics.intervals import interval_over_draws

ENDS = ["ci_low", "ci_high"]
WHAT = ["dataset", "compressor", "family", "task", "equal_bytes", "score"]
"""Fields that say what a score is."""
HOW = ["state", "route", "realised", "unit"]
"""Fields in which scores must agree before they are averaged."""


def estimates(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per measured score of a compressor: the mean over its draws.

    The interval is that of `interval_over_draws` where there are several. Scores that
    differ in state, route or how they were realised are never averaged: where a
    compressor has several, the first of the table stands.

    Columns: `WHAT`, `HOW`, value, ci_low, ci_high, n_draws, note, and the metric with the
    fields of its variant.
    """
    done = table[(table["status"] == "done") & table["value"].notna()]
    words = done.fillna(dict.fromkeys([*HOW, "note"], ""))
    words = words.astype({"score": "str"})  # where nothing is done, pandas sees floats
    draws = words.drop_duplicates([*WHAT, *HOW, "seed", "draw"])
    groups = draws.groupby([*WHAT, *HOW], sort=False)
    means = groups.agg(
        value=("value", "mean"),
        n_draws=("value", "size"),
        **{name: (name, "first") for name in ["note", *ENDS, *QUALIFIERS]},
    )
    ends = means[ENDS].to_numpy(np.float64)
    for row, several in _groups_of_several(draws, groups.ngroup().to_numpy()):
        # One draw without an interval leaves the mean without one.
        unknown = np.isnan(several).any()
        ends[row] = np.nan if unknown else interval_over_draws(*several.T)
    means = means.assign(ci_low=ends[:, 0], ci_high=ends[:, 1])
    return means.reset_index().drop_duplicates(WHAT, ignore_index=True)


def _groups_of_several(
    draws: pd.DataFrame, group: NDArray[np.integer[Any]]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the number of each group of two draws or more, and its draws.

    Draws come as (n_draws, 3): values and both ends. A run may have ten thousand groups,
    so that they are cut out of one array and not out of the table.
    """
    numbers = draws[["value", *ENDS]].to_numpy(np.float64)
    counts = np.bincount(group)
    parts = np.split(numbers[np.argsort(group, kind="stable")], counts.cumsum()[:-1])
    for row, part in enumerate(parts):
        if len(part) > 1:
            yield row, part
