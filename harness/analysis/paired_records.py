"""Pairs of records of two compressors that saw the same test samples."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from itertools import product
from typing import Any

from harness.errors import UsageError
from harness.planning.manifest import cell_of, read_manifest
from harness.records.job import BASELINE, Job
from harness.records.record import Record
from harness.records.store import Store
from harness.suggest import hint


def paired_records(
    store: Store, a: str, b: str, *, dataset: str, task: str | None
) -> list[tuple[Record, Record]]:
    """Return a record of each compressor for every task and draw that they share.

    Args:
        store: an output folder with records.
        a: a spec in any form, or a baseline's name.
        b: the same of the other.
        dataset: a data set's name.
        task: only this one; None for all. Baselines are paired with any.

    Raises:
        UsageError: a data set, compressor or task has no record, did not end well, or
            the two were not run on the same samples; the message says what there is.
    """
    records = _of_dataset(current_records(store), dataset)
    of_a, of_b = _of_spec(records, a, dataset), _of_spec(records, b, dataset)
    # Draws meet through their seeds, tasks through their parameters.
    pairs = [
        (first, second)
        for first, second in product(_of_task(of_a, task), _of_task(of_b, task))
        if _is_paired(first.job, second.job)
    ]
    if not pairs:
        what = f"task {task!r}" if task else "task"
        raise UsageError(
            f"{a} and {b} share no {what} on {dataset}; "
            f"{a} has: {_tasks(of_a)}; {b} has: {_tasks(of_b)}"
        )
    return pairs


def current_records(store: Store) -> list[Record]:
    """Return one record per cell of a folder.

    Those of the newest run where the folder has a manifest with keys; otherwise, of the
    records that answer one question, the one of the latest version of its task, and of
    several of one version the last by key.
    """
    records = store.read_all()
    manifest = read_manifest(store.folder)
    if manifest is not None and manifest.current.keys:
        keys = set(manifest.current.keys.values())
        return [record for record in records if record.key in keys]
    latest: dict[tuple[Any, ...], Record] = {}
    # Later records replace earlier ones of the same question.
    for record in sorted(records, key=lambda r: (r.job.version, r.key)):
        question = (cell_of(record.job), repr(record.job.parameters))
        latest[*question, *_samples_of(record.job)] = record
    return sorted(latest.values(), key=lambda record: record.key)


def same_spec(a: str, b: str) -> bool:
    """Say whether two specs name one configuration, in whatever form they are written.

    Quotes, spaces and the order of fields do not count.
    """
    return _call_of(a) == _call_of(b)


def _call_of(spec: str) -> tuple[str, dict[str, Any]]:
    """Return name and fields of a spec; what is no call has its text as its name."""
    try:
        # Parsed as Python, not by the registry: plugins of another machine compare too.
        call = ast.parse(spec.strip(), mode="eval").body
        if isinstance(call, ast.Call) and not call.args:
            fields = {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}
            return ast.unparse(call.func), fields
    except (SyntaxError, ValueError):
        pass
    return spec.strip(), {}


def _of_dataset(records: Sequence[Record], dataset: str) -> list[Record]:
    matches = [record for record in records if record.job.dataset == dataset]
    if not matches:
        datasets = {record.job.dataset for record in records}
        raise UsageError(
            f"no records of data set {dataset!r}; {hint(dataset, datasets)}"
        )
    return matches


def _of_spec(records: Sequence[Record], spec: str, dataset: str) -> list[Record]:
    """Return the readouts of one compressor; its fits have nothing to compare."""
    readouts = [record for record in records if not record.is_fit]
    matches = [record for record in readouts if same_spec(record.spec, spec)]
    if not matches:
        specs = {record.spec for record in readouts}
        raise UsageError(f"no records of {spec!r} on {dataset}; {hint(spec, specs)}")
    return matches


def _of_task(records: Sequence[Record], task: str | None) -> list[Record]:
    """Return what can be compared; a named task that did not end well is an error."""
    if task is None:
        return [record for record in records if record.is_done]
    matches = [record for record in records if record.job.task in (task, BASELINE)]
    for record in matches:
        if not record.is_done:
            raise UsageError(
                f"{task} of {record.spec} ended as {record.status}: {record.reason}"
            )
    return matches


def _is_paired(a: Job, b: Job) -> bool:
    """Say whether two jobs read the same test samples in the same way."""
    if _samples_of(a) != _samples_of(b):
        return False
    # A baseline answers what any readout of classes asks.
    is_one_task = (a.task, a.version, a.parameters) == (b.task, b.version, b.parameters)
    return is_one_task or BASELINE in (a.task, b.task)


def _samples_of(job: Job) -> tuple[Any, ...]:
    """Return what two jobs must share to have seen the same test samples."""
    return job.content_hash, job.caps, job.seed


def _tasks(records: Sequence[Record]) -> str:
    return ", ".join(sorted({f"{r.job.task} ({r.status})" for r in records}))
