"""A job: one cell of a suite, and the key that says when its result is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.compressor import CONTRACT_VERSION

FIT = "fit"
BASELINE = "baseline"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: a compressor configuration, or a baseline."""

    spec: str
    name: str
    family: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    plugin: str = ""
    source_hash: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One task for one subject on one data set."""

    suite: str
    task: str
    version: int
    parameters: Mapping[str, Any]
    subject: Subject
    dataset: str
    content_hash: str
    n_train: int | None
    n_test: int | None
    seed: int
    official: bool = True
    fit_key: str = ""

    @property
    def key(self) -> str:
        """The sha256 of whatever decides the result; names of suites and files do not."""
        subject = self.subject
        decides = {
            "contract": CONTRACT_VERSION,
            "compressor": [subject.name, dict(subject.fields), subject.source_hash],
            "versions": dict(subject.versions),
            "data": [self.content_hash, self.n_train, self.n_test],
            "task": [self.task, dict(self.parameters), self.version],
            "seed": self.seed,
        }
        canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def to_json(job: Job) -> dict[str, Any]:
    """Return the job as plain values."""
    return asdict(job)


def from_json(values: Mapping[str, Any]) -> Job:
    """Return the job that `to_json` wrote."""
    return Job(**{**values, "subject": Subject(**values["subject"])})
