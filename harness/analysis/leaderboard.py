"""The leaderboard of a data set: one line per compressor, baselines below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.statistics.intervals import interval_over_draws
from harness.statistics.verdict import MIN_DATASETS, MIN_FAMILIES
from harness.units import compression_ratio

BASELINE = "baseline"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One score of one task as a column; shown where a data set has it."""

    head: str
    task: str
    score: str
    digits: int = 3
    with_interval: bool = True


HELD_OUT = Column(head="held-out bpb", task="rates", score="heldout_bpb")
COLD = Column(head="cold bpb", task="rates", score="cold_bpb")
READOUTS = (
    Column(head="class bal. acc.", task="class_scratch", score="balanced_accuracy"),
    Column(head="class acc.", task="class_scratch", score="accuracy"),
    Column(head="adapted bal. acc.", task="class_adapt", score="balanced_accuracy"),
    Column(
        head="landmark bal. acc.",
        task="landmark_probe",
        score="balanced_accuracy",
    ),
    Column(head="layer bal. acc.", task="layer_probe", score="balanced_accuracy"),
    Column(head="NCD 1-nn bal. acc.", task="ncd_knn", score="balanced_accuracy_k1"),
    Column(
        head="two-part bpb", task="rates", score="two_part_bpb", with_interval=False
    ),
    Column(
        head="prequential bpb",
        task="prequential",
        score="prequential_bpb",
        with_interval=False,
    ),
    Column(
        head="compress MB/s", task="speed", score="encode_median_mb_per_s", digits=1
    ),
    Column(
        head="decompress MB/s", task="speed", score="decode_median_mb_per_s", digits=1
    ),
    Column(head="memcpy MB/s", task="speed", score="memcpy_median_mb_per_s", digits=0),
    Column(head="peak bytes", task="speed", score="peak_bytes", digits=0),
)
HIDDEN_NOTES = ("", "given this split")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A value and its interval; NaN where there is none."""

    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    digits: int = 3

    @property
    def full(self) -> str:
        """Value and both ends, as in published tables."""
        if math.isnan(self.value):
            return "-"
        value = f"{self.value:.{self.digits}f}"
        if math.isnan(self.low):
            return value
        both = (self.low, self.high)
        ends = (f"{end:.{self.digits}f}".removeprefix("0") for end in both)
        return f"{value} [{', '.join(ends)}]"

    @property
    def short(self) -> str:
        """Value and half the width of the interval, for a terminal."""
        if math.isnan(self.value):
            return "-"
        value = f"{self.value:.{self.digits}f}"
        if math.isnan(self.low):
            return value
        half = f"{(self.high - self.low) / 2:.{self.digits}f}".removeprefix("0")
        return f"{value} \u00b1{half}"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of a leaderboard, ready to print; one cell per head of the board."""

    name: str
    family: str
    ratio: str
    cells: tuple[Cell, ...]
    remarks: tuple[str, ...]
    is_baseline: bool
    rank: float


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """The table of one data set."""

    dataset: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]


def leaderboard(table: pd.DataFrame, dataset: str) -> Leaderboard:
    """Return the lines of one data set: ranked by rate, baselines last."""
    here = table[table["dataset"] == dataset]
    has_held = (here["score"] == HELD_OUT.score).any()
    rates = [HELD_OUT if has_held else COLD]
    columns = [c for c in (*rates, *READOUTS) if not _of_compressors(here, c).empty]
    lines = [
        _line(str(name), group, columns) for name, group in here.groupby("compressor")
    ]
    lines = [
        x
        for x in lines
        if x.remarks or any(not math.isnan(cell.value) for cell in x.cells)
    ]
    lines.sort(key=lambda line: (line.is_baseline, line.rank, line.name))
    return Leaderboard(
        dataset=dataset, heads=tuple(c.head for c in columns), lines=tuple(lines)
    )


def _of_compressors(table: pd.DataFrame, column: Column) -> pd.DataFrame:
    return table[(table["task"] == column.task) & (table["score"] == column.score)]


def _line(name: str, group: pd.DataFrame, columns: Sequence[Column]) -> Line:
    family = str(group["family"].iloc[0])
    is_baseline = family == BASELINE
    cells = []
    for column in columns:
        own = group["task"].isin(_tasks_of(column, name, is_baseline=is_baseline))
        cells.append(_cell(group[own & (group["score"] == column.score)], column))
    rates = [column for column in columns if column in (HELD_OUT, COLD)]
    rate = _mean(_of_compressors(group, rates[0])) if rates else math.nan
    return Line(
        name=name,
        family=family,
        ratio="-" if math.isnan(rate) else f"{compression_ratio(rate):.3f}",
        cells=tuple(cells),
        remarks=tuple(_remarks(group)),
        is_baseline=is_baseline,
        rank=math.inf if math.isnan(rate) else rate,
    )


def _tasks_of(column: Column, name: str, *, is_baseline: bool) -> list[str]:
    """Return the tasks whose scores a column shows for a line."""
    if not is_baseline:
        return [column.task]
    fits = column.task in ("rates", name.removeprefix("ngram_").rstrip("s") + "_probe")
    reads_samples = column.task in ("class_scratch", "layer_probe")
    return [BASELINE] if fits or reads_samples else []


def _mean(chosen: pd.DataFrame) -> float:
    return float(chosen["value"].mean()) if len(chosen) else math.nan


def _cell(chosen: pd.DataFrame, column: Column) -> Cell:
    """Return the mean over draws, and its interval where there is one."""
    if chosen.empty:
        return Cell()
    low, high = chosen["ci_low"].mean(), chosen["ci_high"].mean()
    if pd.isna(low) or not column.with_interval:
        return Cell(value=_mean(chosen), digits=column.digits)
    if len(chosen) > 1:
        low, high = interval_over_draws(
            *(chosen[name].to_numpy(float) for name in ("value", "ci_low", "ci_high"))
        )
    return Cell(
        value=_mean(chosen), low=float(low), high=float(high), digits=column.digits
    )


def _remarks(group: pd.DataFrame) -> list[str]:
    """Return what a reader must know: failures with reasons first."""
    bad = group[~group["status"].isin(["done", "not_applicable"])]
    remarks = [f"{row.task}: {row.status}, {row.reason}" for row in bad.itertuples()]
    held = group[group["score"] == HELD_OUT.score]
    remarks += sorted(set(held["note"].dropna()) - set(HIDDEN_NOTES))
    remarks += [remark for remark in group["remark"].unique() if remark]
    if group["prior_bytes"].max() > 0:
        remarks.append(f"ships {group['prior_bytes'].max() / 1024:.0f} KiB of priors")
    return list(dict.fromkeys(remarks))


def undecided(table: pd.DataFrame) -> str:
    """Return the answer in words of a run whose suite registers no test."""
    measured = table[(table["status"] == "done") & (table["family"] != BASELINE)]
    both = measured[measured["score"] == "balanced_accuracy"]
    n_families, n_datasets = both["family"].nunique(), both["dataset"].nunique()
    return (
        "Does better compression give better representations? Undecided by design: "
        f"this suite registers no test, and has class readouts of {n_families} families on "
        f"{n_datasets} data sets; a test needs {MIN_FAMILIES} families and "
        f"{MIN_DATASETS} data sets."
    )
