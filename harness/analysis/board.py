"""A leaderboard as values: its columns, rows and cells, and why some are empty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.analysis.columns import BoardColumn
from harness.records.job import BASELINE
from harness.records.score import HEADLINE

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
"""Rates of docs/method.md, the headline first, and their names in a chart."""
NOT_APPLICABLE = "not_applicable"
NOT_RUN = "not run"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One number with its 95 % interval, or why there is none.

    Attributes:
        value: nan where there is none.
        low, high: ends of the interval; nan where there is none.
        digits: after the decimal point.
        details: other numbers on the same answers: plain accuracy, without duplicates.
        state, route, note: of the score.
        status: "done", "not_applicable", "not run", or how the job failed.
        reason: why it has no value, one line.
    """

    # NaN and not None: cells are compared and drawn as numbers.
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    digits: int = 3
    details: tuple[tuple[str, float], ...] = ()
    state: str = ""
    route: str = ""
    note: str = ""
    status: str = NOT_RUN
    reason: str = ""

    @property
    def is_measured(self) -> bool:
        """Return whether there is a number."""
        return not math.isnan(self.value)

    @property
    def has_interval(self) -> bool:
        """Return whether the number has an interval."""
        return not (math.isnan(self.low) or math.isnan(self.high))


@dataclass(frozen=True, kw_only=True)
class Row:
    """One compressor, or one baseline, on one data set.

    Attributes:
        rank: by the first column; None without decoded bytes. Ties share the best.
        ratio: compression ratio, from the ranking rate.
        cells: one per column of the board.
        rates: every rate that was measured, by its name in `RATES`.
        badges: state, route and realisation of the ranking rate.
        failures: of its jobs, with reasons.
    """

    rank: int | None
    name: str
    family: str
    ratio: Cell
    cells: tuple[Cell, ...]
    rates: Mapping[str, Cell]
    badges: tuple[str, ...]
    remarks: tuple[str, ...]
    failures: tuple[str, ...]

    @property
    def is_baseline(self) -> bool:
        """Return whether the row is a baseline."""
        return self.family == BASELINE


@dataclass(frozen=True, kw_only=True)
class Absence:
    """Why some compressors have no score of a task."""

    task: str
    status: str
    reason: str
    names: tuple[str, ...]

    @property
    def is_failure(self) -> bool:
        """Return whether a job failed; a readout without meaning is no failure."""
        return self.status != NOT_APPLICABLE


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Leaderboard of one data set: ranked rows, then unranked ones, then baselines."""

    dataset: str
    columns: tuple[BoardColumn, ...]
    rows: tuple[Row, ...]
    absences: tuple[Absence, ...]

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to show: no task that ran declares a column."""
        return not self.rows and not self.absences

    @property
    def compressors(self) -> tuple[Row, ...]:
        """Rows above the line."""
        return tuple(row for row in self.rows if not row.is_baseline)

    @property
    def baselines(self) -> tuple[Row, ...]:
        """Rows below the line."""
        return tuple(row for row in self.rows if row.is_baseline)

    @property
    def rates(self) -> tuple[str, ...]:
        """Names of the rates that any row has, in the order of `RATES`."""
        return tuple(
            name
            for name in RATES.values()
            # A rate that nothing has would be an empty column.
            if any(name in row.rates for row in self.rows)
        )
