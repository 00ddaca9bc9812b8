"""One thread for every test, as BLAS threads on busy cores are far slower; factories."""

import ast
import os
from dataclasses import fields
from types import SimpleNamespace

# Before numpy is imported anywhere.
for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

import numpy as np  # noqa: E402  (after the lines above)
import pytest  # noqa: E402

from harness.analysis.preregistered.test import hypothesis_report  # noqa: E402
from harness.analysis.results import Results  # noqa: E402
from harness.planning.design import design_hash  # noqa: E402
from harness.planning.manifest import Manifest  # noqa: E402
from harness.planning.preregistration import Claim, Registration  # noqa: E402
from harness.planning.registered_design import (  # noqa: E402
    RegisteredDesign,
    Standing,
)
from harness.records.job import Job, Subject  # noqa: E402
from harness.records.record import Record  # noqa: E402
from harness.records.score import Score, Variant  # noqa: E402
from harness.statistics.block import Block  # noqa: E402
from harness.statistics.power import Layout, simulated_stack  # noqa: E402


def score_of(metric="balanced_accuracy", value=0.5, *, half=None, **about):
    """Return a score; `half` is half its interval, `about` fields of score and variant."""
    names = {field.name for field in fields(Score)}
    of_score = {name: v for name, v in about.items() if name in names}
    of_variant = {name: v for name, v in about.items() if name not in names}
    if half is not None:
        of_score |= {"ci_low": value - half, "ci_high": value + half}
    defaults = {"unit": "", "n": 50, "variant": Variant(**of_variant)}
    return Score(metric=metric, value=float(value), **(defaults | of_score))


def record_of(spec="gzip", task="rates", scores=(), **about):
    """Return a record; `about` are fields of record, job and subject.

    Name and fields of the subject are those of the spec; the key is that of the job.
    """
    parts = {
        kind: {f.name: about.pop(f.name) for f in fields(kind) if f.name in about}
        for kind in (Subject, Job)
    }
    name, configuration = parsed(spec)
    family = "baseline" if task == "baseline" else name
    subject = {"spec": spec, "name": name, "family": family, "fields": configuration}
    job = {
        "suite": "t",
        "task": task,
        "version": 1,
        "parameters": {},
        "subject": Subject(**(subject | parts[Subject])),
        "n_train": None,
        "n_test": None,
    }
    # Other data and other draws have other keys.
    about_job = parts[Job]
    job["dataset"] = about_job.get("dataset", "digits")
    job["content_hash"] = f"hash of {job['dataset']}"
    job["seed"] = about_job.get("draw", 0)
    planned = Job(**(job | about_job))
    outcome = {"key": planned.key, "status": "done", "scores": tuple(scores)}
    return Record(job=planned, **(outcome | about))


def parsed(spec):
    try:
        call = ast.parse(spec, mode="eval").body
    except SyntaxError:
        return spec, {}  # hostile names are no specs
    if isinstance(call, ast.Name):
        return call.id, {}
    keywords = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
    return ast.unparse(call.func), keywords


@pytest.fixture(scope="session")
def make_score():
    """Return the function that makes scores."""
    return score_of


@pytest.fixture(scope="session")
def make_record():
    """Return the function that makes records."""
    return record_of


@pytest.fixture(scope="session")
def results_from():
    """Return the function that makes results of records."""

    def results(records, manifest=None):
        return Results(stored=tuple(records), manifest=manifest, arrays=lambda _: {})

    return results


@pytest.fixture(scope="session")
def measured(make_score):
    """Return the function that makes a score with an interval of a tenth of its value."""

    def score(metric, value, **about):
        is_rate = metric.endswith("_bpb")
        realised = "decoded" if is_rate else ""
        how = {"state": "fit(train)", "route": "native", "realised": realised}
        how |= {
            "unit": "bits/byte" if is_rate else "fraction",
            "half": 0.1 * abs(value),
        }
        return make_score(metric, value, **(how | {"note": "given this split"} | about))

    return score


def simulated(layout, effect, rng):
    """Return a block in which rate and metric correlate by `effect` at every level."""
    stack = simulated_stack(layout, effect, 1, rng)
    return Block(rate=stack.rate[0], metric=stack.metric[0], family=stack.family)


@pytest.fixture(scope="session")
def simulated_block():
    """Return the function that simulates a block."""
    return simulated


DATASETS = [f"set{d}" for d in range(6)]
SIZES = (3, 3, 3, 2, 4, 3, 2, 4)
MIDDLE = {"role": "middle", "n_dimensions": 64}
C = Claim(name="C", task="class_scratch", equal_bytes=True)
R = Claim(name="R", task="layer_probe", score="balanced_accuracy_middle_pca64")


@pytest.fixture(scope="session")
def claimed():
    """Return what makes records of blocks with a known effect, and tests claims on them."""
    return SimpleNamespace(
        datasets=DATASETS,
        sizes=SIZES,
        c=C,
        r=R,
        registration=registration,
        rates=rates,
        middle=middle,
        block_of=block_of,
        records_of=records_of,
        report_on=report_on,
    )


def registration(**changes):
    about = {
        "claims": [C, R],
        "datasets": DATASETS,
        "n_permutations": 499,
        "n_resamples": 400,
    }
    return Registration(**(about | changes))


