"""Leaderboards from records: the one place that says what stands in a cell."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from harness.analysis.board import NOT_RUN, RATES, Absence, Cell, Leaderboard, Row
from harness.analysis.columns import (
    BoardColumn,
    board_columns,
    equal_bytes_of,
    score_name,
)
from harness.records.job import BASELINE
from harness.records.record import Record
from harness.records.score import Score
from harness.statistics.verdict import MIN_DATASETS, MIN_FAMILIES
from harness.units import compression_ratio
from harness.words import counted

ESTIMATE_FIELDS = [
    *("compressor", "family", "task", "equal_bytes", "score", "value", "ci_low"),
    *("ci_high", "state", "route", "realised", "note"),
]

_Where = tuple[str, bool, str]
"""Task, equal bytes and name of a score."""


def leaderboards(
    records: Sequence[Record], means: pd.DataFrame, datasets: Sequence[str] = ()
) -> tuple[Leaderboard, ...]:
    """Return a leaderboard per data set.

    Args:
        records: one set of them.
        means: their `estimates`.
        datasets: order of data sets, such as a suite's; others follow by name.
    """
    by_dataset: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        # A fit that ended well is only a step; one that failed explains empty cells.
        if not (record.is_fit and record.is_done):
            by_dataset[record.job.dataset].append(record)
    order = {name: place for place, name in enumerate(datasets)}
    names = sorted(by_dataset, key=lambda name: (order.get(name, len(order)), name))
    return tuple(
        _leaderboard(name, by_dataset[name], means[means["dataset"] == name])
        for name in names
    )


def undecided(boards: Sequence[Leaderboard]) -> str:
    """Return the answer in words of a run whose suite registers no test."""
    with_readout = {
        (row.family, board.dataset)
        for board in boards
        for row in board.compressors
        for column, cell in zip(board.columns, row.cells, strict=True)
        if column.declaration.is_readout and cell.is_measured
    }
    n_families = len({family for family, _ in with_readout})
    n_datasets = len({dataset for _, dataset in with_readout})
    return (
        "Does better compression give better representations? Undecided by design: "
        "this suite preregisters no test, and has class readouts of "
        f"{counted(n_families, 'family')} on {counted(n_datasets, 'data set')}; "
        f"a test needs {MIN_FAMILIES} families and {MIN_DATASETS} data sets."
    )


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """The scores of one data set, to be looked up.

    Attributes:
        estimates: rows of `estimates` by compressor, then task, equal bytes and score.
        statuses: status and reason of jobs without scores, by compressor, task and equal
            bytes.
    """

    estimates: Mapping[str, Mapping[_Where, Any]]
    statuses: Mapping[tuple[str, str, bool], tuple[str, str]]


def _leaderboard(
    dataset: str, records: Sequence[Record], means: pd.DataFrame
) -> Leaderboard:
    columns = board_columns(means)
    scores = _scores(records, means)
    ranks = _ranks(scores, columns)
    by_spec: dict[str, list[Record]] = defaultdict(list)
    # Files come in any order; remarks must not.
    for record in sorted(records, key=lambda record: record.key):
        by_spec[record.spec].append(record)
    rows = [
        _row(scores, columns, group, ranks.get(spec)) for spec, group in by_spec.items()
    ]
    return Leaderboard(
        dataset=dataset,
        columns=tuple(columns),
        rows=tuple(sorted(filter(_is_shown, rows), key=_row_order)),
        absences=tuple(_absences(records)),
    )


def _scores(records: Sequence[Record], means: pd.DataFrame) -> _Scores:
    by_compressor: dict[str, dict[_Where, Any]] = defaultdict(dict)
    # Looked up by dictionaries: selecting in a table per cell took half of a report.
    for estimate in means[ESTIMATE_FIELDS].itertuples(index=False):
        where = (str(estimate.task), bool(estimate.equal_bytes), str(estimate.score))
        by_compressor[str(estimate.compressor)][where] = estimate
    return _Scores(
        estimates=by_compressor,
        statuses={
            (r.spec, r.job.task, equal_bytes_of(r)): (r.status, r.reason)
            for r in records
            if not r.is_done
        },
    )


def _is_shown(row: Row) -> bool:
    """Return whether a row has a number or a failure: absences are listed apart."""
    return bool(row.failures) or any(cell.is_measured for cell in row.cells)


def _row_order(row: Row) -> tuple[Any, ...]:
    ratio = -row.ratio.value if row.ratio.is_measured else math.inf
    return row.is_baseline, row.rank is None, ratio, row.name


def _ranks(scores: _Scores, columns: Sequence[BoardColumn]) -> dict[str, int]:
    """Return the rank of each compressor whose rate is that of decoded bytes; ties share."""
    # One column at most ranks on a board.
    ranking = {_where(column) for column in columns if column.declaration.ranks}
    rates = {
        compressor: float(estimate.value)
        for compressor, of_compressor in scores.estimates.items()
        for where, estimate in of_compressor.items()
        if where in ranking and _is_ranked(estimate)
    }
    return {
        # The number of better ones: ties share a rank, and the next is skipped.
        name: 1 + sum(other < value for other in rates.values())
        for name, value in rates.items()
    }


def _is_ranked(estimate: Any) -> bool:
    rate = Score(
        metric=estimate.score,
        value=estimate.value,
        unit="",
        route=estimate.route,
        realised=estimate.realised,
    )
    return rate.is_ranked and estimate.family != BASELINE


def _row(
    scores: _Scores,
    columns: Sequence[BoardColumn],
    records: Sequence[Record],
    rank: int | None,
) -> Row:
    subject = records[0].job.subject
    name, family = subject.spec, subject.family
    # The rate that ranks is also the one of ratio, badges and remarks.
    ranking = next((c for c in columns if c.declaration.ranks), None)
    rate = None if ranking is None else _estimate(scores, name, family, ranking)
    return Row(
        rank=rank,
        name=name,
        family=family,
        ratio=_ratio(rate),
        cells=tuple(_cell(scores, name, family, column) for column in columns),
        rates=_rates(scores, name),
        badges=_badges(rate),
        remarks=tuple(_remarks(rate, records)),
        failures=tuple(
            f"{absence.task}: {absence.status}, {absence.reason}"
            for absence in _absences(records)
            if absence.is_failure
        ),
    )


def _estimate(scores: _Scores, name: str, family: str, column: BoardColumn) -> Any:
    """Return the estimate that a row shows in a column, or None.

    A baseline has one score of a metric, which stands in all columns that name it.
    """
    # A row may have no score at all: every job of it failed.
    of_compressor = scores.estimates.get(name, {})
    if family != BASELINE:
        return of_compressor.get(_where(column))
    if name not in column.declaration.baselines:
        return None
    return of_compressor.get((BASELINE, False, score_name(column.declaration)))


def _where(column: BoardColumn) -> _Where:
    return column.task, column.equal_bytes, score_name(column.declaration)


def _cell(scores: _Scores, name: str, family: str, column: BoardColumn) -> Cell:
    estimate = _estimate(scores, name, family, column)
    if estimate is None:
        where = (name, column.task, column.equal_bytes)
        status, reason = scores.statuses.get(where, (NOT_RUN, ""))
        return Cell(status=status, reason=reason)
    same_job = (str(estimate.task), bool(estimate.equal_bytes))
    names = {"dedup": score_name(column.declaration, deduplicated=True)}
    if column.declaration.is_readout:
        # Plain accuracy is of the same answers: one variant, another metric.
        names = {"acc": f"accuracy{column.declaration.variant.words}"} | names
    of_compressor = scores.estimates[name]
    details = {word: of_compressor.get((*same_job, n)) for word, n in names.items()}
    return _number(
        estimate,
        digits=column.declaration.digits,
        with_interval=column.declaration.with_interval,
        details=tuple((w, float(e.value)) for w, e in details.items() if e is not None),
    )


def _number(
    estimate: Any,
    *,
    digits: int = 3,
    with_interval: bool = True,
    details: tuple[tuple[str, float], ...] = (),
) -> Cell:
    return Cell(
        value=float(estimate.value),
        low=float(estimate.ci_low) if with_interval else math.nan,
        high=float(estimate.ci_high) if with_interval else math.nan,
        digits=digits,
        details=details,
        state=estimate.state,
        route=estimate.route,
        note=estimate.note,
        status="done",
    )


def _ratio(rate: Any) -> Cell:
    if rate is None:
        return Cell()
    return Cell(value=compression_ratio(float(rate.value)), status="done")


def _rates(scores: _Scores, name: str) -> dict[str, Cell]:
    """Return every rate of a row, whichever task measured it."""
    by_score = {w[-1]: e for w, e in scores.estimates.get(name, {}).items()}
    return {
        words: _number(by_score[score])
        for score, words in RATES.items()
        if score in by_score
    }


def _badges(rate: Any) -> tuple[str, ...]:
    if rate is None:
        return ()
    words = (rate.state, rate.route, rate.realised or "no code")
    return tuple(word for word in words if word)


def _remarks(rate: Any, records: Sequence[Record]) -> Iterator[str]:
    """Yield remarks on a compressor: its rate, the suite's words, its prior knowledge."""
    if rate is not None and rate.family != BASELINE:
        # No route to condition a code: its test split was coded alone.
        if rate.route == "none":
            yield "unconditioned"
        if not _is_ranked(rate):
            yield "not ranked: no decoded bytes"
    elif any(record.job.subject.determinism == "likelihood" for record in records):
        yield "not ranked: gives likelihoods only"
    yield from dict.fromkeys(r.job.remark for r in records if r.job.remark)
    # Declared by each configuration; the largest is what a reader must know.
    prior_bytes = max(record.job.subject.prior_bytes for record in records)
    if prior_bytes > 0:
        yield f"ships {prior_bytes / 1024:.0f} KiB of priors"


def _absences(records: Sequence[Record]) -> list[Absence]:
    """Return what was not measured and why; failures first."""
    names: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for record in records:
        if not record.is_done:
            names[record.job.task, record.status, record.reason].add(record.spec)
    absences = [
        Absence(task=task, status=status, reason=reason, names=tuple(sorted(specs)))
        for (task, status, reason), specs in names.items()
    ]
    return sorted(
        absences, key=lambda a: (not a.is_failure, a.task, a.status, a.reason)
    )
