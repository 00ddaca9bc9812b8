"""Runs of a suite as a user sees them: plan, progress, records, leaderboard."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import harness
from harness.analysis.results import results_of
from harness.commands.fetch import fetch_all
from harness.commands.progress import JobsBar
from harness.commands.register import (
    registration_lines,
    suite_as_recorded,
    suite_design,
)
from harness.contract.registry import Registry, load_registry
from harness.data.card import Card
from harness.data.load import load_anew
from harness.data.shelf import Shelf, load_shelf, write_cards
from harness.errors import DatasetError, UnavailableError
from harness.planning.manifest import RunSet, now, record_run
from harness.planning.plan import Plan, Selection, plan
from harness.planning.suite import Suite
from harness.records.job import Job
from harness.records.record import Record
from harness.records.store import Store
from harness.report.terminal import print_results, wide_console
from harness.run import order, runner
from harness.run.inline import Inline


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a run.

    Attributes:
        data: files, folders or names that take the place of the suite's data sets.
        inline: carries out the jobs in this process; None for a process each.
    """

    output: Path
    n_jobs: int = 2
    timeout_seconds: float | None = None
    retry_failed: bool = False
    plugins_dir: Path | None = None
    cards_dir: Path | None = None
    data: Sequence[str] = ()
    device: str = "auto"
    inline: Inline | None = None


@dataclass(frozen=True, kw_only=True)
class Done:
    """A run that has ended: its plan, its records, and what it did anew."""

    planned: Plan
    store: Store
    new: tuple[Job, ...]
    seconds: float

    @property
    def records(self) -> tuple[Record, ...]:
        """Records of the plan, new and old, in its order."""
        stored = (self.store.read(job.key) for job in self.planned.jobs)
        return tuple(record for record in stored if record is not None)


def run_and_report(name: str, selection: Selection, options: Options) -> int:
    """Run a suite and print its leaderboard; return 0, or 1 if some jobs failed.

    Raises:
        UsageError: the request cannot be carried out; nothing was run.
    """
    registry, shelf = load_registry(options.plugins_dir), load_shelf(options.cards_dir)
    suite = suite_as_recorded(name, registry, shelf)
    if options.data:
        suite = suite.on([shelf.resolve(each) for each in options.data])
    for note in shelf.notes:
        wide_console().print(note, highlight=False, markup=False)
    done = carry_out(suite, registry, shelf, selection, options)
    code = _report(done)
    if done.new:
        # A share near 1 means that more jobs at a time would not help.
        busy = _cpu_seconds(done.new, done.store) / (done.seconds * options.n_jobs)
        words = (
            f"{done.seconds:,.0f} s, {options.n_jobs} jobs at a time, "
            f"cores {busy:.0%} busy"
        )
        wide_console().print(words, highlight=False)
    return code


def carry_out(
    suite: Suite,
    registry: Registry,
    shelf: Shelf,
    selection: Selection,
    options: Options,
) -> Done:
    """Run what a selection asks for of a suite, as far as it has no records.

    Raises:
        UsageError: the request cannot be carried out; nothing was run.
    """
    _check_device(options.device)
    planned = plan(suite, registry, selection, shelf)
    store = Store(options.output)
    # Before data is fetched, so that a wrong --output fails at once.
    store.open()
    planned = _with_available_data(planned, suite, selection)
    this_run = _this_run(selection)
    design = suite_design(suite, registry, shelf)
    if selection.is_official:
        # Before the first record: a registration must precede its results.
        for line in registration_lines(suite, store.folder, design):
            wide_console().print(line, highlight=False, markup=False)
    record_run(store.folder, suite, planned.jobs, this_run, design)
    write_cards(store.folder, planned.cards.values())
    todo = runner.remaining(planned.jobs, store, retry_failed=options.retry_failed)
    # Jobs may read other data sets too; all are fetched before any child starts.
    names = sorted({name for job in todo for name in job.datasets})
    fetch_all([planned.cards[name] for name in names])
    started = time.perf_counter()
    if todo:
        _run(todo, store, _limits(suite, options), planned.cards, options.inline)
    seconds = time.perf_counter() - started
    return Done(planned=planned, store=store, new=tuple(todo), seconds=seconds)


def _check_device(device: str) -> None:
    """Raise UnavailableError if a GPU is asked for and there is none."""
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise UnavailableError("torch sees no CUDA device; use --device cpu")


def _this_run(selection: Selection) -> RunSet:
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    return RunSet(
        limit=selection.limit,
        seed=selection.seed,
        command=shlex.join(["bitprobe", *sys.argv[1:]]),
        date=now(),
        version=harness.__version__,
        machine=f"Python {platform.python_version()}, {machine}",
    )


def _cpu_seconds(jobs: Sequence[Job], store: Store) -> float:
    """Return CPU seconds of the children of these jobs; rungs of a ladder share one child."""
    total, ladders = 0.0, set()
    for job in jobs:
        record = store.read(job.key)
        if record is None or (job.ladder and job.ladder in ladders):
            continue
        ladders.add(job.ladder)
        total += record.cost.total_cpu_seconds
    return total


def _with_available_data(planned: Plan, suite: Suite, selection: Selection) -> Plan:
    """Return the plan less optional data sets that cannot be fetched, and say so."""
    lacking = set()
    for row in suite.datasets:
        # A data set that the user names is not optional.
        if not row.optional or selection.datasets:
            continue
        try:
            load_anew(planned.cards[row.name])
        except DatasetError as error:
            lacking.add(row.name)
            wide_console().print(f"left out: {row.name}: {error}", highlight=False)
    return replace(
        planned,
        jobs=tuple(job for job in planned.jobs if job.dataset not in lacking),
        refused=tuple(
            pair for pair in planned.refused if pair[0].dataset not in lacking
        ),
    )


def _limits(suite: Suite, options: Options) -> runner.Limits:
    return runner.Limits(
        n_jobs=options.n_jobs,
        timeout_seconds=options.timeout_seconds or suite.limits.timeout_seconds,
        memory_bytes=suite.limits.memory_bytes,
        device=options.device,
    )


def _run(
    todo: Sequence[Job],
    store: Store,
    limits: runner.Limits,
    cards: Mapping[str, Card],
    inline: Inline | None,
) -> None:
    seconds = order.expected_seconds(todo, order.read_history(), cards)
    ordered = order.longest_first(todo, seconds)
    expected = {job.key: each for job, each in zip(todo, seconds, strict=True)}
    try:
        with JobsBar(expected) as bar:
            runner.run(ordered, store, limits, bar.ended, inline)
    finally:
        # After an interruption too: the jobs that ended give times for the next run.
        order.remember(todo, store)


def _report(done: Done) -> int:
    """Print leaderboard, refusals and counts of a run; return 1 if some jobs failed, or 0."""
    planned, store, records = done.planned, done.store, done.records
    console = wide_console()
    if records:
        # Only the records of this selection, not all of the folder.
        print_results(replace(results_of(store), stored=records), console)
    for job, reason in planned.refused:
        console.print(f"{job.subject.spec} on {job.dataset}: {reason}", highlight=False)
    n_failed = sum(record.is_failed for record in records)
    n_fits = sum(record.is_fit for record in records)
    console.print(
        f"{len(records)} records ({n_fits} fits), {len(done.new)} of them new, "
        f"{n_failed} failed; in {store.folder}",
        highlight=False,
    )
    return 1 if n_failed or planned.refused else 0
