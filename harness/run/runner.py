"""Runner: skips jobs that have a record, keeps the cores busy, writes records.

A job goes through stages, each in a child process of its own: fit; or measure, decode
(where codes were written) and judge.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.planning.manifest import now
from harness.records.job import BASELINE, FIT, Job
from harness.records.record import Cost, Environment, Record, Status, score_from_json
from harness.records.record import Stage as RecordStage
from harness.records.score import Score
from harness.records.store import Store
from harness.run.codes import write_code_files
from harness.run.inline import Inline
from harness.run.isolate import Server
from harness.run.messages import Outcome, Request, Result, Stage, read_result
from harness.run.worker import ARRAYS, FACTS, JUDGED
from harness.tasks.catalog import TASKS

Progress = Callable[[Job, str], None]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Number of jobs at a time, time and memory of one job, and the device of networks."""

    n_jobs: int
    timeout_seconds: float
    memory_bytes: int
    device: str = "auto"


@dataclass
class _Running:
    """A job in flight: its stage and that stage's folder, its scratch, its cost so far.

    A fit may be one of a ladder: then one child trains all the rungs, lowest first.
    """

    job: Job
    scratch: Path
    folder: Path = Path()
    stage: Stage = "measure"
    ladder: tuple[Job, ...] = ()
    cost: dict[str, Any] = field(default_factory=dict)
    artifact_bits: float = 0.0
    before: Record | None = None


def remaining(jobs: Sequence[Job], store: Store, *, retry_failed: bool) -> list[Job]:
    """Return the jobs without a record (or with a failed one), each key once."""
    todo: dict[str, Job] = {}
    for job in jobs:
        record = store.read(job.key)
        if record is None or not _is_ended(record, store, retry_failed=retry_failed):
            todo[job.key] = job
    return list(todo.values())


def _is_ended(record: Record, store: Store, *, retry_failed: bool) -> bool:
    if record.status == "unavailable":
        # The key does not depend on the missing package, which may be installed by now.
        return False
    if record.is_failed:
        return not retry_failed
    # The record of a fit is of no use without its artifact.
    is_lost = (
        record.is_fit and record.is_done and not store.artifact(record.key).is_dir()
    )
    return not is_lost


def run(
    jobs: Sequence[Job],
    store: Store,
    limits: Limits,
    progress: Progress,
    inline: Inline | None = None,
) -> None:
    """Run every job, in this order as far as fits allow, and write its record.

    A failure is a record, never an exception. Interrupting ends the children and keeps
    every record written so far.

    Args:
        jobs: to run.
        store: of their records.
        limits: of each job.
        progress: called with each job and its status.
        inline: carries out the jobs in this process; None for a process each.
    """
    with (
        nullcontext(inline) if inline else Server(limits.device) as server,
        tempfile.TemporaryDirectory(dir=store.folder / "scratch") as scratch,
    ):
        _Loop(server, store, limits, progress, Path(scratch)).run(jobs)


def judge(
    records: Sequence[Record], store: Store, limits: Limits, progress: Progress
) -> None:
    """Compute the scores of records anew from what was measured; nothing is measured again.

    Args:
        records: of readouts or baselines, with measurements in the store.
        store: of the records, old and new.
        limits: as in `run`.
        progress: called with each job and its status.
    """
    with (
        Server(limits.device) as server,
        tempfile.TemporaryDirectory(dir=store.folder / "scratch") as scratch,
    ):
        loop = _Loop(server, store, limits, progress, Path(scratch))
        loop.before = {record.key: record for record in records}
        loop.run([record.job for record in records])


