"""Estimates from the long table: the mean over draws of every score, and its names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.intervals import interval_over_draws

BASELINE = "baseline"
MEASURE = "balanced_accuracy"
HEADLINE = "heldout_bpb"
DEDUPLICATED = "_dedup"
ENDS = ["ci_low", "ci_high"]

RATES: Mapping[str, str] = MappingProxyType(
    {
        HEADLINE: "held-out",
        "isolated_bpb": "isolated",
        "two_part_bpb": "two-part",
        "prequential_bpb": "prequential",
        "stream_bpb": "stream",
        "cold_bpb": "cold",
    }
)
"""Rates of SCIENCE.md section 1, the headline first, and their names in a chart."""

READOUT_ORDER = ("class_adapt", "class_scratch", "landmark_probe", "layer_probe")


@dataclass(frozen=True, kw_only=True, order=True)
class Readout:
    """A class readout: one column of a leaderboard, one choice of the scatter."""

    task: str
    equal_bytes: bool
    score: str = MEASURE

    @property
    def variant(self) -> str:
        """Return in words what sets it apart from other readouts of its task."""
        words = self.score.removeprefix(MEASURE).strip("_").replace("_", " ")
        equal = "equal bytes" if self.equal_bytes else ""
        return ", ".join(word for word in (words, equal) if word)

    @property
    def label(self) -> str:
        """Return the readout's name for a reader."""
        return f"{self.task}, {self.variant}" if self.variant else self.task


def estimates(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per measured score of a compressor: the mean over its draws.

    The interval is that of `stats.interval_over_draws` where there are several. Scores
    that differ in state, route or how they were realised are never averaged: where a
    compressor has several, the first stands.
    """
    done = table[(table["status"] == "done") & table["value"].notna()]
    what = ["dataset", "compressor", "family", "task", "equal_bytes", "score"]
    how = ["state", "route", "realised", "unit"]
    known = done.fillna(dict.fromkeys([*how, "note"], ""))
    known = known.astype({"score": "str"})  # where nothing is done, pandas sees floats
    draws = known.drop_duplicates([*what, *how, "seed", "draw"])
    groups = draws.groupby([*what, *how], sort=False)
    means = groups.agg(
        value=("value", "mean"),
        ci_low=("ci_low", "first"),
        ci_high=("ci_high", "first"),
        n_draws=("value", "size"),
        note=("note", "first"),
    )
    ends = means[ENDS].to_numpy(np.float64)
    for row, several in _several(draws, groups.ngroup().to_numpy()):
        ends[row] = interval_over_draws(*several.T)
    means = means.assign(ci_low=ends[:, 0], ci_high=ends[:, 1])
    return means.reset_index().drop_duplicates(what, ignore_index=True)


def _several(
    draws: pd.DataFrame, group: NDArray[np.integer[Any]]
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield the number of each group of two draws or more, all with intervals, and them.

    Draws come as (n_draws, 3): values and both ends. A run may have ten thousand groups,
    so that they are cut out of one array and not out of the table.
    """
    numbers = draws[["value", *ENDS]].to_numpy(np.float64)
    counts = np.bincount(group)
    parts = np.split(numbers[np.argsort(group, kind="stable")], counts.cumsum()[:-1])
    for row, part in enumerate(parts):
        if len(part) > 1 and not np.isnan(part).any():
            yield row, part


def families(table: pd.DataFrame) -> list[str]:
    """Return the families of compressors in a fixed order: it decides colour and shape."""
    return sorted(set(table["family"]) - {BASELINE})


def readouts(measured: pd.DataFrame) -> list[Readout]:
    """Return the class readouts in estimates of one data set, in the order of READOUT_ORDER.

    A task without a plain balanced accuracy gives one readout for each of its variants.
    """
    scored = measured[
        (measured["task"] != BASELINE)
        & measured["score"].str.startswith(MEASURE)
        & ~measured["score"].str.endswith(DEDUPLICATED)
    ]
    found = []
    for (task, equal), group in scored.groupby(["task", "equal_bytes"]):
        names = set(group["score"])
        found += [
            Readout(task=str(task), equal_bytes=bool(equal), score=name)
            for name in ([MEASURE] if MEASURE in names else sorted(names))
        ]
    return sorted(found, key=_readout_order)


def _readout_order(readout: Readout) -> tuple[int, Readout]:
    known = readout.task in READOUT_ORDER
    rank = READOUT_ORDER.index(readout.task) if known else len(READOUT_ORDER)
    return rank, readout
