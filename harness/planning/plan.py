"""Plan of a run: the jobs of a suite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import Any

from harness.contract.registry import Registry
from harness.data.card import Card
from harness.data.shelf import Shelf, load_shelf
from harness.errors import SuiteError
from harness.planning.selection import Roster, Selection, select_rows
from harness.planning.specs import Configuration
from harness.planning.subject import planned_subject
from harness.planning.suite import DatasetRow, Suite, TaskRow
from harness.records.job import BASELINE, FIT, Job, Subject
from harness.tasks.catalog import BASELINE_VERSION, FIT_VERSION, TASKS

__all__ = ["Plan", "Selection", "plan"]

MIN_PER_CLASS = 10
"""Test samples of a class under a cap: one of them moves its recall by a tenth at most."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Jobs that can run, and cells that cannot, with the reason.

    Attributes:
        cards: of all data sets of the suite, and of those that tasks name, by name.
    """

    jobs: tuple[Job, ...]
    refused: tuple[tuple[Job, str], ...]
    cards: Mapping[str, Card]


def plan(
    suite: Suite,
    registry: Registry,
    selection: Selection,
    shelf: Shelf | None = None,
) -> Plan:
    """Return the jobs of a suite, as far as the selection asks for them.

    Args:
        suite: to run.
        registry: of the plugins.
        selection: the part of the suite.
        shelf: of the cards; None for those that are installed.

    Raises:
        UsageError: a spec, pattern, data set, task or parameter is unknown, or nothing is
            selected.
    """
    suite, shelf = suite.expanded(registry), shelf or load_shelf()
    rows = select_rows(selection.datasets, suite.datasets, "data set", "--datasets")
    tasks = select_rows(selection.tasks, suite.tasks, "task", "--tasks")
    roster = Roster(suite, registry, selection)
    jobs: dict[str, Job] = {}
    refused: list[tuple[Job, str]] = []
    n_cells = 0
    for cell in _cells(suite, rows, selection, shelf):
        for job in _baselines(cell):
            jobs.setdefault(job.key, job)
        for configuration in roster.of_dataset(cell.row):
            own_tasks = [row for row in tasks if roster.takes(configuration, row)]
            # Baselines do not count: options that leave no compressor are a mistake.
            n_cells += len(own_tasks)
            refused += _refused(cell, configuration, own_tasks)
            for job in _jobs_of(cell, configuration, registry, own_tasks):
                # Two draws or specs that come to the same are one job.
                jobs.setdefault(job.key, job)
    if not n_cells:
        raise SuiteError(
            "nothing to run: no selected compressor takes a selected task on a selected "
            "data set; give other --only, --tasks or --datasets"
        )
    named = {name for job in jobs.values() for name in job.datasets}
    names = sorted(named | {row.name for row in suite.datasets})
    return Plan(
        jobs=tuple(jobs.values()),
        refused=tuple(refused),
        cards={name: shelf.card(name) for name in names},
    )


@dataclass(frozen=True, kw_only=True)
class _Cell:
    """Data set and draw, which the jobs of one table share."""

    suite: Suite
    row: DatasetRow
    card: Card
    selection: Selection
    draw: int
    shelf: Shelf

    def job(
        self, name: str, version: int, subject: Subject, row: TaskRow | None = None
    ) -> Job:
        first = self.suite.seed if self.selection.seed is None else self.selection.seed
        limit, caps = self.selection.limit, row or TaskRow(name=name)
        # Fits and baselines are no tasks: they have no parameters and may run in parallel.
        task = TASKS.get(name)
        return Job(
            suite=self.suite.name,
            task=name,
            version=version,
            parameters=self._with_contents(task.complete(caps.parameters))
            if task
            else {},
            subject=subject,
            dataset=self.row.name,
            content_hash=self.card.identity,
            # The tightest cap holds: the data set's, the task's or the user's.
            n_train=_least(self.row.train, caps.train, limit),
            n_test=_least(self.row.test, caps.test, limit),
            min_per_class=MIN_PER_CLASS,
            # Consecutive, so that a suite with more draws keeps the jobs it had.
            seed=first + self.draw,
            draw=self.draw,
            official=self.selection.is_official,
            remark=self.suite.notes.get(subject.name, ""),
            alone=task.alone if task else False,
            weight=task.weight if task else 1.0,
        )

    def _with_contents(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Add content hashes of the other data sets that a task names: they decide results."""
        if "others" not in parameters:
            return parameters
        # By content, so that the key changes when a foreign data set is corrected.
        cards = [self.shelf.card(name) for name in parameters["others"]]
        return {**parameters, "others_content": tuple(card.identity for card in cards)}


def _cells(
    suite: Suite, rows: Sequence[DatasetRow], selection: Selection, shelf: Shelf
) -> Iterator[_Cell]:
    for row in rows:
        card = shelf.card(row.name)
        for draw in range(suite.draws):
            yield _Cell(
                suite=suite,
                row=row,
                card=card,
                selection=selection,
                draw=draw,
                shelf=shelf,
            )


def _baselines(cell: _Cell) -> Iterator[Job]:
    for method in cell.suite.baselines:
        subject = Subject(spec=method, name=method, family="baseline")
        yield cell.job(BASELINE, BASELINE_VERSION, subject)


def _refused(
    cell: _Cell, configuration: Configuration, rows: Sequence[TaskRow]
) -> list[tuple[Job, str]]:
    """Return the cells of a configuration whose plugin cannot be loaded here."""
    if configuration.compressor is not None:
        return []
    # Only the plugin, which cannot be loaded here, declares the family.
    subject = Subject(spec=configuration.spec, name=configuration.name, family="?")
    jobs = [cell.job(row.name, 0, subject, row=row) for row in rows]
    return [(job, configuration.unavailable) for job in jobs]


def _jobs_of(
    cell: _Cell,
    configuration: Configuration,
    registry: Registry,
    rows: Sequence[TaskRow],
) -> Iterator[Job]:
    """Yield the jobs of one compressor on one data set, each fit before its readers."""
    if configuration.compressor is None:
        return
    subject = planned_subject(configuration.compressor, registry, cell.card)
    for row in rows:
        task = TASKS[row.name]
        job = cell.job(task.name, task.version, subject, row)
        if task.reads_fit:
            fit = _fit(cell, subject, row)
            # Once per reader; `plan` merges jobs of one key.
            yield fit
            job = replaced(job, fit_key=fit.key)
        yield job


def _fit(cell: _Cell, subject: Subject, row: TaskRow) -> Job:
    # A fit on train does not depend on the choice of test samples.
    job = replaced(cell.job(FIT, FIT_VERSION, subject, row), n_test=None)
    if not subject.ladder_field:
        return job
    # Rungs of a ladder differ in one field: without it they have the same key.
    shared_fields = {
        name: value
        for name, value in subject.fields.items()
        if name != subject.ladder_field
    }
    shared = replaced(job, subject=replaced(subject, fields=shared_fields)).key
    return replaced(job, rung=subject.fields[subject.ladder_field], ladder=shared)


def _least(*caps: int | None) -> int | None:
    limits = [cap for cap in caps if cap is not None]
    return min(limits) if limits else None
