"""What a child process does: fit, run a task, or decode what a task wrote."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from harness.contract import artifact, coding
from harness.contract.compressor import Compressor
from harness.contract.online_code import (
    Learner,
    Schedule,
    decode_blocks,
    learner_of,
    online,
)
from harness.contract.registry import Registry, load_origin
from harness.contract.training import Trains, Watch
from harness.data.dataset import Dataset, subset
from harness.data.load import load_dataset
from harness.errors import NotApplicableError, UnavailableError
from harness.records.job import BASELINE, FIT, Job, from_json
from harness.tasks import baseline
from harness.tasks.catalog import TASKS
from harness.tasks.outcome import Coded, Outcome
from harness.tasks.task import Inputs


def perform(request: Mapping[str, Any]) -> None:
    """Carry out one request; what is found goes to scratch/result.json."""
    scratch = Path(request["scratch"])
    result: dict[str, Any]
    try:
        if request["stage"] == "nothing":  # what benchmarks/empty_job.py measures
            result = {"status": "done"}
        elif request["stage"] == "decode":
            result = {"status": "done", "hashes": _decode(request)}
        else:
            result = _run(request, scratch)
    except NotApplicableError as error:
        result = {"status": "not_applicable", "reason": str(error)}
    except UnavailableError as error:
        result = {"status": "unavailable", "reason": str(error)}
    except MemoryError:
        result = {"status": "out_of_memory", "reason": "an allocation failed"}
    except Exception as error:  # noqa: BLE001  (whatever a plugin does becomes a record)
        traceback.print_exc()
        result = {"status": "crashed", "reason": f"{type(error).__name__}: {error}"}
    part = scratch / "result.part"
    part.write_text(json.dumps(result))
    part.replace(scratch / "result.json")


def _run(request: Mapping[str, Any], scratch: Path) -> dict[str, Any]:
    job, store = from_json(request["job"]), Path(request["store"])
    dataset = subset(
        load_dataset(job.dataset), n_train=job.n_train, n_test=job.n_test, seed=job.seed
    )
    if job.task == BASELINE:
        outcome = baseline.run(job.subject.name, dataset, seed=job.seed)
        return _keep(outcome, job, store, scratch)
    registry = _registry(job.subject.plugin)
    compressor = registry.make(job.subject.name, job.subject.fields)
    if job.task == FIT:
        return _fit(compressor, dataset, request, scratch)
    task = TASKS[job.task]
    fitted = compressor
    if task.reads_fit:
        fitted = artifact.load(store / "artifacts" / job.fit_key, registry.make)
    inputs = Inputs(
        unfitted=compressor,
        fitted=fitted,
        artifact_bits=request["artifact_bits"],
        dataset=dataset,
        seed=job.seed,
        others=_others(job),
    )
    outcome = task.run(inputs, task.make_parameters(job.parameters))
    if outcome.coded:
        _copy_artifact(compressor, store, job, scratch)
    return _keep(outcome, job, store, scratch)


def _others(job: Job) -> dict[str, Dataset]:
    """Load the other data sets that the parameters name, with the job's own caps."""
    return {
        name: subset(
            load_dataset(name), n_train=job.n_train, n_test=job.n_test, seed=job.seed
        )
        for name in job.parameters.get("others", ())
        if name != job.dataset
    }


def _copy_artifact(
    compressor: Compressor, store: Path, job: Job, scratch: Path
) -> None:
    """Lay beside the codes what the decoder may have: the fitted artifact, or the spec."""
    if job.fit_key:
        shutil.copytree(store / "artifacts" / job.fit_key, scratch / "artifact")
    else:
        (scratch / "artifact").mkdir()
        artifact.save(compressor, scratch / "artifact")


def _fit(
    compressor: Compressor, dataset: Dataset, request: Mapping[str, Any], scratch: Path
) -> dict[str, Any]:
    """Fit what is missing of a ladder, or of the one fit there is; weigh all of it."""
    jobs = [from_json(values) for values in request["ladder"]]
    store = Path(request["store"])
    missing = [job for job in jobs if not (store / "artifacts" / job.key).exists()]
    checkpoint = store / "training" / f"{jobs[0].ladder or jobs[0].key}.npz"
    checkpoint.parent.mkdir(exist_ok=True)
    seconds_before: list[float] = []
    watch = Watch(
        checkpoint=checkpoint, resumed=lambda _, seconds: seconds_before.append(seconds)
    )
    corpus = [sample + dataset.separator for sample in dataset.train.samples]
    fits = _fits(compressor, corpus, missing, watch)
    for job, fitted in zip(missing, fits, strict=True):
        # On disk before training goes on: a checkpoint gives no earlier rung.
        folder = scratch / f"fitted-{job.key}"
        folder.mkdir()
        artifact.save(fitted, folder)
        target = store / "artifacts" / job.key
        if not target.exists():  # another run into this store may have been faster
            folder.rename(target)
    checkpoint.unlink(missing_ok=True)
    weights = {job.key: artifact.weigh(store / "artifacts" / job.key) for job in jobs}
    return {
        "status": "done",
        "artifact_bits": weights,
        "scores": [],
        "seconds_before": sum(seconds_before),
    }


