"""One run of a suite as a user sees it: plan, progress, records, leaderboard."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

import harness
from harness.analysis.score_table import score_table
from harness.conformance import check_target
from harness.contract.compressor import spec_of
from harness.contract.registry import Registry, load_registry
from harness.data.load import load_dataset
from harness.errors import DatasetError, HarnessError, StoreError, UnavailableError
from harness.planning.manifest import RunSet, now, record_run
from harness.planning.plan import Plan, Selection, plan
from harness.planning.suite import Suite, load_suite
from harness.records.job import Job
from harness.records.store import Store
from harness.report.terminal import print_tables, wide_console
from harness.run import order, runner

JUDGE_TIMEOUT_SECONDS = 3600.0
JUDGE_MEMORY_BYTES = 8 << 30
_MARKS = {
    "passed": "passed",
    "failed": "[bold red]FAILED[/]",
    "waived": "[yellow]waived[/]",
    "not_applicable": "[dim]n/a[/]",
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run."""

    output: Path
    n_jobs: int = 2
    timeout_seconds: float | None = None
    retry_failed: bool = False
    plugins_dir: Path | None = None
    device: str = "auto"


def run_and_report(name: str, selection: Selection, options: Options) -> int:
    """Run a suite and print its leaderboard; return 0, or 1 if some jobs failed.

    Raises:
        UsageError: the request cannot be carried out; nothing was run.
    """
    check_device(options.device)
    registry = load_registry(options.plugins_dir)
    suite = load_suite(name, registry)
    planned = plan(suite, registry, selection)
    store = Store(options.output)
    store.open()
    planned = _with_available_data(planned, suite, selection)
    this_run = _this_run(selection)
    record_run(store.folder, suite, planned.jobs, this_run, _spelling(registry))
    todo = runner.remaining(planned.jobs, store, retry_failed=options.retry_failed)
    foreign = {n for job in todo for n in job.parameters.get("others", ())}
    fetch_all(sorted({job.dataset for job in todo} | foreign))
    started = time.perf_counter()
    if todo:
        _run(todo, store, _limits(suite, options))
    seconds = time.perf_counter() - started
    code = _report(planned, suite, store, len(todo))
    if todo:
        busy = _cpu_seconds(todo, store) / (seconds * options.n_jobs)
        words = (
            f"{seconds:,.0f} s, {options.n_jobs} jobs at a time, cores {busy:.0%} busy"
        )
        wide_console().print(words, highlight=False)
    return code


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


def _spelling(registry: Registry) -> Callable[[str], str]:
    """Return a function that gives the form of a spec that records have."""

    def shortest(spec: str) -> str:
        try:
            return spec_of(registry.parse(spec))
        except HarnessError:
            return spec  # of a plugin that is not here: its records may still match

    return shortest


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
            load_dataset(row.name)
        except DatasetError as error:
            lacking.add(row.name)
            wide_console().print(f"left out: {row.name}: {error}", highlight=False)
    return Plan(
        jobs=tuple(job for job in planned.jobs if job.dataset not in lacking),
        refused=tuple(
            pair for pair in planned.refused if pair[0].dataset not in lacking
        ),
    )


def judge_and_report(folder: Path, *, n_jobs: int) -> int:
    """Compute the scores of a run folder anew from its measurements, and say what changed.

    Returns:
        0, or 1 if a record could not be judged.

    Raises:
        UsageError: there are no records, or none whose measurements are there.
    """
    store = Store(folder)
    records = [record for record in store.read_all() if not record.is_fit]
    measured = [r for r in records if runner.has_measurements(r, store)]
    if not measured:
        raise StoreError(
            f"{folder} holds no measurements to judge; run its suite, published folders "
            "have records only"
        )
    store.open()
    limits = runner.Limits(
        n_jobs=n_jobs,
        timeout_seconds=JUDGE_TIMEOUT_SECONDS,
        memory_bytes=JUDGE_MEMORY_BYTES,
    )
    fetch_all(sorted({record.job.dataset for record in measured}))
    started = time.perf_counter()
    with _Bar({record.key: 1.0 for record in measured}) as bar:
        runner.judge(measured, store, limits, bar.ended)
    after = {record.key: record for record in store.read_all()}
    changed = sum(after[record.key].scores != record.scores for record in measured)
    failed = sum(after[record.key].is_failed for record in measured)
    wide_console().print(
        f"{len(measured)} of {len(records)} records judged in "
        f"{time.perf_counter() - started:,.0f} s, {changed} with other scores, "
        f"{failed} failed; in {folder}",
        highlight=False,
    )
    return 1 if failed else 0


