"""What a page shows of one data set: cells with their intervals, ranks and reasons."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.estimates import (
    BASELINE,
    DEDUPLICATED,
    HEADLINE,
    MEASURE,
    RATES,
    Readout,
    estimates,
    families,
    readouts,
)
from harness.units import compression_ratio

RANKED = ("decoded", "subset")
"""How a rate must be realised to have a rank."""
UNCONDITIONED = "unconditioned"
NOTHING = "\u2013"

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what is read.
        sort: what it sorts by; "" comes last.
        interval: the 95 % interval in words.
        below: a second, smaller line.
        bar: left end, width and value on the cell's track, in % of its width.
        title: shown on hover.
        kind: "", "missing" or "failed".
    """

    text: str = NOTHING
    sort: str = ""
    interval: str = ""
    below: str = ""
    bar: tuple[float, float, float] | None = None
    title: str = ""
    kind: str = "missing"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One compressor, or one baseline, on one data set."""

    rank: int | None
    compressor: str
    family: str
    look: int
    ratio: Cell
    rate: Cell
    readouts: tuple[Cell, ...]
    badges: tuple[str, ...]
    remarks: tuple[str, ...]
    failures: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Say whether it has neither a score nor a failure."""
        cells = (self.rate, *self.readouts)
        return all(cell.kind == "missing" for cell in cells) and not self.failures


@dataclass(frozen=True, kw_only=True)
class Absence:
    """Why some compressors have no score of a task."""

    task: str
    status: str
    reason: str
    compressors: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """The leaderboard of one data set and what belongs to it."""

    dataset: str
    readouts: tuple[tuple[str, str], ...]  # task, variant
    rows: tuple[Row, ...]
    baselines: tuple[Row, ...]
    rates: tuple[str, ...]
    rate_rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    absences: tuple[Absence, ...]


def boards(table: pd.DataFrame) -> list[Board]:
    """Return one board per data set, by name."""
    measured = estimates(table)
    looks = {name: index for index, name in enumerate(families(table))}
    return [
        _board(str(name), here, measured[measured["dataset"] == name], looks)
        for name, here in table.groupby("dataset")
    ]


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """The scores of one data set, to be looked up."""

    rates: Mapping[tuple[str, str], Any]
    readouts: Mapping[tuple[str, str, bool, str], Any]
    absent: Mapping[tuple[str, str, bool], tuple[str, str]]
    span: Interval | None


def _board(
    dataset: str, here: pd.DataFrame, measured: pd.DataFrame, looks: Mapping[str, int]
) -> Board:
    scores = _scores(here, measured)
    choices = readouts(measured)
    ranks = _ranks(scores)
    rows = [
        _row(scores, choices, group, ranks.get(str(name)), looks)
        for name, group in here.groupby("compressor")
    ]
    rows.sort(key=lambda row: (row.rank is None, float(row.rate.sort or "inf")))
    ours = tuple(row for row in rows if row.family != BASELINE)
    present = [name for name in RATES if any(name == rate for _, rate in scores.rates)]
    return Board(
        dataset=dataset,
        readouts=tuple((c.task, c.variant) for c in choices),
        rows=ours,
        baselines=tuple(
            row for row in rows if row.family == BASELINE and not row.is_empty
        ),
        rates=tuple(RATES[name] for name in present),
        rate_rows=tuple(
            (row.compressor, tuple(_plain(scores, row.compressor, n) for n in present))
            for row in ours
            if row.rate.kind == ""
        ),
        absences=tuple(_absences(here)),
    )


def _scores(here: pd.DataFrame, measured: pd.DataFrame) -> _Scores:
    coded = _rows(measured[measured["score"].isin([*RATES])])
    rates = {(r.compressor, r.score): r for r in reversed(coded)}
    found = {(r.compressor, r.task, r.equal_bytes, r.score): r for r in _rows(measured)}
    absent = {
        (r.compressor, r.task, r.equal_bytes): (r.status, r.reason)
        for r in _rows(here[here["status"] != "done"])
    }
    return _Scores(rates=rates, readouts=found, absent=absent, span=_span(measured))


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


def _span(measured: pd.DataFrame) -> Interval | None:
    """Return the ends of the rates' track: a codec that cannot be conditioned may leave it."""
    rates = measured[measured["score"] == HEADLINE]
    conditioned = rates[rates["note"] != UNCONDITIONED]
    ends = (conditioned if len(conditioned) else rates)[["value", "ci_low", "ci_high"]]
    return (float(ends.min().min()), float(ends.max().max())) if len(ends) else None


def _ranks(scores: _Scores) -> dict[str, int]:
    """Return the rank of each compressor whose rate is that of decoded bytes; ties share."""
    rates = {
        compressor: row.value
        for (compressor, score), row in scores.rates.items()
        if score == HEADLINE
        and row.family != BASELINE
        and row.realised in RANKED
        and row.route != "difference"
    }
    return {
        name: 1 + sum(other < value for other in rates.values())
        for name, value in rates.items()
    }


