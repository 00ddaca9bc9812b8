"""Manifest of a run folder: `suite.json`, by which the folder explains itself.

It is written before the first record and holds everything that a reading command needs
besides records: title, order of data sets, the preregistration with its specs spelled out,
and for every set of caps the keys of the newest complete set of jobs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.atomic import write_atomic
from harness.errors import StoreError
from harness.planning.design import Document
from harness.planning.preregistration import Registration
from harness.planning.suite import Suite
from harness.records.job import Job
from harness.suggest import fault_of

FILE = "suite.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunSet(_Strict):
    """Newest complete set of jobs under one choice of caps and seed.

    Attributes:
        limit, seed: of the options; None where those of the suite hold (an official set).
        command, date, version, machine: of the last run that added to the set.
        keys: by cell, such as "rates gzip digits 0", the key of its current job.
    """

    limit: int | None = None
    seed: int | None = None
    command: str = ""
    date: str = ""
    version: str = ""
    machine: str = ""
    keys: dict[str, str] = {}

    @property
    def is_official(self) -> bool:
        """True for the suite, or a part of it, with its own caps and seed."""
        return self.limit is None and self.seed is None


class Manifest(_Strict):
    """Contents of `suite.json`.

    Attributes:
        suite: the suite file as data, for readers; no program reads it.
        datasets: names in the suite's order.
        registration: of the suite, every spec in the form that records have;
            None where it registers nothing.
        design: of the newest official run, by `design_of`; empty before it.
        sets: newest last.
    """

    format: Literal[1] = 1
    name: str
    title: str
    suite: dict[str, Any] = {}
    datasets: list[str]
    registration: Registration | None = None
    design: dict[str, Any] = {}
    sets: list[RunSet] = []

    @property
    def current(self) -> RunSet:
        """The set that a report reads: the newest."""
        return self.sets[-1] if self.sets else RunSet()


def read_manifest(folder: Path) -> Manifest | None:
    """Return the manifest of a folder, or None where there is none.

    Raises:
        StoreError: the file is not legal.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StoreError(
            f"{path}: {fault_of(error)}; delete it and run the suite again: "
            "records are kept"
        ) from error


def cell_of(job: Job) -> str:
    """Return the cell of a job: two jobs of one cell answer the same question."""
    return f"{job.task} {job.subject.spec} {job.dataset} {job.draw}"


def record_run(
    folder: Path,
    suite: Suite,
    jobs: Sequence[Job],
    this_run: RunSet,
    design: Document,
) -> Manifest:
    """Write the manifest of a run into its folder, before the run's first record.

    A set of the same caps keeps its cells; those that are planned again get their new keys.

    Args:
        folder: of the records; made if need be.
        suite: that is run, specs of its hypothesis in the form that records have.
        jobs: planned, whether they have records or not.
        this_run: caps, command, date, version and machine; `keys` is filled in here.
        design: of the whole suite; not kept of a run with caps of its own.

    Raises:
        StoreError: the manifest there is not legal, or is another suite's.
    """
    before = read_manifest(folder)
    if before is not None and before.name != suite.name:
        raise StoreError(
            f"{folder} holds the suite {before.name!r}; give {suite.name!r} another "
            "folder with --output"
        )
    # Other caps make other jobs: each choice of caps and seed has its own set.
    caps = (this_run.limit, this_run.seed)
    earlier = list(before.sets) if before else []
    same = [each for each in earlier if (each.limit, each.seed) == caps]
    keys: Mapping[str, str] = same[-1].keys if same else {}
    # A changed plugin has a new key in the same cell, which replaces the old one.
    planned = {cell_of(job): job.key for job in jobs}
    newest = this_run.model_copy(update={"keys": {**keys, **planned}})
    manifest = Manifest(
        name=suite.name,
        title=suite.title,
        suite=suite.model_dump(mode="json", exclude_defaults=True),
        datasets=list(dict.fromkeys(row.name for row in suite.datasets)),
        registration=suite.hypothesis,
        # The newest, which results compare with the registered one.
        design=dict(design) if newest.is_official else before.design if before else {},
        sets=[*(each for each in earlier if each not in same), newest],
    )
    write_manifest(folder, manifest)
    return manifest


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write `suite.json`, whole or not at all; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    text = manifest.model_dump_json(indent=1, exclude_defaults=True) + "\n"
    write_atomic(folder / FILE, text.encode())


def now() -> str:
    """Return the date and time in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
