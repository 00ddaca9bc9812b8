"""The leaderboard of a data set: one line per compressor, baselines below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.units import compression_ratio

MIN_FAMILIES, MIN_DATASETS = 6, 5
BASELINE = "baseline"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One score of one task as a column; shown where a data set has it."""

    head: str
    task: str
    score: str
    digits: int = 3
    with_interval: bool = True


RATE = Column(head="held-out bpb", task="rates", score="heldout_bpb")
COLUMNS = (
    RATE,
    Column(
        head="class: balanced acc.", task="class_scratch", score="balanced_accuracy"
    ),
    Column(head="class: acc.", task="class_scratch", score="accuracy"),
    Column(
        head="adapted: balanced acc.", task="class_adapt", score="balanced_accuracy"
    ),
    Column(
        head="landmarks: balanced acc.",
        task="landmark_probe",
        score="balanced_accuracy",
    ),
    Column(head="NCD k=1: balanced acc.", task="ncd_knn", score="balanced_accuracy_k1"),
    Column(
        head="two-part bpb", task="rates", score="two_part_bpb", with_interval=False
    ),
    Column(
        head="prequential bpb",
        task="prequential",
        score="prequential_bpb",
        with_interval=False,
    ),
)
HIDDEN_NOTES = ("", "given this split")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a leaderboard, ready to print."""

    cells: tuple[str, ...]
    is_baseline: bool
    rank: float


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """The table of one data set."""

    dataset: str
    head: tuple[str, ...]
    lines: tuple[Line, ...]


def leaderboard(table: pd.DataFrame, dataset: str) -> Leaderboard:
    """Return the lines of one data set: ranked by held-out rate, baselines last."""
    here = table[table["dataset"] == dataset]
    columns = [column for column in COLUMNS if not _select(here, column).empty]
    heads = [column.head for column in columns]
    lines = [
        _line(str(name), group, columns) for name, group in here.groupby("compressor")
    ]
    lines.sort(key=lambda line: (line.is_baseline, line.rank, line.cells))
    return Leaderboard(
        dataset=dataset,
        head=("compressor", "family", "ratio", *heads, "remarks"),
        lines=tuple(lines),
    )


def _select(table: pd.DataFrame, column: Column) -> pd.DataFrame:
    """Return the rows of one score; baselines answer for every class readout."""
    of_task = (table["task"] == column.task) | (table["task"] == BASELINE)
    chosen = table[(table["score"] == column.score) & of_task]
    has_own = (chosen["task"] == column.task).any()
    return chosen if has_own or column is RATE else chosen.iloc[:0]


def _line(name: str, group: pd.DataFrame, columns: Sequence[Column]) -> Line:
    family = str(group["family"].iloc[0])
    rate = _mean(_select(group, RATE))
    cells = [
        name,
        family,
        "-" if math.isnan(rate) else f"{compression_ratio(rate):.3f}",
    ]
    of_baseline = group["task"] == BASELINE
    for column in columns:
        chosen = group[
            (group["score"] == column.score)
            & ((group["task"] == column.task) | of_baseline)
        ]
        cells.append(_cell(chosen, column))
    return Line(
        cells=(*cells, _remarks(group)),
        is_baseline=family == BASELINE,
        rank=math.inf if math.isnan(rate) else rate,
    )


def _mean(chosen: pd.DataFrame) -> float:
    return float(chosen["value"].mean()) if len(chosen) else math.nan


def _cell(chosen: pd.DataFrame, column: Column) -> str:
    """Return the mean over draws, and its interval where there is one."""
    if chosen.empty:
        return "-"
    value = f"{_mean(chosen):.{column.digits}f}"
    low, high = chosen["ci_low"].mean(), chosen["ci_high"].mean()
    if pd.isna(low) or not column.with_interval:
        return value
    return f"{value} [{low:.{column.digits}f}, {high:.{column.digits}f}]"


def _remarks(group: pd.DataFrame) -> str:
    """Return what a reader must know: failures with reasons first."""
    bad = group[~group["status"].isin(["done", "not_applicable"])]
    remarks = [f"{row.task}: {row.status}, {row.reason}" for row in bad.itertuples()]
    held = group[group["score"] == RATE.score]
    remarks += sorted(set(held["note"].dropna()) - set(HIDDEN_NOTES))
    if group["prior_bytes"].max() > 0:
        remarks.append(f"ships {group['prior_bytes'].max() / 1024:.0f} KiB of priors")
    skipped = group[group["status"] == "not_applicable"]
    if not skipped.empty and group["family"].iloc[0] != BASELINE:
        names = ", ".join(sorted(set(skipped["task"])))
        remarks.append(f"no {names}")
    return "; ".join(dict.fromkeys(remarks))


def answer(table: pd.DataFrame) -> str:
    """Return the run's answer in words: by design undecided, until enough was measured."""
    measured = table[(table["status"] == "done") & (table["family"] != BASELINE)]
    both = measured[measured["score"] == "balanced_accuracy"]
    n_families, n_datasets = both["family"].nunique(), both["dataset"].nunique()
    return (
        "Does better compression give better representations? Undecided by design: "
        f"class readouts of {n_families} families on {n_datasets} data sets; a test needs "
        f"{MIN_FAMILIES} families and {MIN_DATASETS} data sets."
    )
