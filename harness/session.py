"""One run of a suite as a user sees it: plan, progress, records, leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from harness.data.load import load_dataset
from harness.job import Job
from harness.plan import Selection, plan
from harness.registry import load_registry
from harness.report.frame import frame
from harness.report.render import print_tables, wide_console
from harness.run import runner
from harness.run.worker import FITTED, VERSIONS
from harness.store import Store
from harness.suite import load_suite


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run."""

    output: Path
    n_jobs: int = 2
    timeout_seconds: float | None = None
    retry_failed: bool = False
    plugins_dir: Path | None = None


def run_and_report(name: str, selection: Selection, options: Options) -> int:
    """Run a suite and print its leaderboard; return 0, or 1 if some jobs failed.

    Raises:
        UsageError: the request cannot be carried out; nothing was run.
    """
    suite = load_suite(name)
    registry = load_registry(options.plugins_dir)
    jobs, refused = plan(suite, registry, selection, versions=VERSIONS, fitted=FITTED)
    store = Store(options.output)
    store.open()
    todo = runner.remaining(jobs, store, retry_failed=options.retry_failed)
    for dataset in sorted({job.dataset for job in todo}):
        load_dataset(dataset)  # fetched and verified once, before any job needs it
    limits = runner.Limits(
        n_jobs=options.n_jobs,
        timeout_seconds=options.timeout_seconds or suite.limits.timeout_seconds,
        memory_bytes=suite.limits.memory_bytes,
    )
    if todo:
        _run(todo, store, limits)
    records = [store.read(job.key) for job in jobs]
    found = [record for record in records if record is not None]
    console = wide_console()
    print_tables(frame(found), console)
    for job, reason in refused:
        console.print(f"{job.subject.spec} on {job.dataset}: {reason}", highlight=False)
    failed = [r for r in found if r["status"] not in ("done", "not_applicable")]
    console.print(
        f"{len(found)} records, {len(todo)} of them new, {len(failed)} failed; "
        f"in {options.output}",
        highlight=False,
    )
    return 1 if failed or refused else 0


def _run(todo: Sequence[Job], store: Store, limits: runner.Limits) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("jobs", total=len(todo))

        def ended(job: Job, status: str) -> None:
            about = f"{job.subject.spec} {job.task} {job.dataset}: {status}"
            bar.update(task, advance=1, description=about[:60])

        runner.run(todo, store, limits, ended)
