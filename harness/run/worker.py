"""Child process of a job: fits, measures, decodes or judges.

Measuring and decoding load the job's plugin; judging loads none. Labels of the test split
are dropped before a plugin is loaded.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.atomic import write_atomic
from harness.contract import artifact
from harness.contract.compressor import Compressor
from harness.contract.registry import Registry, load_origin
from harness.contract.training import Trains, Watch
from harness.data.dataset import Dataset, subset
from harness.data.load import load_dataset
from harness.data.shelf import run_shelf
from harness.errors import NotApplicableError, UnavailableError
from harness.records.job import BASELINE, Job
from harness.records.record import score_to_json
from harness.run.codes import (
    MismatchError,
    check_originals,
    decode_codes,
    read_code_files,
    write_codes,
)
from harness.run.messages import Request, Result
from harness.tasks import baseline
from harness.tasks.catalog import TASKS
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, Inputs, without_test_labels

ARRAYS, FACTS = "arrays.npz", "facts.json"
"""Files in a folder of measurements."""
JUDGED = "judged.npz"
"""File in the scratch folder: per-sample arrays that become arrays/KEY.npz."""
RegistryOf = Callable[[str], Registry]
LOSS_FILE = "training_loss.json"
"""Beside an artifact and no part of it: the last loss, which a resumed run cannot know."""


def perform(request: Request, registry_of: RegistryOf | None = None) -> None:
    """Carry out one request; the answer goes to scratch/result.json.

    Args:
        request: a stage of a job.
        registry_of: gives the registry of a plugin by its origin; None loads the plugin.
    """
    registry_of = registry_of or _registry
    stages: dict[str, Callable[[], Result]] = {
        "nothing": lambda: Result(status="done"),
        "fit": lambda: _fit(request, registry_of),
        "measure": lambda: _measure(request, registry_of),
        "decode": lambda: _decode(request, registry_of),
        "judge": lambda: _judge(request),
    }
    try:
        result = stages[request.stage]()
    except NotApplicableError as error:
        result = Result(status="not_applicable", reason=str(error))
    except UnavailableError as error:
        result = Result(status="unavailable", reason=str(error))
    except MismatchError as error:
        result = Result(status="mismatch", reason=str(error))
    except MemoryError:
        result = Result(status="out_of_memory", reason="an allocation failed")
    except Exception as error:  # noqa: BLE001  (whatever a plugin does becomes a record)
        traceback.print_exc()
        result = Result(status="crashed", reason=f"{type(error).__name__}: {error}")
    text = json.dumps(asdict(result)).encode()
    write_atomic(Path(request.scratch) / "result.json", text)


@dataclass(frozen=True, kw_only=True)
class _Data:
    """Data of a job: its own subset, and those that its parameters name."""

    dataset: Dataset
    foreign: dict[str, Dataset]


def _load_data(job: Job, store: str) -> _Data:
    shelf = run_shelf(Path(store))

    def load(name: str) -> Dataset:
        return subset(
            load_dataset(shelf.card(name)),
            n_train=job.n_train,
            n_test=job.n_test,
            seed=job.seed,
            min_per_class=job.min_per_class,
        )

    names = [name for name in job.datasets if name != job.dataset]
    return _Data(
        dataset=load(job.dataset), foreign={name: load(name) for name in names}
    )


def _job_of(request: Request) -> Job:
    if request.job is None:
        raise ValueError(f"a request to {request.stage} without a job")
    return request.job


def _measure(request: Request, registry_of: RegistryOf) -> Result:
    """Run the first half of a task with the plugin; codes wait to be decoded."""
    job, store, scratch = _job_of(request), Path(request.store), Path(request.scratch)
    task = TASKS[job.task]
    parameters = task.make_parameters(job.parameters)
    dataset, prepared = _prepared(job, request.store)
    # The plugin shares the process from here on, and no label of the test split is in it.
    registry = registry_of(job.subject.plugin)
    compressor = registry.make(job.subject.name, job.subject.fields)
    fitted = compressor
    if task.reads_fit:
        fitted = artifact.load(store / "artifacts" / job.fit_key, registry.make)
    inputs = Inputs(
        unfitted=compressor,
        fitted=fitted,
        dataset=dataset,
        seed=job.seed,
        prepared=prepared,
    )
    measured = task.measure(inputs, parameters)
    _write_measured(measured, scratch / "measured")
    if measured.coded:
        _lay_out_artifact(compressor, store, job, scratch / "artifact")
        write_codes(measured.coded, scratch / "codes")
    return Result(status="done", has_codes=bool(measured.coded))


def _prepared(job: Job, store: str) -> tuple[Dataset, Any]:
    """Return the data set without labels of the test split, and the task's preparation."""
    data, task = _load_data(job, store), TASKS[job.task]
    evidence = Evidence(
        subject=job.subject, dataset=data.dataset, seed=job.seed, foreign=data.foreign
    )
    prepared = task.prepare(evidence, task.make_parameters(job.parameters))
    return without_test_labels(data.dataset), prepared


def _write_measured(measured: Measured, folder: Path) -> None:
    folder.mkdir()
    with (folder / ARRAYS).open("wb") as file:
        np.savez(file, allow_pickle=False, **measured.arrays)
    (folder / FACTS).write_text(json.dumps(dict(measured.facts)))


def _lay_out_artifact(
    compressor: Compressor, store: Path, job: Job, folder: Path
) -> None:
    """Lay out the artifact of the decoder: the fitted compressor, or its spec alone."""
    if job.fit_key:
        shutil.copytree(store / "artifacts" / job.fit_key, folder)
    else:
        folder.mkdir()
        artifact.save(compressor, folder)


