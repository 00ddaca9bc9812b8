"""Records of the tasks `joint` and `transfer` as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from harness.analysis.score_table import frame

Records = Sequence[Mapping[str, Any]]

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "same_class": "same class",
        "sibling": "sibling class",
        "same_data": "same data",
        "other_class": "other class",
        "other_data": "other data",
        "random": "random bytes",
        "shuffled": "Y shuffled",
    }
)
"""What X is to Y, related kinds first, and the words for it."""

BEYOND = "beyond its window"
WHAT = ["dataset", "compressor", "family", "measure", "kind", "size"]
NO_X, RANDOM = "none", "random"
SAVED, ACCURACY = "transfer_saved_bpb", "few_label_balanced_accuracy"
MIN_SOURCES = 6


def joint_table(records: Records) -> pd.DataFrame:
    """Return the scores of the task `joint`, one row each, every draw apart.

    Columns: dataset, compressor, family, draw, measure, kind, size ("x1"), value, ci_low,
    ci_high, n, route, note, beyond (whether X does not fit in the window).
    """
    table = _done(records, "joint")
    parts = table["score"].astype(str).str.split(":", expand=True)
    parts = parts.reindex(columns=range(3))
    table = table.assign(measure=parts[0], kind=parts[1], size=parts[2])
    table = table[table["size"].notna()]
    beyond = table["note"].astype(str).str.contains(BEYOND)
    numbers = ["value", "ci_low", "ci_high", "n", "route", "note"]
    kept = table[["dataset", "compressor", "family", "draw", *WHAT[3:], *numbers]]
    return kept.assign(beyond=beyond).reset_index(drop=True)


def mean_over_draws(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean value over draws, their lowest and highest, and their number."""
    groups = table.groupby(WHAT, sort=False)
    means = groups.agg(
        value=("value", "mean"),
        lowest=("value", "min"),
        highest=("value", "max"),
        n_draws=("value", "size"),
        beyond=("beyond", "max"),
    )
    return means.reset_index()


def transfer_table(records: Records) -> pd.DataFrame:
    """Return the mean over draws of both scores of every X of the task `transfer`.

    Columns: dataset, compressor, family, x, saved_bpb (nan without X), accuracy, beyond.
    """
    table = _done(records, "transfer")
    parts = table["score"].astype(str).str.split(":", n=1, expand=True)
    parts = parts.reindex(columns=range(2))
    table = table.assign(measure=parts[0], x=parts[1])
    index = ["dataset", "compressor", "family", "x"]
    wide = table.pivot_table(index=index, columns="measure", values="value")
    wide = wide.reindex(columns=[SAVED, ACCURACY])
    noted = table["note"].astype(str).str.contains(BEYOND)
    beyond = table.assign(beyond=noted).groupby(index)["beyond"].max()
    wide = wide.join(beyond).reset_index()
    return wide.rename(columns={SAVED: "saved_bpb", ACCURACY: "accuracy"})


def _done(records: Records, task: str) -> pd.DataFrame:
    table = frame([r for r in records if r["job"]["task"] == task])
    done = table[(table["status"] == "done") & table["value"].notna()]
    return done.drop_duplicates(["dataset", "compressor", "score", "seed", "draw"])