def rates(rate, names=("heldout", "isolated", "prequential")):
    return [
        score_of(f"{name}_bpb", rate, half=0.01, realised="decoded") for name in names
    ]


def middle(value):
    return score_of(value=value, half=0.01, **MIDDLE)


def block_of(effect, *, seed=0, sizes=SIZES, n_datasets=6):
    layout = Layout(sizes=sizes, n_datasets=n_datasets, intra_family=0.5)
    return simulated(layout, effect, np.random.default_rng(seed))


def records_of(block, names=("heldout", "isolated", "prequential")):
    """Every compressor as "cF(m=100+i)" of family F, each readout with the block's metric."""
    records = []
    for i, family in enumerate(block.family):
        for d, dataset in enumerate(DATASETS[: block.rate.shape[1]]):
            about = {
                "spec": f"c{family}(m={100 + i})",
                "family": f"family {family}",
                "dataset": dataset,
            }
            coded = rates(4 - block.rate[i, d], names)
            value = 0.5 + 0.1 * block.metric[i, d]
            coded_by_class = [score_of(value=value, half=0.01)]
            records.append(record_of(task="rates", scores=coded, **about))
            records += [
                record_of(
                    task="class_scratch",
                    scores=coded_by_class,
                    parameters={"equal_bytes": equal},
                    **about,
                )
                for equal in (False, True)
            ]
            records.append(
                record_of(task="layer_probe", scores=[middle(value)], **about)
            )
    return records


def report_on(records, standing=None, **changes):
    """Return the test of records, preregistered before them unless `standing` says more."""
    test = registration(**changes)
    manifest = Manifest(
        name="t",
        title="t",
        datasets=DATASETS,
        registration=test,
    )
    standing = standing or Standing(registered=registered_on())
    return hypothesis_report(records, manifest, standing)


def registered_on(document=None, date="2026-01-01T00:00:00+00:00"):
    """Return the registration of a document on a date."""
    document = document or {"compressors": {}, "versions": {}}
    return RegisteredDesign(
        suite="t", hash=design_hash(document), date=date, document=document
    )


@pytest.fixture(scope="session")
def make_registration():
    """Return the function that registers a document on a date."""
    return registered_on


N_JOINT = 8


@pytest.fixture(scope="session")
def joint():
    """Return records of `joint` and `transfer` with a known slope, and their parts."""
    return SimpleNamespace(
        sets=DATASETS,
        n=N_JOINT,
        record=joint_record,
        records=joint_records,
        transfer_records=transfer_records,
    )


def joint_record(task, dataset, i, scores):
    """Return a record of compressor i, alone in its family."""
    parameters = {"others": [DATASETS[0]]}
    about = {"family": f"f{i}", "dataset": dataset, "parameters": parameters}
    return record_of(f"c{i}", task, scores, **about)


def joint_records(slope=1.0, sets=DATASETS, fraction=None, beyond=()):
    """Rates fall with i; savings on related X rise by `slope` i, regret falls.

    The compressors in `beyond` have every X beyond their window.
    """
    fraction = slope if fraction is None else fraction
    records = []
    for d, dataset in enumerate(sets):
        for i in range(N_JOINT):
            values = {
                ("alone_bpb", "same_class", "x1"): 8.0 - 0.5 * i + 0.1 * d,
                ("saved_bpb", "same_class", "x1"): 1.0 + slope * 0.1 * i,
                ("saved_bpb", "other_class", "x1"): 0.5,
                ("saved_bpb", "other_data", "x1"): -0.1,
                ("saved_bpb", "same_class", "x4"): 9.0,
                ("saved_fraction", "same_class", "x1"): 0.2 + fraction * 0.02 * i,
                ("saved_fraction", "other_class", "x1"): 0.1,
                ("regret_bpb", "other_class", "x1"): 0.9 - slope * 0.1 * i,
                ("shared_bits", "same_class", "x1"): 100.0 + i,
            }
            scores = [
                score_of(
                    metric,
                    value,
                    pair_kind=kind,
                    pair_size=size,
                    beyond_window=i in beyond,
                )
                for (metric, kind, size), value in values.items()
            ]
            records.append(joint_record("joint", dataset, i, scores))
    return records


def transfer_records(sign, n_sources=6, n_sets=5):
    """Few-label accuracy rises with what an X saves (`sign` 1) or falls (-1)."""
    saved = [0.1, 0.9, 0.4, 0.6, 0.3, 0.8, 0.2][:n_sources]
    records = []
    for dataset in DATASETS[:n_sets]:
        for i in range(3):
            # X: bits saved per byte, and few-label accuracy.
            values = {
                f"x{j}": (v * (i + 1), 0.5 + sign * 0.3 * v)
                for j, v in enumerate(saved)
            }
            scores = [score_of("few_label_balanced_accuracy", 0.5, x="none")]
            for x, (bits, accuracy) in {**values, "random": (-9.0, 1.0)}.items():
                scores.append(score_of("transfer_saved_bpb", bits, x=x))
                scores.append(score_of("few_label_balanced_accuracy", accuracy, x=x))
            records.append(joint_record("transfer", dataset, i, scores))
    return records
