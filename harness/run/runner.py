"""Run the jobs of a plan: skip what is known, keep the cores busy, write records."""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.records.job import FIT, Job, to_json
from harness.records.store import Store
from harness.run.isolate import Server

Progress = Callable[[Job, str], None]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many jobs at a time, what one may use, and where networks run."""

    n_jobs: int
    timeout_seconds: float
    memory_bytes: int
    device: str = "auto"


@dataclass
class _Running:
    """A job in flight: which stage, where, and what the first stage found.

    A fit may be one of a ladder: then one child trains all the rungs, lowest first.
    """

    job: Job
    scratch: Path
    ladder: list[Job] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)


def remaining(jobs: Sequence[Job], store: Store, *, retry_failed: bool) -> list[Job]:
    """Return the jobs without a record (or with a failed one), each key once."""
    todo: dict[str, Job] = {}
    for job in jobs:
        record = store.read(job.key)
        if record is None or not _is_ended(
            job, record, store, retry_failed=retry_failed
        ):
            todo[job.key] = job
    return list(todo.values())


def _is_ended(
    job: Job, record: Mapping[str, Any], store: Store, *, retry_failed: bool
) -> bool:
    if record["status"] not in ("done", "not_applicable"):
        return not retry_failed
    # A fit is worth nothing without what it learned.
    lost = job.task == FIT and record["status"] == "done"
    return not (lost and not store.artifact(job.key).is_dir())


def run(jobs: Sequence[Job], store: Store, limits: Limits, progress: Progress) -> None:
    """Run every job, in this order as far as fits allow, and write its record.

    A failure is a record, never an exception. Interrupting ends the children and keeps
    every record written so far.
    """
    with (
        Server(limits.device) as server,
        tempfile.TemporaryDirectory(dir=store.folder / "scratch") as scratch,
    ):
        _Loop(server, store, limits, progress, Path(scratch)).run(jobs)


class _Loop:
    """The state of one run."""

    def __init__(
        self,
        server: Server,
        store: Store,
        limits: Limits,
        progress: Progress,
        scratch: Path,
    ) -> None:
        self.server, self.store, self.limits = server, store, limits
        self.progress, self.scratch = progress, scratch
        self.running: dict[str, _Running] = {}
        self.waiting: list[Job] = []

    def run(self, jobs: Sequence[Job]) -> None:
        # Timings never mix with parallel load: jobs that measure time come last, alone.
        self.waiting = sorted(jobs, key=lambda job: job.alone)
        while self.waiting or self.running:
            while self._has_room() and self._start_next():
                pass
            self._advance(self.server.wait())

    def _has_room(self) -> bool:
        if any(one.job.alone for one in self.running.values()):
            return False
        return len(self.running) < self.limits.n_jobs

    def _start_next(self) -> bool:
        """Start the first job that may start now; say whether there was one."""
        open_fits = {job.key for job in self.waiting if job.task == FIT}
        open_fits |= {job.key for one in self.running.values() for job in one.ladder}
        for index, job in enumerate(self.waiting):
            if job.fit_key in open_fits or (job.alone and self.running):
                continue
            del self.waiting[index]
            fit = self.store.read(job.fit_key) if job.fit_key else None
            if fit and fit["status"] != "done":
                self._finish(
                    _Running(job=job, scratch=self.scratch),
                    {"status": fit["status"], "reason": f"its fit: {fit['reason']}"},
                )
                return True
            self._start(job, (fit or {}).get("artifact_bits") or 0.0)
            return True
        return False

    def _start(self, job: Job, artifact_bits: float) -> None:
        scratch = self.scratch / job.key
        scratch.mkdir()
        ladder = [job] if job.task == FIT else []
        if job.ladder:
            rungs = [one for one in self.waiting if one.ladder == job.ladder]
            self.waiting = [one for one in self.waiting if one.ladder != job.ladder]
            ladder = sorted([job, *rungs], key=lambda one: one.rung)
        self.running[job.key] = _Running(job=job, ladder=ladder, scratch=scratch)
        extra = {
            "job": to_json(job),
            "ladder": [to_json(one) for one in ladder],
            "artifact_bits": artifact_bits,
        }
        self._submit(job, scratch, "task", extra)

    def _submit(
        self, job: Job, scratch: Path, stage: str, extra: Mapping[str, Any]
    ) -> None:
        self.server.submit(
            {
                "id": job.key,
                "stage": stage,
                "scratch": str(scratch.resolve()),
                "log": str((scratch / f"{stage}.log").resolve()),
                "store": str(self.store.folder.resolve()),
                "timeout_seconds": self.limits.timeout_seconds,
                "memory_bytes": self.limits.memory_bytes,
                **extra,
            }
        )

    def _advance(self, outcome: Mapping[str, Any]) -> None:
        """Take what a child left: go on to decoding, or finish the job."""
        one = self.running[outcome["id"]]
        result = _result(outcome, one.scratch)
        costs = {k: outcome[k] for k in ("wall_seconds", "cpu_seconds", "peak_bytes")}
        if one.measured:
            one.cost.update({f"decode_{name}": value for name, value in costs.items()})
            self._finish(one, _judge(one.measured, result))
            return
        # What a training took before it was interrupted belongs to it.
        costs["cpu_seconds"] += result.get("seconds_before", 0.0)
        one.cost.update(costs)
        if not result.get("expected"):
            self._finish(one, result)
            return
        one.measured = result
        decoder = one.scratch / "decode"
        decoder.mkdir()
        for name in ("codes", "artifact"):
            (one.scratch / name).rename(decoder / name)
        subject = one.job.subject
        extra = {"plugin": subject.plugin, "name": subject.name}
        one.scratch = decoder
        self._submit(
            one.job, decoder, "decode", {**extra, "fields": dict(subject.fields)}
        )

    def _finish(self, one: _Running, result: Mapping[str, Any]) -> None:
        weights = result.get("artifact_bits", {})
        for job in one.ladder or [one.job]:
            self.store.write(
                job.key, _record(job, result, one.cost, weights.get(job.key))
            )
            self.progress(job, str(result["status"]))
        if self.running.pop(one.job.key, None):
            shutil.rmtree(self.scratch / one.job.key, ignore_errors=True)


def _record(
    job: Job,
    result: Mapping[str, Any],
    cost: Mapping[str, float],
    artifact_bits: float | None,
) -> dict[str, Any]:
    return {
        "key": job.key,
        "job": _public(job),
        "status": result["status"],
        "reason": result.get("reason", ""),
        "scores": result.get("scores", []) if result["status"] == "done" else [],
        "artifact_bits": artifact_bits,
        "cost": cost,
        "environment": {"python": platform.python_version(), "cores": os.cpu_count()},
    }


def _public(job: Job) -> dict[str, Any]:
    """Return the job without paths of this machine: records are published."""
    values = to_json(job)
    values["subject"]["plugin"] = Path(job.subject.plugin).name
    return values


def _result(outcome: Mapping[str, Any], scratch: Path) -> dict[str, Any]:
    """Return what the child found, or how it ended."""
    path = scratch / "result.json"
    if outcome["verdict"] == "exited" and path.exists():
        return dict(json.loads(path.read_text()))
    reasons = {
        "timeout": f"killed after {outcome['wall_seconds']:.0f} s, the limit",
        "out_of_memory": f"killed at {outcome['peak_bytes'] >> 20} MiB, over the limit",
    }
    fallback = f"the process ended with exit code {outcome['exit_code']}"
    status = outcome["verdict"] if outcome["verdict"] in reasons else "crashed"
    return {"status": status, "reason": reasons.get(status, fallback)}


def _judge(measured: Mapping[str, Any], decoded: Mapping[str, Any]) -> dict[str, Any]:
    """Return the measured result if a fresh process gave back every original."""
    if decoded["status"] != "done":
        return {"status": "mismatch", "reason": f"decoding: {decoded['reason']}"}
    wrong = [
        name
        for name, want in measured["expected"].items()
        if decoded["hashes"].get(name) != want
    ]
    if wrong:
        return {"status": "mismatch", "reason": f"{wrong[0]} decoded to other bytes"}
    return dict(measured)
