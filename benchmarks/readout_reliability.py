"""Reliability of readouts of compressors that are no networks, by number of test samples.

Run: .venv/bin/python benchmarks/readout_reliability.py [DATA ...] [--draws 2] [--jobs 2]

Each compressor is read in several draws of subset, order and contexts. Per data set and
readout, the table has the mean balanced accuracy over compressors; the mean Spearman
correlation with the negative rate (samples coded alone after train), both at 200 test
samples; and the reliability at each number of test samples: the mean Spearman correlation
of one draw with another over compressors, and in brackets that of a mean of three draws by
the formula of Spearman and Brown. A dash is a test split that is too small.
"""

import argparse
import itertools
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Compressor
from harness.contract.registry import load_registry
from harness.data.dataset import Dataset, stratified, subset
from harness.data.load import load_dataset
from harness.planning.plan import MIN_PER_CLASS
from harness.statistics.accuracy import balanced_accuracy_of, confusion
from harness.tasks import class_scratch, landmark_probe
from harness.tasks.class_code import Parameters as ClassParameters
from harness.tasks.evaluate import evaluate
from harness.tasks.landmarks import Parameters as LandmarkParameters
from harness.tasks.task import Inputs, Task

DATASETS = ("digits", "splice", "django_languages", "reuters_r8")
COMPRESSORS = (
    "order0",
    "lz4",
    "deflate",
    "zstd(level=9)",
    "ppmd(order=2)",
    "ppmd(order=4)",
    "context_model(order=1)",
    "context_model(order=2)",
)
N_TRAIN, N_PROBE = 1000, 300
SIZES = (100, 200, 300, 600)
TABLE_SIZE = 200
"""Test samples behind mean accuracies and correlations with the rate."""

READOUTS: dict[str, tuple[Task, Any]] = {
    "16 shards": (
        landmark_probe.TASK,
        LandmarkParameters(
            contexts="shards", n_contexts=16, n_probe=N_PROBE, extras=False
        ),
    ),
    "64 neighbourhoods": (
        landmark_probe.TASK,
        LandmarkParameters(n_probe=N_PROBE, extras=False),
    ),
    "class_scratch": (class_scratch.TASK, ClassParameters(equal_bytes=True)),
}

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Measurements of one compressor in one draw; fields as in `Table`."""

    rate: float
    accuracies: dict[tuple[str, int], float]
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Measurements of all compressors in all draws of one data set.

    Attributes:
        rates: shape (draws, compressors), bits per byte.
        accuracies: per readout and test size, shape (draws, compressors).
        seconds: per readout, the mean CPU time of a cell.
    """

    rates: Floats
    accuracies: dict[tuple[str, int], Floats]
    seconds: dict[str, float]


def main() -> None:
    """Print the table of every data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="*", default=list(DATASETS))
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--compressors", nargs="+", default=list(COMPRESSORS))
    parser.add_argument("--jobs", type=int, default=1, help="cells at once")
    arguments = parser.parse_args()
    registry = load_registry()
    compressors = [registry.parse(spec) for spec in arguments.compressors]
    titles = "".join(f"{n:>14}" for n in SIZES)
    print(f"{'data':<18}{'readout':<19}{'bal. acc.':>9}{'rate':>7}{titles}{'CPU s':>8}")
    for name in arguments.data:
        seeds = range(arguments.draws)
        table = measured(load_dataset(name), compressors, seeds, arguments.jobs)
        for readout in READOUTS:
            print(f"{name:<18}{readout:<19}{row_of(table, readout)}", flush=True)


def measured(
    whole: Dataset, compressors: Sequence[Compressor], seeds: Sequence[int], jobs: int
) -> Table:
    """Return the measurements of every compressor, readout, test size and draw."""
    shape = len(seeds), len(compressors)
    arguments = [(whole, c, seed) for seed in seeds for c in compressors]
    # A process for each cell: pyppmd does not free 19 KB of each encoder.
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        cells = pool.starmap(measured_cell, arguments, chunksize=1)
    return Table(
        rates=np.reshape([cell.rate for cell in cells], shape),
        accuracies={
            (readout, n): np.reshape(
                [cell.accuracies.get((readout, n), np.nan) for cell in cells], shape
            )
            for readout in READOUTS
            for n in SIZES
        },
        seconds={
            readout: float(np.mean([cell.seconds[readout] for cell in cells]))
            for readout in READOUTS
        },
    )


def measured_cell(whole: Dataset, compressor: Compressor, seed: int) -> Cell:
    """Return the measurements of one compressor in one draw."""
    dataset = drawn(whole, max(SIZES), seed)
    inputs = Inputs(unfitted=compressor, fitted=compressor, dataset=dataset, seed=seed)
    accuracies, seconds = {}, {}
    for readout, (task, parameters) in READOUTS.items():
        start = time.process_time()
        credit = evaluate(task, inputs, parameters).arrays["credit"]
        seconds[readout] = time.process_time() - start
        for n, value in by_size(dataset, credit, seed).items():
            accuracies[readout, n] = value
    return Cell(
        rate=rate_of(compressor, dataset, seed), accuracies=accuracies, seconds=seconds
    )


def drawn(whole: Dataset, n_test: int, seed: int) -> Dataset:
    """Return the subset of a suite with these caps."""
    return subset(
        whole, n_train=N_TRAIN, n_test=n_test, seed=seed, min_per_class=MIN_PER_CLASS
    )


def rate_of(compressor: Compressor, dataset: Dataset, seed: int) -> float:
    """Return bits per byte of test samples coded alone after train."""
    corpus = [sample + dataset.separator for sample in dataset.train.samples]
    bits = compressor.fit(corpus, seed=seed).code_lengths(dataset.test.samples)
    return float(bits.sum() / dataset.test.n_bytes)


def by_size(dataset: Dataset, credit: Floats, seed: int) -> dict[int, float]:
    """Return the balanced accuracy on nested subsets; each answer is of one sample alone."""
    labels, values = dataset.test.labels, {}
    for n in SIZES:
        # A smaller split would stand under a size that it does not have.
        if n <= len(labels):
            rng = np.random.default_rng([seed, n])
            rows = stratified(dataset.test, n, rng, min_per_class=MIN_PER_CLASS)
            values[n] = balanced_accuracy_of(confusion(labels[rows], credit[rows]))
    return values


def row_of(table: Table, readout: str) -> str:
    """Return the figures of one readout as one line."""
    values = table.accuracies[readout, TABLE_SIZE]
    pairs = zip(-table.rates, values, strict=True)
    rate = np.mean([spearman(*pair) for pair in pairs])
    cells = "".join(f"{reliability(table.accuracies[readout, n]):>14}" for n in SIZES)
    seconds = table.seconds[readout]
    return f"{values.mean():>9.3f}{rate:>+7.2f}{cells}{seconds:>8.1f}"


def reliability(values: Floats) -> str:
    """Return the mean correlation of two draws, and that of the mean of three draws."""
    if np.isnan(values).any():
        return "-"
    one = float(np.mean([spearman(*p) for p in itertools.combinations(values, 2)]))
    # Below zero there is nothing to add up.
    three = 3 * max(one, 0.0) / (1 + 2 * max(one, 0.0))
    return f"{one:+.2f} ({three:.2f})"


def spearman(a: Floats, b: Floats) -> float:
    """Return the rank correlation; 0 where either is constant."""
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)


if __name__ == "__main__":
    main()
