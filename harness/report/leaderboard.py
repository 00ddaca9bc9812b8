"""The leaderboard of a data set: one line per compressor, baselines below."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from harness.units import compression_ratio

HEAD = (
    "compressor",
    "family",
    "ratio",
    "heldout bpb",
    "balanced accuracy",
    "accuracy",
    "remarks",
)
MIN_FAMILIES, MIN_DATASETS = 6, 5


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a leaderboard, ready to print."""

    cells: tuple[str, ...]
    is_baseline: bool
    rank: float


def leaderboard(table: pd.DataFrame, dataset: str) -> list[Line]:
    """Return the lines of one data set: ranked by held-out rate, baselines last."""
    here = table[table["dataset"] == dataset]
    lines = [_line(str(name), group) for name, group in here.groupby("compressor")]
    return sorted(lines, key=lambda line: (line.is_baseline, line.rank, line.cells))


def answer(table: pd.DataFrame) -> str:
    """Return the run's answer in words: by design undecided, until enough was measured."""
    measured = table[(table["status"] == "done") & (table["family"] != "baseline")]
    both = measured[measured["score"] == "balanced_accuracy"]
    n_families, n_datasets = both["family"].nunique(), both["dataset"].nunique()
    return (
        "Does better compression give better representations? Undecided by design: "
        f"class readouts of {n_families} families on {n_datasets} data sets; a test needs "
        f"{MIN_FAMILIES} families and {MIN_DATASETS} data sets."
    )


def _line(name: str, group: pd.DataFrame) -> Line:
    scores = group.drop_duplicates("score").set_index("score")
    rate = _value(scores, "heldout_bpb")
    family = str(group["family"].iloc[0])
    bad = group[~group["status"].isin(["done", "not_applicable"])]
    remarks = [f"{row.task}: {row.status}, {row.reason}" for row in bad.itertuples()]
    if (
        "heldout_bpb" in scores.index
        and scores.loc["heldout_bpb", "note"] == "unconditioned"
    ):
        remarks.insert(0, "unconditioned")
    elif (
        family != "baseline" and "balanced_accuracy" not in scores.index and not remarks
    ):
        remarks.append("no labels")
    cells = (
        name,
        family,
        "-" if math.isnan(rate) else f"{compression_ratio(rate):.3f}",
        _interval(scores, "heldout_bpb", 3),
        _interval(scores, "balanced_accuracy", 3),
        _interval(scores, "accuracy", 3),
        "; ".join(remarks),
    )
    rank = math.inf if math.isnan(rate) else rate
    return Line(cells=cells, is_baseline=family == "baseline", rank=rank)


def _value(scores: pd.DataFrame, name: str) -> float:
    return float(scores["value"].to_dict().get(name, math.nan))


def _interval(scores: pd.DataFrame, name: str, digits: int) -> str:
    if name not in scores.index:
        return "-"
    row = scores.loc[name]
    if pd.isna(row["ci_low"]):
        return f"{row['value']:.{digits}f}"
    low, high = f"{row['ci_low']:.{digits}f}", f"{row['ci_high']:.{digits}f}"
    return f"{row['value']:.{digits}f} [{low}, {high}]"
