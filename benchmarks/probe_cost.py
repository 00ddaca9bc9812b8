"""CPU seconds of the layer probe of one network, beside those of its training.

Run: .venv/bin/python benchmarks/probe_cost.py [--spec SPEC] [DATA ...]

All is done in one process and by one thread, as a job of a run does it; loading of data and
libraries is left out by a warm-up on a few samples.
"""

import argparse
import time
from dataclasses import replace

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types

from harness.contract.registry import load_registry
from harness.data.dataset import Dataset, subset
from harness.data.load import load_dataset
from harness.records.job import subject_of
from harness.tasks import layer_probe
from harness.tasks.task import Evidence, Inputs, without_test_labels

SPEC = "byte_gru(size='10k', steps=300)"


def main() -> None:
    """Print a line per data set: CPU seconds of training, hidden states and probes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", default=["digits", "reuters_r8"])
    parser.add_argument("--spec", default=SPEC)
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--test", type=int, default=300)
    asked = parser.parse_args()
    print("| data | optional parts | training | hidden states | probes |")
    with threadpool_limits(1):
        for name in asked.data:
            data = subset(
                load_dataset(name), n_train=asked.train, n_test=asked.test, seed=0
            )
            seconds_of(asked.spec, subset(data, n_train=40, n_test=20, seed=0))
            for words, cost in seconds_of(asked.spec, data).items():
                print(
                    f"| {name} | {words} | "
                    + " | ".join(f"{s:.2f}" for s in cost)
                    + " |"
                )


def seconds_of(spec: str, data: Dataset) -> dict[str, tuple[float, ...]]:
    """Return CPU seconds of training, measuring and judging, by the parameters in words."""
    unfitted, start = load_registry().parse(spec), time.process_time()
    corpus = [sample + data.separator for sample in data.train.samples]
    fitted = unfitted.fit(corpus, seed=0)
    training = time.process_time() - start
    inputs = Inputs(
        unfitted=unfitted, fitted=fitted, dataset=without_test_labels(data), seed=0
    )
    evidence, costs = Evidence(subject=subject_of(unfitted), dataset=data, seed=0), {}
    for words, parameters in PARAMETERS.items():
        start = time.process_time()
        measured = layer_probe.TASK.measure(inputs, parameters)
        measuring = time.process_time() - start
        start = time.process_time()
        proof = replace(evidence, arrays=measured.arrays, facts=measured.facts)
        layer_probe.TASK.judge(proof, parameters)
        costs[words] = (training, measuring, time.process_time() - start)
    return costs


PARAMETERS = {
    "all parts": layer_probe.Parameters(),
    "few labels": layer_probe.Parameters(
        label_code=False, permuted=False, random_init=False
    ),
    "none": layer_probe.Parameters(
        few_labels=False, label_code=False, permuted=False, random_init=False
    ),
}

if __name__ == "__main__":
    main()
