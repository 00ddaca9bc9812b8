"""From a suite to its jobs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import Any

from harness.compressor import Compressor, hyperparameters, spec_of
from harness.data.card import load_card
from harness.errors import SuiteError, UnavailableError
from harness.job import BASELINE, FIT, Job, Subject
from harness.registry import Registry, parse_spec, versions_of
from harness.suite import DatasetRow, Suite


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What a user asked to run of a suite; empty means all."""

    only: Sequence[str] = ()
    datasets: Sequence[str] = ()
    tasks: Sequence[str] = ()
    limit: int | None = None
    seed: int | None = None


def plan(
    suite: Suite,
    registry: Registry,
    selection: Selection,
    *,
    versions: Mapping[str, int],
    fitted: frozenset[str],
) -> tuple[list[Job], list[tuple[Job, str]]]:
    """Return the jobs in an order that respects fits, and jobs that cannot run, with why.

    Raises:
        UsageError: a spec, data set or task is unknown.
    """
    specs = _chosen(selection.only, suite.compressors, "compressor", free=True)
    names = [row.name for row in suite.datasets]
    rows = [
        row
        for row in suite.datasets
        if row.name in _chosen(selection.datasets, names, "data set")
    ]
    tasks = _chosen(selection.tasks, [t.name for t in suite.tasks], "task")
    subjects, missing = _subjects(specs, registry)
    jobs: list[Job] = []
    refused: list[tuple[Job, str]] = []
    for row in rows:
        for method in suite.baselines:
            subject = Subject(spec=method, name=method, family="baseline")
            jobs.append(_job(suite, row, selection, subject, BASELINE, versions))
        for subject in subjects:
            fit = _job(suite, row, selection, subject, FIT, versions)
            if fitted & set(tasks):
                jobs.append(fit)
            for task in suite.tasks:
                if task.name in tasks:
                    given = task.model_dump(exclude={"name"}, exclude_none=True)
                    job = _job(
                        suite, row, selection, subject, task.name, versions, given
                    )
                    key = fit.key if task.name in fitted else ""
                    jobs.append(replaced(job, fit_key=key))
        for subject, reason in missing:
            for task_name in tasks:
                job = _job(suite, row, selection, subject, task_name, versions)
                refused.append((job, reason))
    return jobs, refused


def _subjects(
    specs: Sequence[str], registry: Registry
) -> tuple[list[Subject], list[tuple[Subject, str]]]:
    subjects, missing = [], []
    for spec in specs:
        try:
            compressor = registry.parse(spec)
            subjects.append(_subject(compressor, registry))
        except UnavailableError as error:
            name, _ = parse_spec(spec)
            missing.append((Subject(spec=spec, name=name, family="?"), str(error)))
    return subjects, missing


def _subject(compressor: Compressor, registry: Registry) -> Subject:
    entry = registry.find(compressor.name)
    return Subject(
        spec=spec_of(compressor),
        name=compressor.name,
        family=compressor.family,
        fields=hyperparameters(compressor),
        plugin=entry.origin,
        source_hash=entry.source_hash,
        versions=versions_of(type(compressor)),
    )


def _job(  # noqa: PLR0913, PLR0917  (the coordinates of one cell)
    suite: Suite,
    row: DatasetRow,
    selection: Selection,
    subject: Subject,
    task: str,
    versions: Mapping[str, int],
    parameters: Mapping[str, Any] | None = None,
) -> Job:
    given = dict(parameters or {})
    if task == "class_scratch":
        given.setdefault("equal_bytes", False)
    return Job(
        suite=suite.name,
        task=task,
        version=versions[task],
        parameters=given,
        subject=subject,
        dataset=row.name,
        content_hash=load_card(row.name).content_sha256,
        n_train=_least(row.train, selection.limit),
        n_test=_least(row.test, selection.limit),
        seed=suite.seed if selection.seed is None else selection.seed,
        official=selection.limit is None and selection.seed is None,
    )


def _least(cap: int | None, limit: int | None) -> int | None:
    given = [n for n in (cap, limit) if n is not None]
    return min(given) if given else None


def _chosen(
    asked: Sequence[str], offered: Sequence[str], what: str, *, free: bool = False
) -> list[str]:
    """Return what was asked for, or all; names outside `offered` only where `free`."""
    for name in asked:
        if name not in offered and not free:
            close = difflib.get_close_matches(name, offered, n=1)
            hint = (
                f"did you mean {close[0]}?"
                if close
                else f"it has: {', '.join(offered)}"
            )
            raise SuiteError(f"the suite has no {what} {name!r}; {hint}")
    return list(asked) or list(dict.fromkeys(offered))
