"""Tables of the tasks `joint` and `transfer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pandas as pd

from harness.analysis.score_table import score_table
from harness.records.record import Record
from harness.tasks.pairs import PairKind

Records = Sequence[Record]

KINDS: Mapping[PairKind, str] = MappingProxyType(
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
"""Kinds of pair, related ones first, and the words for what X is to Y."""
SAVED, ACCURACY = "transfer_saved_bpb", "few_label_balanced_accuracy"
WITHIN_CELL = ["dataset", "compressor", "family", "measure", "kind", "size"]


def joint_table(records: Records) -> pd.DataFrame:
    """Return the scores of the task `joint` on pairs, one row each, every draw apart.

    Columns: dataset, compressor, family, draw, measure, kind, size ("x1"), value, ci_low,
    ci_high, n, route, note, beyond (whether X lies beyond the compressor's window).
    """
    table = _done(records, "joint")
    # Scores of the whole task, such as its speed, belong to no pair.
    table = table[table["pair_size"] != ""]
    names = {
        "metric": "measure",
        "pair_kind": "kind",
        "pair_size": "size",
        "beyond_window": "beyond",
    }
    numbers = ["value", "ci_low", "ci_high", "n", "route", "note"]
    columns = ["dataset", "compressor", "family", "draw", *names, *numbers]
    return table[columns].rename(columns=names).reset_index(drop=True)


def mean_over_draws(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean value over draws, their lowest and highest, and their number."""
    groups = table.groupby(WITHIN_CELL, sort=False)
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
    table = table[table["x"] != ""]
    index = ["dataset", "compressor", "family", "x"]
    wide = table.pivot_table(index=index, columns="metric", values="value")
    wide = wide.reindex(columns=[SAVED, ACCURACY])
    beyond = table.groupby(index)["beyond_window"].max()
    wide = wide.join(beyond.rename("beyond")).reset_index()
    return wide.rename(columns={SAVED: "saved_bpb", ACCURACY: "accuracy"})


def _done(records: Records, task: str) -> pd.DataFrame:
    table = score_table([r for r in records if r.job.task == task])
    done = table[(table["status"] == "done") & table["value"].notna()]
    # A record that was made again under a new key must not count twice.
    return done.drop_duplicates(["dataset", "compressor", "score", "seed", "draw"])
