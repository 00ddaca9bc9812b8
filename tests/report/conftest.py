"""Records made from blocks with a known effect, for the tests of the registered test."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.analysis.preregistered.test import hypothesis_report
from harness.planning.preregistration import Claim, Registered, Registration
from harness.statistics.power import Layout, simulated_block

DATASETS = [f"set{d}" for d in range(6)]
SIZES = (3, 3, 3, 2, 4, 3, 2, 4)
G = Claim(name="G", task="class_adapt", equal_bytes=True)
R = Claim(name="R", task="layer_probe", score="balanced_accuracy_middle_pca64")


@pytest.fixture(scope="session")
def made():
    """Return the functions and constants of this file by their names."""
    functions = (registration, score, record, rates, records_of, block_of, report_on)
    return SimpleNamespace(
        no_arrays=no_arrays,
        datasets=DATASETS,
        sizes=SIZES,
        g=G,
        r=R,
        **{function.__name__: function for function in functions},
    )


def registration(**changes):
    about = {
        "claims": [G, R],
        "datasets": DATASETS,
        "n_permutations": 499,
        "n_resamples": 400,
    }
    return Registration(**(about | changes))


def score(name, value, **about):
    rest = {"unit": "", "state": "", "route": "", "n": 50, "note": ""}
    ends = {"ci_low": value - 0.01, "ci_high": value + 0.01, "realised": ""}
    return {"name": name, "value": float(value), **rest, **ends, **about}


def record(spec, family, dataset, task, scores, **about):
    subject = {
        "spec": spec,
        "name": spec.split("(")[0],
        "family": family,
        "fields": {},
        "ladder_field": "",
    }
    job = {
        "suite": "t",
        "dataset": dataset,
        "subject": subject | about.pop("subject", {}),
        "task": task,
        "version": about.pop("version", 1),
        "seed": 0,
        "draw": about.pop("draw", 0),
        "official": True,
        "parameters": about.pop("parameters", {}),
    }
    key = f"{spec}/{dataset}/{task}/{job['version']}/{job['draw']}/{job['parameters']}"
    return {
        "job": job,
        "key": key,
        "status": "done",
        "reason": "",
        "scores": scores,
        "artifact_bits": 1000.0,
        "cost": {"cpu_seconds": 1.0},
        **about,
    }


def rates(rate, names=("heldout", "isolated", "prequential")):
    return [score(f"{name}_bpb", rate, realised="decoded") for name in names]


def records_of(block, names=("heldout", "isolated", "prequential")):
    """Every compressor as "cF(m=i)" of family F, each readout with the block's metric."""
    found = []
    for i, family in enumerate(block.family):
        spec, name = f"c{family}(m={i:02d})", f"family {family}"
        for d, dataset in enumerate(DATASETS[: block.rate.shape[1]]):
            coded = rates(4 - block.rate[i, d], names)
            found.append(record(spec, name, dataset, "rates", coded))
            value = 0.5 + 0.1 * block.metric[i, d]
            adapted = [score("balanced_accuracy", value)]
            for equal in (False, True):
                given = {"equal_bytes": equal}
                found.append(
                    record(
                        spec, name, dataset, "class_adapt", adapted, parameters=given
                    )
                )
            probed = [score("balanced_accuracy_middle_pca64", value)]
            found.append(record(spec, name, dataset, "layer_probe", probed))
    return found


def block_of(effect, *, seed=0, sizes=SIZES, n_datasets=6):
    layout = Layout(sizes=sizes, n_datasets=n_datasets, intra_family=0.5)
    return simulated_block(layout, effect, np.random.default_rng(seed))


def no_arrays(_):
    return {}


def report_on(records, registered=None, shortest=str, **changes):
    chosen = registration(**changes)
    registered = registered or Registered(hash=chosen.hash, n_records_before=0)
    return hypothesis_report(records, chosen, registered, no_arrays, shortest)