def check_device(device: str) -> None:
    """Raise UnavailableError if a GPU is asked for and there is none."""
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise UnavailableError("torch sees no CUDA device; use --device cpu")


def fetch_all(names: Sequence[str]) -> None:
    """Fetch and verify data sets once, before any job needs them, with a progress bar.

    Raises:
        DatasetError: one of them is unknown, cannot be had or is not what its card says.
    """
    with progress_bar() as bar:
        task = bar.add_task("data", total=len(names))
        for name in names:
            bar.update(task, description=f"data: {name}")
            load_dataset(name)
            bar.advance(task)


def check_and_report(target: str, plugins_dir: Path | None) -> int:
    """Check a compressor's promises and print what was found; return 0, or 1 if any failed.

    Raises:
        UsageError: there is no such compressor or plugin file, or it does not load.
    """
    console = wide_console()
    with progress_bar() as bar:
        task = bar.add_task("checks", total=None)
        checked = check_target(
            target,
            plugins_dir,
            progress=lambda name, i, n: bar.update(
                task, description=name, completed=i, total=n
            ),
        )
    for spec, findings in checked:
        shown = Table(title=spec, title_justify="left", pad_edge=False)
        for head in ("check", "", "what it means, or what was found"):
            shown.add_column(head, overflow="fold")
        for one in findings:
            about = one.message or one.check.claim
            shown.add_row(one.check.name, _MARKS[one.status], escape(about))
        console.print(shown)
    failed = [one for _, found in checked for one in found if one.status == "failed"]
    console.print(f"{len(failed)} checks failed" if failed else "it keeps its promises")
    return 1 if failed else 0


def progress_bar() -> Progress:
    """Return a bar on the standard error, gone when it is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _limits(suite: Suite, options: Options) -> runner.Limits:
    return runner.Limits(
        n_jobs=options.n_jobs,
        timeout_seconds=options.timeout_seconds or suite.limits.timeout_seconds,
        memory_bytes=suite.limits.memory_bytes,
        device=options.device,
    )


def _run(todo: Sequence[Job], store: Store, limits: runner.Limits) -> None:
    seconds = order.expected_seconds(todo, order.read_history())
    ordered = order.longest_first(todo, seconds)
    expected = {job.key: each for job, each in zip(todo, seconds, strict=True)}
    try:
        with _Bar(expected) as bar:
            runner.run(ordered, store, limits, bar.ended)
    finally:
        order.remember(todo, store)


class _Bar:
    """A bar in expected seconds, so that the time left means something."""

    def __init__(self, expected: dict[str, float]) -> None:
        self._expected = expected
        self._n_ended = 0
        self._progress = Progress(
            TextColumn("{task.description:<60}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[n]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(
            "starting", total=sum(expected.values()), n=f"0/{len(expected)}"
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def ended(self, job: Job, status: str) -> None:
        """Move the bar past a job."""
        self._n_ended += 1
        self._progress.update(
            self._task,
            advance=self._expected[job.key],
            description=f"{job.cell}: {status}"[:60],
            n=f"{self._n_ended}/{len(self._expected)}",
        )


def _report(planned: Plan, suite: Suite, store: Store, n_new: int) -> int:
    stored = [store.read(job.key) for job in planned.jobs]
    records = [record for record in stored if record is not None]
    console = wide_console()
    print_tables(score_table(records), console)
    for job, reason in planned.refused:
        console.print(f"{job.subject.spec} on {job.dataset}: {reason}", highlight=False)
    n_failed = sum(record.is_failed for record in records)
    n_fits = sum(record.is_fit for record in records)
    console.print(
        f"{len(records)} records ({n_fits} fits), {n_new} of them new, "
        f"{n_failed} failed; in {store.folder}",
        highlight=False,
    )
    return 1 if n_failed or planned.refused else 0
