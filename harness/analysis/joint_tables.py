"""Tables of the tasks `joint` and `transfer`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd

from harness.analysis.score_table import score_table
from harness.records.record import Record
from harness.tasks.pairs import PairKind
from harness.tasks.transfer import NO_X, RANDOM, SAME_DATA

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

    Columns: dataset, compressor, family, x, dose (as "x1"; "" without X), saved_bpb (nan
    without X), accuracy, beyond.
    """
    table = _done(records, "transfer")
    table = table[table["x"] != ""].rename(columns={"pair_size": "dose"})
    index = ["dataset", "compressor", "family", "x", "dose"]
    wide = table.pivot_table(index=index, columns="metric", values="value")
    wide = wide.reindex(columns=[SAVED, ACCURACY])
    beyond = table.groupby(index)["beyond_window"].max()
    wide = wide.join(beyond.rename("beyond")).reset_index()
    return wide.rename(columns={SAVED: "saved_bpb", ACCURACY: "accuracy"})


def at_dose_one(transfer: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of X of equal bytes: those of dose 1, or of a table without doses."""
    return transfer[transfer["dose"].isin(["x1", ""])]


def transfer_gains(transfer: pd.DataFrame) -> pd.DataFrame:
    """Return what X of the same and of other data adds to few-label accuracy, by dose.

    Columns: dataset, dose (as a number), kind ("same data" or "other data"), gain (accuracy
    after X minus that without any, mean over compressors), n_compressors. All doses of a kind
    have the same X and compressors: those with every dose, within the window.

    Args:
        transfer: of `transfer_table`.
    """
    index = ["dataset", "compressor"]
    reference = transfer[transfer["x"] == NO_X].set_index(index)["accuracy"]
    # Classes hold labels, and random bytes hold nothing: neither is unlabelled data.
    is_class = transfer["x"].str.startswith("class ")
    table = transfer[~is_class & ~transfer["x"].isin([NO_X, RANDOM])]
    table = table.join(reference.rename("reference"), on=index)
    table = table.assign(
        kind=np.where(table["x"] == SAME_DATA, "same data", "other data"),
        dose=table["dose"].str.removeprefix("x").replace("", "1").astype(float),
        gain=table["accuracy"] - table["reference"],
    )
    table = _in_every_dose(table)
    # One value per compressor first: other data may be several X at one dose.
    keys = ["dataset", "dose", "kind"]
    means = table.groupby([*keys, "compressor"])["gain"].mean()
    gains = means.groupby(keys).agg(gain="mean", n_compressors="size")
    return gains.reset_index()


def _in_every_dose(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of X that a compressor reads in every dose that its kind has."""
    # Otherwise a curve over doses would change its X or its compressors on the way.
    within = table[~table["beyond"].astype(bool)]
    n_doses = table.groupby(["dataset", "kind"])["dose"].nunique().rename("n_doses")
    keys = ["dataset", "compressor", "x"]
    n_read = within.groupby(keys)["dose"].transform("nunique")
    return within[n_read == within.join(n_doses, on=["dataset", "kind"])["n_doses"]]


def _done(records: Records, task: str) -> pd.DataFrame:
    table = score_table([r for r in records if r.job.task == task])
    done = table[(table["status"] == "done") & table["value"].notna()]
    # A record that was made again under a new key must not count twice.
    return done.drop_duplicates(["dataset", "compressor", "score", "seed", "draw"])
