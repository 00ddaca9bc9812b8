"""`bitprobe judge`: scores computed anew from the measurements of a run."""

from __future__ import annotations

import time
from pathlib import Path

from harness.commands.fetch import fetch_all
from harness.commands.progress import JobsBar
from harness.data.shelf import run_shelf
from harness.errors import StoreError
from harness.records.store import Store
from harness.report.terminal import wide_console
from harness.run import runner

TIMEOUT_SECONDS = 3600.0
MEMORY_BYTES = 8 << 30


def judge_and_report(folder: Path, *, n_jobs: int) -> int:
    """Compute the scores of a run folder anew from its measurements; count the changes.

    Returns:
        0, or 1 if a record could not be judged.

    Raises:
        UsageError: there are no records, or none with measurements.
    """
    store = Store(folder)
    # A fit has an artifact and no scores.
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
        timeout_seconds=TIMEOUT_SECONDS,
        memory_bytes=MEMORY_BYTES,
    )
    jobs = [record.job for record in measured]
    shelf = run_shelf(folder)
    names = sorted({name for job in jobs for name in job.datasets})
    fetch_all([shelf.card(name) for name in names])
    started = time.perf_counter()
    # Times of judging are alike and unrecorded: every record counts the same.
    with JobsBar({record.key: 1.0 for record in measured}) as bar:
        runner.judge(measured, store, limits, bar.ended)
    after = {record.key: record for record in store.read_all()}
    # A changed score moves a published number, which the CHANGELOG must name.
    changed = sum(after[record.key].scores != record.scores for record in measured)
    failed = sum(after[record.key].is_failed for record in measured)
    wide_console().print(
        f"{len(measured)} of {len(records)} records judged in "
        f"{time.perf_counter() - started:,.0f} s, {changed} with other scores, "
        f"{failed} failed; in {folder}",
        highlight=False,
    )
    return 1 if failed else 0