class _Loop:
    """State of one run."""

    def __init__(
        self,
        server: Server | Inline,
        store: Store,
        limits: Limits,
        progress: Progress,
        scratch: Path,
    ) -> None:
        self.server, self.store, self.limits = server, store, limits
        self.progress, self.scratch = progress, scratch
        self.running: dict[str, _Running] = {}
        self.waiting: list[Job] = []
        self.before: dict[str, Record] = {}

    def run(self, jobs: Sequence[Job]) -> None:
        # Timings never mix with parallel load: jobs that measure time come last, alone.
        self.waiting = sorted(jobs, key=lambda job: job.alone)
        while self.waiting or self.running:
            while self._has_room() and self._start_next():
                pass
            if self.running:
                self._advance(self.server.wait())

    def _has_room(self) -> bool:
        # Load beside a timing would slow what it measures.
        if any(running.job.alone for running in self.running.values()):
            return False
        return len(self.running) < self.limits.n_jobs

    def _start_next(self) -> bool:
        """Start the first job that may start now; say whether there was one."""
        # Readers wait for every fit that has not ended, waiting or in flight.
        open_fits = {job.key for job in self.waiting if job.task == FIT}
        open_fits |= {
            job.key for running in self.running.values() for job in running.ladder
        }
        for index, job in enumerate(self.waiting):
            if job.fit_key in open_fits or (job.alone and self.running):
                continue
            del self.waiting[index]
            self._start(job)
            return True
        return False

    def _start(self, job: Job) -> None:
        scratch = self.scratch / job.key
        running = _Running(job=job, scratch=scratch, before=self.before.get(job.key))
        fit = self.store.read(job.fit_key) if job.fit_key else None
        # Fail with the fit's reason rather than crash on a missing artifact.
        if fit and not fit.is_done and running.before is None:
            running.stage = "fit"
            self._finish(
                running, Result(status=fit.status, reason=f"its fit: {fit.reason}")
            )
            return
        running.artifact_bits = (fit.artifact_bits if fit else 0.0) or 0.0
        scratch.mkdir()
        self.running[job.key] = running
        if job.task == FIT:
            # One training passes through all rungs: each continues the one before.
            running.ladder = self._rungs(job)
            self._submit(running, "fit", scratch)
        elif job.task == BASELINE or running.before is not None:
            self._submit(running, "judge", scratch)
        else:
            self._submit(running, "measure", scratch)

    def _rungs(self, job: Job) -> tuple[Job, ...]:
        """Take all fits of the ladder of this job from the waiting ones, and return them."""
        if not job.ladder:
            return (job,)
        rungs = [other for other in self.waiting if other.ladder == job.ladder]
        self.waiting = [other for other in self.waiting if other.ladder != job.ladder]
        return tuple(sorted([job, *rungs], key=lambda rung: rung.rung))

    def _submit(self, running: _Running, stage: Stage, folder: Path) -> None:
        """Send a stage of a job to the fork server; `folder` is its child's scratch."""
        running.stage, running.folder, job = stage, folder, running.job
        is_decoding = stage == "decode"
        measured = running.scratch / "measured"
        if running.before is not None:
            # Judged anew: the measurements are those that the store keeps.
            measured = self.store.measured(job.key)
        request = Request(
            id=job.key,
            stage=stage,
            scratch=str(folder.resolve()),
            log=str((running.scratch / f"{stage}.log").resolve()),
            timeout_seconds=self.limits.timeout_seconds,
            memory_bytes=self.limits.memory_bytes,
            # A decoder learns nothing of the run: not its data, not its folder.
            store="" if is_decoding else str(self.store.folder.resolve()),
            job=None if is_decoding else job,
            ladder=running.ladder if stage == "fit" else (),
            artifact_bits=running.artifact_bits,
            plugin=job.subject.plugin if is_decoding else "",
            name=job.subject.name if is_decoding else "",
            fields=dict(job.subject.fields) if is_decoding else {},
            measured="" if is_decoding else str(measured.resolve()),
        )
        self.server.submit(request)

    def _advance(self, outcome: Outcome) -> None:
        """Read the result of a child: start the next stage, or finish the job."""
        running = self.running[outcome.id]
        result = _result(outcome, running.folder)
        self._add_cost(running, outcome, result)
        try:
            self._next_stage(running, result)
        except (OSError, ValueError, KeyError, HarnessError) as error:
            # Files of a child are data from outside.
            reason = f"{type(error).__name__}: {error}"
            self._finish(running, Result(status="crashed", reason=reason))

    def _next_stage(self, running: _Running, result: Result) -> None:
        scratch, decoder = running.scratch, running.scratch / "decode"
        if result.status != "done" or running.stage in ("fit", "judge"):
            self._finish(running, result)
        elif running.stage == "decode":
            write_code_files(decoder / "codes", result.hashes, scratch / "measured")
            self._submit(running, "judge", self._fresh(scratch / "judge"))
        elif result.has_codes:
            decoder.mkdir()
            # The decoder's folder holds these two and nothing else of the job.
            for name in ("codes", "artifact"):
                (scratch / name).rename(decoder / name)
            self._submit(running, "decode", decoder)
        else:
            self._submit(running, "judge", self._fresh(scratch / "judge"))

    @staticmethod
    def _fresh(folder: Path) -> Path:
        folder.mkdir()
        return folder

    @staticmethod
    def _add_cost(running: _Running, outcome: Outcome, result: Result) -> None:
        is_first = running.stage in ("fit", "measure")
        prefix = "" if is_first else f"{running.stage}_"
        # CPU seconds of a training before it was interrupted belong to it.
        seconds = outcome.cpu_seconds + (result.seconds_before if is_first else 0.0)
        running.cost[f"{prefix}wall_seconds"] = outcome.wall_seconds
        running.cost[f"{prefix}cpu_seconds"] = seconds
        running.cost[f"{prefix}peak_bytes"] = outcome.peak_bytes

    def _finish(self, running: _Running, result: Result) -> None:
        # One child trained the ladder: its rungs end alike.
        for job in running.ladder or (running.job,):
            record = _record(job, running, result)
            # Kept where judging failed, too: a mended judge needs no new measurement.
            if running.stage == "judge":
                self._keep_files(running)
            self.store.write(record)
            self.progress(job, record.status)
        if self.running.pop(running.job.key, None):
            shutil.rmtree(self.scratch / running.job.key, ignore_errors=True)

    def _keep_files(self, running: _Running) -> None:
        """Move per-sample arrays and measurements from scratch into the store."""
        key, scratch = running.job.key, running.scratch
        if (running.folder / JUDGED).is_file():
            (running.folder / JUDGED).rename(self.store.arrays_path(key))
        measured, target = scratch / "measured", self.store.measured(key)
        if measured.is_dir():
            shutil.rmtree(target, ignore_errors=True)
            measured.rename(target)