def _row(
    scores: _Scores,
    choices: Sequence[Readout],
    group: pd.DataFrame,
    rank: int | None,
    looks: Mapping[str, int],
) -> Row:
    name, family = str(group["compressor"].iloc[0]), str(group["family"].iloc[0])
    found = scores.rates.get((name, HEADLINE))
    if family == BASELINE:
        # A baseline is no compressor: its one score stands for every readout.
        choices = [Readout(task=BASELINE, equal_bytes=False)] if choices else []
    return Row(
        rank=rank,
        compressor=name,
        family=family,
        look=looks.get(family, 0),
        ratio=_ratio_cell(found),
        rate=_rate_cell(scores, name, found),
        readouts=tuple(_readout_cell(scores, name, choice) for choice in choices),
        badges=_badges(found),
        remarks=_remarks(found, group),
        failures=tuple(
            f"{a.task}: {a.status}, {a.reason}" for a in _absences(group) if _failed(a)
        ),
    )


def _ratio_cell(found: Any) -> Cell:
    if found is None:
        return Cell()
    ratio = compression_ratio(found.value)
    return Cell(text=f"{ratio:.3f}", sort=f"{ratio:.9g}", kind="")


def _rate_cell(scores: _Scores, name: str, found: Any) -> Cell:
    if found is None:
        return _absent_cell(scores, (name, "rates", False))
    below = _second(scores.readouts, (name, found.task, False), {"dedup": HEADLINE})
    return _number_cell(found, scores.span, below, is_rate=True)


def _readout_cell(scores: _Scores, name: str, choice: Readout) -> Cell:
    where = (name, choice.task, choice.equal_bytes)
    found = scores.readouts.get((*where, choice.score))
    if found is None:
        return _absent_cell(scores, where)
    plain = choice.score.replace(MEASURE, "accuracy")
    words = {"acc": plain, "dedup": choice.score}
    return _number_cell(found, (0.0, 1.0), _second(scores.readouts, where, words))


def _second(
    found: Mapping[Any, Any], where: tuple[str, str, bool], words: Mapping[str, str]
) -> str:
    parts = []
    for word, score in words.items():
        row = found.get((*where, score + (DEDUPLICATED if word == "dedup" else "")))
        if row is not None:
            parts.append(f"{word} {row.value:.3f}")
    return ", ".join(parts)


def _number_cell(
    found: Any, span: Interval | None, below: str, *, is_rate: bool = False
) -> Cell:
    has_interval = not (math.isnan(found.ci_low) or math.isnan(found.ci_high))
    ends = (found.ci_low, found.ci_high) if has_interval else (found.value, found.value)
    at = _positions((*ends, found.value), span or ends, is_rate=is_rate)
    about = {"state": found.state, "route": found.route, "": found.note}
    words = [f"{key} {value}".strip() for key, value in about.items() if value]
    return Cell(
        text=f"{found.value:.3f}",
        sort=f"{found.value:.9g}",
        interval=f"{ends[0]:.3f} to {ends[1]:.3f}" if has_interval else "",
        below=below,
        bar=(at[0], round(at[1] - at[0], 2), at[2]),
        title="; ".join(words),
        kind="",
    )


def _positions(
    values: Sequence[float], span: Interval, *, is_rate: bool
) -> tuple[float, ...]:
    """Return where values lie between the ends of a span, in %; rates on a log scale."""
    if is_rate and min(*values, *span) > 0:
        values, span = (
            [math.log(v) for v in values],
            (math.log(span[0]), math.log(span[1])),
        )
    width = (span[1] - span[0]) or 1.0
    shares = [(value - span[0]) / width for value in values]
    return tuple(round(100 * min(1.0, max(0.0, share)), 2) for share in shares)


def _absent_cell(scores: _Scores, where: tuple[str, str, bool]) -> Cell:
    status, reason = scores.absent.get(where, ("", ""))
    if status == "":
        return Cell(title="not run")
    if status == "not_applicable":
        return Cell(text="n/a", title=reason)
    return Cell(text=status.replace("_", " "), title=reason, kind="failed")


def _badges(found: Any) -> tuple[str, ...]:
    if found is None:
        return ()
    return tuple(
        word for word in (found.state, found.route, found.realised or "no code") if word
    )


def _remarks(found: Any, group: pd.DataFrame) -> tuple[str, ...]:
    remarks = []
    if found is not None and found.note == UNCONDITIONED:
        remarks.append(UNCONDITIONED)
    if found is not None and found.family != BASELINE and found.realised not in RANKED:
        remarks.append("not ranked: no decoded bytes")
    prior = group["prior_bytes"].max()
    if prior > 0:
        remarks.append(f"prior {int(prior):,} bytes")
    remarks += [remark for remark in group["remark"].dropna().unique() if remark]
    return tuple(remarks)


def _absences(here: pd.DataFrame) -> list[Absence]:
    """Return what was not measured and why; failures first."""
    names: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in _rows(here[here["status"] != "done"]):
        names[row.task, row.status, row.reason].append(row.compressor)
    found = [
        Absence(
            task=task,
            status=status,
            reason=reason,
            compressors=tuple(sorted(set(compressors))),
        )
        for (task, status, reason), compressors in names.items()
    ]
    return sorted(found, key=lambda a: (not _failed(a), a.task, a.status, a.reason))


def _failed(absence: Absence) -> bool:
    return absence.status != "not_applicable"


def _plain(scores: _Scores, compressor: str, score: str) -> Cell:
    found = scores.rates.get((compressor, score))
    return Cell() if found is None else _number_cell(found, None, "", is_rate=True)