def _decode(request: Request, registry_of: RegistryOf) -> Result:
    """Decode codes in an empty folder, with lengths and the artifact and nothing else."""
    scratch = Path(request.scratch)
    registry = registry_of(request.plugin)
    # Relative paths of a plugin lead to no file of the run.
    os.chdir(scratch)
    fitted = artifact.load(scratch / "artifact", registry.make)
    unfitted = registry.make(request.name, request.fields)
    hashes = decode_codes(scratch / "codes", fitted=fitted, unfitted=unfitted)
    return Result(status="done", hashes=hashes)


def _judge(request: Request) -> Result:
    """Turn measurements into scores; no plugin is loaded here."""
    job, scratch = _job_of(request), Path(request.scratch)
    data = _load_data(job, request.store)
    if job.task == BASELINE:
        judgement = baseline.run(job.subject.name, data.dataset, seed=job.seed)
    else:
        evidence = _evidence(request, job, data)
        task = TASKS[job.task]
        parameters = task.make_parameters(job.parameters)
        # Before any score: a code that decodes to other bytes has no rate.
        if evidence.codes:
            check_originals(evidence.codes, task.originals(evidence, parameters))
        judgement = task.judge(evidence, parameters)
    return _answer(judgement, scratch)


def _evidence(request: Request, job: Job, data: _Data) -> Evidence:
    folder = Path(request.measured)
    # A plugin's process wrote them: a pickle could run code beside the labels.
    with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
        measured = dict(arrays)
    return Evidence(
        subject=job.subject,
        dataset=data.dataset,
        seed=job.seed,
        artifact_bits=request.artifact_bits,
        arrays=measured,
        facts=json.loads((folder / FACTS).read_text()),
        codes=read_code_files(folder),
        foreign=data.foreign,
    )


def _answer(judgement: Judgement, scratch: Path) -> Result:
    if judgement.arrays:
        with (scratch / JUDGED).open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **judgement.arrays)
    scores = [score_to_json(score) for score in judgement.scores]
    return Result(status="done", scores=scores)


def _fit(request: Request, registry_of: RegistryOf) -> Result:
    """Fit the rungs of a ladder that have no artifact; weigh all; a single fit is one rung."""
    jobs, store, scratch = request.ladder, Path(request.store), Path(request.scratch)
    first = jobs[0]
    data = without_test_labels(_load_data(first, request.store).dataset)
    registry = registry_of(first.subject.plugin)
    compressor = registry.make(first.subject.name, first.subject.fields)
    # Rungs that an interrupted run finished are not trained again.
    missing = [job for job in jobs if not (store / "artifacts" / job.key).exists()]
    checkpoint = store / "training" / f"{first.ladder or first.key}.npz"
    checkpoint.parent.mkdir(exist_ok=True)
    seconds_before: list[float] = []
    # The latest loss alone: a long training has many steps.
    latest = deque[float](maxlen=1)
    watch = Watch(
        checkpoint=checkpoint,
        resumed=lambda _, seconds: seconds_before.append(seconds),
        progress=lambda _step, _last, bits: latest.append(bits),
    )
    corpus = [sample + data.separator for sample in data.train.samples]
    fits = _fits(compressor, corpus, missing, watch)
    for job, fitted in zip(missing, fits, strict=True):
        # On disk before training continues: a checkpoint gives no earlier rung.
        folder = scratch / f"fitted-{job.key}"
        folder.mkdir()
        artifact.save(fitted, folder)
        if latest and math.isfinite(latest[-1]):
            (folder / LOSS_FILE).write_text(json.dumps(latest[-1]))
        target = store / "artifacts" / job.key
        if not target.exists():  # another run into this store may have been faster
            folder.rename(target)
    # Only now is every rung on disk, and the training needs no resuming.
    checkpoint.unlink(missing_ok=True)
    folders = {job.key: store / "artifacts" / job.key for job in jobs}
    weights = {key: artifact.weigh(folder) for key, folder in folders.items()}
    losses = {
        key: json.loads((folder / LOSS_FILE).read_text())
        for key, folder in folders.items()
        if (folder / LOSS_FILE).exists()
    }
    return Result(
        status="done",
        artifact_bits=weights,
        training_loss_bits=losses,
        seconds_before=sum(seconds_before),
    )


def _fits(
    compressor: Compressor, corpus: list[bytes], jobs: list[Job], watch: Watch
) -> Iterator[Compressor]:
    """Yield the compressor fitted for each job, resumed from a checkpoint if there is one."""
    if not jobs:
        return iter(())
    seed, rungs = jobs[0].seed, [job.rung for job in jobs]
    if isinstance(compressor, Trains):
        values = rungs if jobs[0].ladder else None
        return compressor.trained(corpus, values, seed=seed, watch=watch)
    if jobs[0].ladder:
        return compressor.fit_ladder(corpus, rungs, seed=seed)
    return iter([compressor.fit(corpus, seed=seed)])


def _registry(plugin: str) -> Registry:
    """Return a registry of the job's own plugin only."""
    entries = load_origin(plugin)
    broken = [entry.unavailable for entry in entries if entry.unavailable]
    if broken:
        raise UnavailableError(broken[0])
    # No other plugin is loaded, so that a broken one fails its own jobs only.
    return Registry(entries={entry.name: entry for entry in entries})
