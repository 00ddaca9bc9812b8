"""From a suite to its jobs."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from dataclasses import replace as replaced
from typing import Any, TypeVar

from harness.contract.compressor import (
    Compressor,
    spec_of,
)
from harness.contract.registry import Registry, parse_spec, versions_of
from harness.data.card import Card, load_card
from harness.errors import SuiteError, UnavailableError
from harness.planning.suite import DatasetRow, Suite, TaskRow
from harness.records.job import BASELINE, FIT, Job, Subject, subject_of
from harness.tasks.catalog import BASELINE_VERSION, FIT_VERSION, TASKS

Row = TypeVar("Row", DatasetRow, TaskRow)
FILLED_BY_CARD = ("shape", "levels")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a user asked to run of a suite; empty means all."""

    only: Sequence[str] = ()
    datasets: Sequence[str] = ()
    tasks: Sequence[str] = ()
    limit: int | None = None
    seed: int | None = None

    @property
    def is_official(self) -> bool:
        """Whether this is the suite as it stands, or a part of it, unaltered."""
        return self.limit is None and self.seed is None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Jobs that can run, and cells that cannot, with why."""

    jobs: tuple[Job, ...]
    refused: tuple[tuple[Job, str], ...]


def plan(suite: Suite, registry: Registry, selection: Selection) -> Plan:
    """Return the jobs of a suite, as far as they were asked for.

    Raises:
        UsageError: a spec, data set, task or parameter is unknown.
    """
    specs = list(selection.only) or [*suite.compressors, *suite.rates_only]
    rows = _chosen(selection.datasets, suite.datasets, "data set")
    tasks = _chosen(selection.tasks, suite.tasks, "task")
    general = _parsed(specs, registry)
    skipped = {task.name: _skipped(task, suite, registry) for task in tasks}
    jobs: dict[str, Job] = {}
    refused: list[tuple[Job, str]] = []
    for cell in _cells(suite, rows, selection):
        for method in suite.baselines:
            subject = Subject(spec=method, name=method, family="baseline")
            job = cell.job(BASELINE, BASELINE_VERSION, subject)
            jobs.setdefault(job.key, job)
        own = _parsed(() if selection.only else cell.row.also, registry)
        for compressor in general.found + own.found:
            subject = _subject(compressor, registry, cell.card)
            own_names = {subject.spec, subject.name}
            chosen = [t for t in tasks if not own_names & skipped[t.name]]
            for job in _jobs_of(cell, subject, chosen):
                jobs.setdefault(job.key, job)
        for subject, reason in general.missing + own.missing:
            refused += [
                (cell.job(task.name, 0, subject, row=task), reason) for task in tasks
            ]
    return Plan(jobs=tuple(jobs.values()), refused=tuple(refused))


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """A data set and a draw: what the jobs of one table have in common."""

    suite: Suite
    row: DatasetRow
    card: Card
    selection: Selection
    draw: int

    def job(
        self, task: str, version: int, subject: Subject, row: TaskRow | None = None
    ) -> Job:
        first = self.suite.seed if self.selection.seed is None else self.selection.seed
        limit, caps = self.selection.limit, row or TaskRow(name=task)
        known = TASKS.get(task)
        return Job(
            suite=self.suite.name,
            task=task,
            version=version,
            parameters=_with_contents(known.complete(caps.parameters)) if known else {},
            subject=subject,
            dataset=self.row.name,
            content_hash=self.card.identity,
            n_train=_least(self.row.train, caps.train, limit),
            n_test=_least(self.row.test, caps.test, limit),
            seed=first + self.draw,
            draw=self.draw,
            official=self.selection.is_official,
            remark=self.suite.notes.get(subject.name, ""),
            alone=known.alone if known else False,
            weight=known.weight if known else 1.0,
        )


def _with_contents(parameters: dict[str, Any]) -> dict[str, Any]:
    """Fill in what the other data sets that a task names contain: it decides results."""
    if "others" not in parameters:
        return parameters
    contents = tuple(load_card(name).identity for name in parameters["others"])
    return {**parameters, "others_content": contents}


def _cells(
    suite: Suite, rows: Sequence[DatasetRow], selection: Selection
) -> Iterator[_Cell]:
    for row in rows:
        card = load_card(row.name)
        for draw in range(suite.draws):
            yield _Cell(suite=suite, row=row, card=card, selection=selection, draw=draw)


def _jobs_of(cell: _Cell, subject: Subject, rows: Sequence[TaskRow]) -> Iterator[Job]:
    """Yield the jobs of one compressor on one data set, each fit before its readers."""
    for row in rows:
        task = TASKS[row.name]
        job = cell.job(task.name, task.version, subject, row)
        if task.reads_fit:
            fit = _fit(cell, subject, row)
            yield fit
            job = replaced(job, fit_key=fit.key)
        yield job


def _fit(cell: _Cell, subject: Subject, row: TaskRow) -> Job:
    # What is learned from train does not depend on which samples are tested.
    job = replaced(cell.job(FIT, FIT_VERSION, subject, row), n_test=None)
    if not subject.ladder_field:
        return job
    others = {k: v for k, v in subject.fields.items() if k != subject.ladder_field}
    shared = replaced(job, subject=replaced(subject, fields=others)).key
    return replaced(job, rung=subject.fields[subject.ladder_field], ladder=shared)


@dataclass(frozen=True, kw_only=True)
class _Parsed:
    """Specs as compressors, and those whose packages are missing, with why."""

    found: tuple[Compressor, ...]
    missing: tuple[tuple[Subject, str], ...]


def _parsed(specs: Sequence[str], registry: Registry) -> _Parsed:
    found, missing = [], []
    for spec in specs:
        try:
            found.append(registry.parse(spec))
        except UnavailableError as error:
            name, _ = parse_spec(spec)
            missing.append((Subject(spec=spec, name=name, family="?"), str(error)))
    return _Parsed(found=tuple(found), missing=tuple(missing))


def _skipped(task: TaskRow, suite: Suite, registry: Registry) -> set[str]:
    """Return the specs that a task leaves out, in their shortest form, and the names."""
    slow = suite.rates_only if task.name != "rates" else []
    names = {spec for spec in task.skip if spec.isidentifier()}
    return names | {
        spec_of(one) for one in _parsed([*task.skip, *slow], registry).found
    }


def _subject(compressor: Compressor, registry: Registry, card: Card) -> Subject:
    entry = registry.find(compressor.name)
    return replaced(
        subject_of(filled(compressor, card)),
        spec=spec_of(compressor),
        plugin=entry.origin,
        source_hash=entry.source_hash,
        versions=versions_of(type(compressor)),
    )


def filled(compressor: Compressor, card: Card) -> Compressor:
    """Return the compressor with shape and levels from the card, where it declares them."""
    declared = {field.name for field in fields(compressor)}
    given: Mapping[str, Any] = {
        name: getattr(card, name)
        for name in FILLED_BY_CARD
        if name in declared and getattr(compressor, name) is None
    }
    return replaced(compressor, **given)


def _least(*caps: int | None) -> int | None:
    given = [n for n in caps if n is not None]
    return min(given) if given else None


def _chosen(asked: Sequence[str], offered: Sequence[Row], what: str) -> list[Row]:
    """Return the rows that were asked for by name, or all."""
    names = list(dict.fromkeys(row.name for row in offered))
    for name in asked:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            hint = (
                f"did you mean {close[0]}?" if close else f"it has: {', '.join(names)}"
            )
            raise SuiteError(f"the suite has no {what} {name!r}; {hint}")
    return [row for row in offered if not asked or row.name in asked]
