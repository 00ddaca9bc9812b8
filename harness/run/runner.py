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

from harness.job import FIT, Job, to_json
from harness.run.isolate import Server
from harness.store import Store

Progress = Callable[[Job, str], None]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How many jobs at a time, and what one may use."""

    n_jobs: int
    timeout_seconds: float
    memory_bytes: int


@dataclass
class _Running:
    """A job in flight: which stage, where, and what the first stage found."""

    job: Job
    scratch: Path
    measured: dict[str, Any] = field(default_factory=dict)
    cost: dict[str, float] = field(default_factory=dict)


def remaining(jobs: Sequence[Job], store: Store, *, retry_failed: bool) -> list[Job]:
    """Return the jobs without a record (or with a failed one), each key once."""
    todo: dict[str, Job] = {}
    for job in jobs:
        record = store.read(job.key)
        ended = record is not None and (
            not retry_failed or record["status"] in ("done", "not_applicable")
        )
        if not ended:
            todo[job.key] = job
    return list(todo.values())


def run(jobs: Sequence[Job], store: Store, limits: Limits, progress: Progress) -> None:
    """Run every job and write its record; fits come first.

    A failure is a record, never an exception. Interrupting ends the children and keeps
    every record written so far.
    """
    with (
        Server() as server,
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
        self.waiting = sorted(jobs, key=lambda job: job.task != FIT)
        while self.waiting or self.running:
            while len(self.running) < self.limits.n_jobs and self._start_next():
                pass
            self._advance(self.server.wait())

    def _start_next(self) -> bool:
        """Start the first job whose fit is not still to come; say whether there was one."""
        open_fits = {job.key for job in self.waiting if job.task == FIT}
        open_fits |= {key for key, one in self.running.items() if one.job.task == FIT}
        for index, job in enumerate(self.waiting):
            if job.fit_key in open_fits:
                continue
            del self.waiting[index]
            fit = self.store.read(job.fit_key) if job.fit_key else None
            if fit and fit["status"] != "done":
                self._finish(
                    _Running(job=job, scratch=self.scratch),
                    {"status": fit["status"], "reason": f"its fit: {fit['reason']}"},
                )
                return True
            scratch = self.scratch / job.key
            scratch.mkdir()
            self.running[job.key] = _Running(job=job, scratch=scratch)
            self._submit(job, scratch, "task", {"job": to_json(job)})
            return True
        return False

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
        record = {
            "key": one.job.key,
            "job": _public(one.job),
            "status": result["status"],
            "reason": result.get("reason", ""),
            "scores": result.get("scores", []) if result["status"] == "done" else [],
            "artifact_bits": result.get("artifact_bits"),
            "cost": one.cost,
            "environment": {
                "python": platform.python_version(),
                "cores": os.cpu_count(),
            },
        }
        self.store.write(one.job.key, record)
        if self.running.pop(one.job.key, None):
            shutil.rmtree(self.scratch / one.job.key, ignore_errors=True)
        self.progress(one.job, str(result["status"]))


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