def has_measurements(record: Record, store: Store) -> bool:
    """Say whether a record can be judged anew, one whose judging failed included."""
    if record.job.task == BASELINE:
        return record.is_done or record.stage == "judge"
    folder = store.measured(record.key)
    return all((folder / name).is_file() for name in (ARRAYS, FACTS))


def _record(job: Job, running: _Running, result: Result) -> Record:
    status, reason = result.status, result.reason
    scores: tuple[Score, ...] = ()
    if status == "done":
        # Validated: the child that wrote them is another process.
        scores = tuple(score_from_json(values) for values in result.scores)
    elif running.stage == "decode":
        reason = f"decoding: {reason}"
    task = TASKS.get(job.task)
    before = running.before
    stage: RecordStage = "" if running.stage == "nothing" else running.stage
    return Record(
        key=job.key,
        job=_public(job),
        status=status,
        stage="" if status in ("done", "not_applicable") else stage,
        reason=reason,
        scores=scores,
        artifact_bits=result.artifact_bits.get(job.key),
        training_loss_bits=result.training_loss_bits.get(job.key),
        judge_version=task.judge_version if task else 1,
        # Judging anew measures nothing: the date stays that of the measurement.
        date=before.date if before else now(),
        cost=dataclasses.replace(before.cost if before else Cost(), **running.cost),
        environment=before.environment if before else _environment(),
    )


def _environment() -> Environment:
    return Environment(python=platform.python_version(), cores=os.cpu_count() or 0)


def _public(job: Job) -> Job:
    """Return the job without paths of this machine: records are published."""
    name = Path(job.subject.plugin).name
    return dataclasses.replace(
        job, subject=dataclasses.replace(job.subject, plugin=name)
    )


def _result(outcome: Outcome, folder: Path) -> Result:
    """Return the result of a child, or the reason why it has none."""
    path = folder / "result.json"
    # No links: a plugin could point one at any file of the user.
    if outcome.verdict == "exited" and path.is_file() and not path.is_symlink():
        try:
            return read_result(path.read_bytes())
        except HarnessError as error:
            return Result(status="crashed", reason=str(error))
    reasons: dict[Status, str] = {
        "timeout": f"killed after {outcome.wall_seconds:.0f} s, the limit",
        "out_of_memory": f"killed at {outcome.peak_bytes >> 20} MiB, over the limit",
        "crashed": f"the process ended with exit code {outcome.exit_code}",
    }
    status: Status = "crashed" if outcome.verdict == "exited" else outcome.verdict
    return Result(status=status, reason=reasons[status])