def _fits(
    compressor: Compressor, corpus: list[bytes], jobs: list[Job], watch: Watch
) -> Iterator[Compressor]:
    """Yield the compressor fitted for each job; what can be trained on is."""
    if not jobs:
        return iter(())
    seed, rungs = jobs[0].seed, [job.rung for job in jobs]
    if isinstance(compressor, Trains):
        values = rungs if jobs[0].ladder else None
        return compressor.trained(corpus, values, seed=seed, watch=watch)
    if jobs[0].ladder:
        return compressor.fit_ladder(corpus, rungs, seed=seed)
    return iter([compressor.fit(corpus, seed=seed)])


def _keep(outcome: Outcome, job: Job, store: Path, scratch: Path) -> dict[str, Any]:
    """Write arrays and codes beside the result; return what goes into the record."""
    if outcome.arrays:
        part = scratch / "arrays.npz"
        np.savez_compressed(part, allow_pickle=False, **outcome.arrays)
        part.rename(store / "arrays" / f"{job.key}.npz")
    result: dict[str, Any] = {
        "status": "done",
        "scores": [asdict(score) for score in outcome.scores],
    }
    if outcome.coded:
        _write_codes(outcome.coded, scratch)
        result["expected"] = {c.name: _hash(c.samples) for c in outcome.coded}
    return result


def _write_codes(coded: tuple[Coded, ...], scratch: Path) -> None:
    """Write what the decoder may see: codes, sample lengths, separators."""
    folder = scratch / "codes"
    folder.mkdir()
    index = []
    for one in coded:
        (folder / one.name).write_bytes(b"".join(one.codes))
        (folder / f"{one.name}.contexts").write_bytes(b"".join(one.contexts))
        index.append(
            {
                "name": one.name,
                "fitted": one.fitted,
                "stream": one.stream,
                "code_lengths": [len(code) for code in one.codes],
                "lengths": [len(sample) for sample in one.samples],
                "separator": one.separator.hex(),
                "context_lengths": [len(context) for context in one.contexts],
                "schedule": asdict(one.schedule) if one.schedule else None,
            }
        )
    (folder / "index.json").write_text(json.dumps(index))


def _decode(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the sha256 of what each code decodes to, seeing codes and artifact only."""
    scratch = Path(request["scratch"])
    os.chdir(scratch)
    registry = _registry(request["plugin"])
    fitted = artifact.load(scratch / "artifact", registry.make)
    unfitted = registry.make(request["name"], request["fields"])
    index = json.loads((scratch / "codes" / "index.json").read_text())
    return {one["name"]: _decode_one(one, fitted, unfitted) for one in index}


def _decode_one(
    one: Mapping[str, Any], fitted: Compressor, unfitted: Compressor
) -> str:
    data = Path("codes", one["name"]).read_bytes()
    codes = coding.split(data, one["code_lengths"], b"")
    compressor = fitted if one["fitted"] else unfitted
    held = artifact.identity(fitted) if one["fitted"] else coding.NO_ARTIFACT
    learner = None
    if one["schedule"]:
        learner = learner_of(unfitted, Schedule(**one["schedule"]))
    if one["stream"]:
        samples = _decode_stream(one, codes[0], compressor, held, learner)
    elif one["context_lengths"]:
        samples = _decode_after(one, codes, compressor, learner)
    else:
        samples = coding.decode_each(compressor, codes, one["lengths"], artifact=held)
    return _hash(tuple(samples))


def _decode_stream(
    one: Mapping[str, Any],
    code: bytes,
    compressor: Compressor,
    held: bytes,
    learner: Learner | None,
) -> list[bytes]:
    lengths, separator = one["lengths"], bytes.fromhex(one["separator"])
    if learner:
        return decode_blocks(learner, code, lengths, separator)
    return coding.decode_stream(compressor, code, lengths, separator, artifact=held)


def _decode_after(
    one: Mapping[str, Any],
    codes: list[bytes],
    compressor: Compressor,
    learner: Learner | None,
) -> list[bytes]:
    known = Path("codes", f"{one['name']}.contexts").read_bytes()
    contexts = coding.split(known, one["context_lengths"], b"")
    return [
        coding.decode_after(online(compressor, learner, length), code, length, context)
        for code, length, context in zip(codes, one["lengths"], contexts, strict=True)
    ]


def _registry(plugin: str) -> Registry:
    """Return a registry of the job's own plugin only."""
    entries = load_origin(plugin)
    broken = [entry.unavailable for entry in entries if entry.unavailable]
    if broken:
        raise UnavailableError(broken[0])
    return Registry(entries={entry.name: entry for entry in entries})


def _hash(samples: tuple[bytes, ...]) -> str:
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(len(sample).to_bytes(8, "little") + sample)
    return digest.hexdigest()
