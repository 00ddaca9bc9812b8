"""One thread for every test, and the factories of records that tests share."""

import ast
import os
from dataclasses import fields

import pytest

# Before numpy is imported anywhere: BLAS threads on busy cores are far slower.
for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

HALF_WIDTH = 0.1
"""Half of the interval of scores that say nothing else, as a part of their value."""


@pytest.fixture(scope="session")
def make_score():
    """Return the factory of scores.

    `make_score("balanced_accuracy", 0.5, n_neighbours=1, deduplicated=True)`: any field of
    `Score` or of its variant by keyword.
    """
    return _make_score


@pytest.fixture(scope="session")
def make_record():
    """Return the factory of records.

    `make_record("zstd(level=1)", "rates", [score], dataset="d", draw=1, cpu_seconds=2.0)`:
    any field of the record, its job, its subject or its cost by keyword.
    """
    return _make_record


@pytest.fixture(scope="session")
def results_from():
    """Return results made from records, without a folder."""
    from harness.analysis.results import Results

    def results(records, manifest=None):
        return Results(stored=tuple(records), manifest=manifest, arrays=lambda _: {})

    return results


def _make_score(metric, value, **changes):
    """Return a score; any field of it or of its variant by keyword."""
    from harness.records.score import Score, Variant

    is_rate = metric.endswith("_bpb")
    half = HALF_WIDTH * abs(value)
    defaults = {
        "unit": "bits/byte" if is_rate else "fraction",
        "state": "fit(train)",
        "route": "native",
        "n": 50,
        "realised": "decoded" if is_rate else "",
        "ci_low": value - half,
        "ci_high": value + half,
        "note": "given this split",
    }
    variant = _taken(changes, Variant)
    return Score(
        metric=metric,
        value=float(value),
        variant=Variant(**variant),
        **(defaults | changes),
    )


def _make_record(spec, task="rates", scores=(), **changes):
    """Return a record; any field of it, its job, its subject or its cost by keyword.

    Without a `key` it has that of its job.
    """
    from harness.records.job import BASELINE, Job, Subject
    from harness.records.record import Cost, Record

    name, parameters = _call(spec)
    family = "baseline" if task == BASELINE else f"family of {name}"
    about = {"name": name, "family": family, "fields": parameters}
    subject = about | _taken(changes, Subject)
    # What the record itself has is not its job's.
    cost = _taken(changes, Cost)
    about_job = _taken(changes, Job)
    draw, dataset = about_job.get("draw", 0), about_job.get("dataset", "d")
    defaults = {
        "suite": "s",
        "version": 1,
        "parameters": {},
        "dataset": dataset,
        "content_hash": f"hash of {dataset}",
        "n_train": None,
        "n_test": None,
        "seed": draw,
    }
    job = Job(
        task=task, subject=Subject(spec=spec, **subject), **(defaults | about_job)
    )
    record = {"key": job.key, "status": "done", "cost": Cost(**cost)} | changes
    return Record(job=job, scores=tuple(scores), **record)


def _taken(changes, dataclass):
    """Remove from changes the fields of a dataclass, and return them."""
    names = [f.name for f in fields(dataclass) if f.name in changes]
    return {name: changes.pop(name) for name in names}


def _call(spec):
    """Return the name and the fields of a spec string; of another text, itself."""
    try:
        call = ast.parse(spec, mode="eval").body
    except SyntaxError:
        return spec, {}
    if not isinstance(call, ast.Call):
        return spec, {}
    values = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    return ast.unparse(call.func), values
