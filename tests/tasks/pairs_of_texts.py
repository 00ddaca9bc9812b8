"""Texts and calls that tests of pairs of data sets share; loaded by `run_path`."""

from typing import Any

import numpy as np

from harness.contract.registry import load_registry
from harness.data.dataset import Dataset, Split
from harness.tasks.evaluate import Evaluation, evaluate
from harness.tasks.task import Inputs

REGISTRY = load_registry()
NETWORK = "byte_gru(size='10k')"
WORDS = [f"{a}{b}{c}" for a in "bdgk" for b in "aeiou" for c in "lmnrst"]


def dataset(name: str, vocabulary: int, n: int = 60) -> Dataset:
    """Two classes of sentences, each of its own words; `vocabulary` makes data sets differ."""
    rng = np.random.default_rng(vocabulary)
    own = [WORDS[vocabulary : vocabulary + 20], WORDS[vocabulary + 20 :][:20]]
    labels = np.arange(n) % 2
    samples = [" ".join(rng.choice(own[c], 8)).encode() for c in labels]
    third = 2 * n // 3
    return Dataset(
        name=name,
        kind="text",
        classes=("near", "distant"),
        train=Split(samples=tuple(samples[:third]), labels=labels[:third]),
        test=Split(samples=tuple(samples[third:]), labels=labels[third:]),
        separator=b"\n",
    )


def inputs(spec: Any, data: Dataset | None = None) -> Inputs:
    compressor = REGISTRY.parse(spec) if isinstance(spec, str) else spec
    return Inputs(
        unfitted=compressor,
        fitted=compressor,
        dataset=data or dataset("home", 0),
        seed=0,
    )


def run(task: Any, given: Inputs, parameters: Any) -> Evaluation:
    return evaluate(task.TASK, given, parameters, foreign={"far": dataset("far", 60)})


def scores_of(outcome: Any) -> dict[str, float]:
    return {score.name: score.value for score in outcome.scores}
