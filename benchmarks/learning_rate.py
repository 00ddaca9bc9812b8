"""Learning rates of networks, compared on parts of train alone.

Run: .venv/bin/python benchmarks/learning_rate.py SPEC [SPEC ...] [--data digits ...]

Train is shuffled once and cut: a model learns from up to 1,000 samples of the first four
fifths, and its bits are those of samples of the last fifth. The test split is not read.
Texts are cut to 500 bytes, as suites cut them. For each spec and data set a line shows bits
per byte at every rate, and the CPU seconds of a fit and its coding.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from harness.contract.registry import Registry, load_registry
from harness.data.load import load_dataset

RATES = (5e-3, 1e-2, 2e-2, 4e-2)
N_TRAIN, N_VALIDATION, MAX_BYTES = 1000, 250, 500


def main() -> None:
    """Print a line for every spec and data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("spec", nargs="+", help="of a network, without a learning rate")
    parser.add_argument("--data", nargs="+", default=["digits"])
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    registry = load_registry()
    columns = "".join(f"{rate:>9g}" for rate in options.rates)
    print(f"{'model':<34}{'data':<18}{columns}{'seconds':>9}")
    for name in options.data:
        learned, validation, fields = parts(name)
        for spec in options.spec:
            model = with_card(registry, spec, fields)
            start = time.process_time()
            row = []
            for rate in options.rates:
                faster = replace(model, learning_rate=rate)
                row.append(bits_per_byte(faster, learned, validation, options.seeds))
            seconds = (time.process_time() - start) / (len(row) * len(options.seeds))
            cells = "".join(f"{value:>9.4f}" for value in row)
            print(f"{spec:<34}{name:<18}{cells}{seconds:>9.1f}")
            sys.stdout.flush()


def parts(name: str) -> tuple[list[bytes], list[bytes], dict[str, Any]]:
    """Return samples to learn from, samples to validate on, and what the card says."""
    data = load_dataset(name)
    order = np.random.default_rng(0).permutation(len(data.train.samples))
    samples = [data.train.samples[i] for i in order]
    if data.shape is None:
        samples = [sample[:MAX_BYTES] for sample in samples]
    cut = len(samples) * 4 // 5
    fields = {"shape": data.shape, "levels": data.levels}
    return samples[:cut][:N_TRAIN], samples[cut:][:N_VALIDATION], fields


def with_card(registry: Registry, spec: str, fields: dict[str, Any]) -> Any:
    """Return the model of a spec with the fields that a card fills in."""
    model: Any = registry.parse(spec)
    return replace(model, **{k: v for k, v in fields.items() if hasattr(model, k)})


def bits_per_byte(
    model: Any,
    learned: Sequence[bytes],
    validation: Sequence[bytes],
    seeds: Sequence[int],
) -> float:
    """Return the rate on the validation samples, the mean over seeds."""
    n_bytes = sum(map(len, validation))
    bits = [model.fit(learned, seed=s).code_lengths(validation).sum() for s in seeds]
    return float(np.mean(bits)) / n_bytes


if __name__ == "__main__":
    main()
