"""Exact gzip NCD over all pairs of two sets of news: bitprobe against npc-gzip.

Run: .venv/bin/python benchmarks/gzip_ncd.py

npc-gzip is the package of Jiang et al. 2023, "Low-Resource" Text Classification (Findings
of ACL), installed from PyPI into an environment that is thrown away, and used by its own
classifier. Every side compresses each text alone and each pair, x + space + y. Distances
are (C(xy) - min) / max of integers, so they are the same only where all lengths are. This
file is also what runs inside each process.
"""

import contextlib
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PACKAGE = "npc-gzip==0.1.1"
DATASET = "reuters_r8"
N_TRAIN, N_TEST = 1000, 150
N_REPEATS = 3
SEED = 0

Matrix = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one side did: seconds of each repeat, and its matrix (n_test, n_train)."""

    name: str
    n_processes: int
    wall_seconds: list[float]
    cpu_seconds: list[float]
    distances: Matrix

    @property
    def pairs_per_second(self) -> float:
        """The best repeat."""
        return self.distances.size / min(self.wall_seconds)


def main() -> None:
    """Measure all sides in turn and print a table."""
    train, test = texts()
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = environment(Path(folder)), sys.executable
        runs = [
            measure(name, python, n, (train, test))
            for name, python, n in (
                ("npc-gzip", theirs, 1),
                ("npc-gzip", theirs, 2),
                ("loop of gzip.compress", ours, 1),
                ("bitprobe", ours, 1),
                ("bitprobe", ours, 2),
            )
        ]
    print_table(runs)
    if not all(np.array_equal(run.distances, runs[0].distances) for run in runs):
        sys.exit("the distances differ")


def texts() -> tuple[list[str], list[str]]:
    """Return a seeded draw of training and test texts."""
    from harness.data.load import load_dataset

    dataset = load_dataset(DATASET)
    rng = np.random.default_rng(SEED)
    drawn = [
        [split.samples[i].decode() for i in rng.permutation(len(split.samples))[:n]]
        for split, n in ((dataset.train, N_TRAIN), (dataset.test, N_TEST))
    ]
    return drawn[0], drawn[1]


def environment(folder: Path) -> str:
    """Return the Python of a new environment that has the package."""
    python = folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    install = [
        str(python),
        "-m",
        "pip",
        "install",
        "-qq",
        "--disable-pip-version-check",
    ]
    if subprocess.run([*install, PACKAGE], check=False).returncode != 0:
        sys.exit(
            f"cannot install {PACKAGE}; it needs pip with an index, Python <= 3.12"
        )
    return str(python)


def measure(
    name: str, python: str, n_processes: int, pairs: tuple[list[str], list[str]]
) -> Run:
    """Have n processes share the test texts; time every repeat until the last is done."""
    train, test = pairs
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        workers = []
        for i in range(n_processes):
            path = Path(folder) / str(i)
            path.write_text(json.dumps([train, test[i::n_processes]]))
            worker = start([python, __file__, name, str(path)])
            workers.append(stack.enter_context(worker))
        wait(workers)
        wall, cpu = [], []
        for _ in range(N_REPEATS):
            begin = time.perf_counter()
            for worker in workers:
                say(worker, "go")
            cpu.append(sum(wait(workers)))
            wall.append(time.perf_counter() - begin)
        for worker in workers:
            say(worker, "end")
        wait(workers)
        distances = np.empty((len(test), len(train)))
        for i in range(n_processes):
            distances[i::n_processes] = np.load(Path(folder) / f"{i}.npy")
    return Run(
        name=name,
        n_processes=n_processes,
        wall_seconds=wall,
        cpu_seconds=cpu,
        distances=distances,
    )


def start(command: list[str]) -> "subprocess.Popen[str]":
    """Start a worker that is led through its standard input."""
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # npc-gzip draws a progress bar
        text=True,
    )


def say(worker: "subprocess.Popen[str]", word: str) -> None:
    """Send a worker one line."""
    if worker.stdin:
        worker.stdin.write(word + "\n")
        worker.stdin.flush()


def wait(workers: Sequence["subprocess.Popen[str]"]) -> list[float]:
    """Return the number that each worker sends when it is done."""
    lines = [worker.stdout.readline() if worker.stdout else "" for worker in workers]
    if not all(lines):
        sys.exit(f"a worker failed; run it by hand: {workers[lines.index('')].args!r}")
    return [float(line) for line in lines]


def print_table(runs: Sequence[Run]) -> None:
    """Print rates, CPU times, the check, and the machine."""
    n_pairs = runs[0].distances.size
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    print(f"Python {platform.python_version()}, zlib {zlib.ZLIB_RUNTIME_VERSION}")
    print(f"{DATASET}: {N_TEST} x {N_TRAIN} = {n_pairs} pairs, {N_REPEATS} repeats\n")
    header = f"{'':<22}{'processes':>10}{'pairs/s':>10}{'median':>10}"
    print(header + f"{'CPU us/pair':>13}{'median':>8}  same distances")
    for run in runs:
        rates = [n_pairs / seconds for seconds in run.wall_seconds]
        cpu = [1e6 * seconds / n_pairs for seconds in run.cpu_seconds]
        same = np.array_equal(run.distances, runs[0].distances)
        print(
            f"{run.name:<22}{run.n_processes:>10}"
            f"{max(rates):>10.0f}{statistics.median(rates):>10.0f}"
            f"{min(cpu):>13.2f}{statistics.median(cpu):>8.2f}  {same}"
        )
    by = {(run.name, run.n_processes): run.pairs_per_second for run in runs}
    print()
    for ours, theirs in ((1, 1), (2, 2), (2, 1)):
        ratio = by["bitprobe", ours] / by["npc-gzip", theirs]
        print(
            f"bitprobe on {ours} / npc-gzip on {theirs}: {ratio:.2f} times the pairs/s"
        )


def work(name: str, path: Path) -> None:
    """Be a worker: warm up, then once per "go" make the matrix and tell the CPU time."""
    train, test = json.loads(path.read_text())
    side = SIDES[name]
    side(train[:2], test[:2])
    print(0, flush=True)
    distances = np.empty((0, 0))
    while input() == "go":
        begin = time.process_time()
        distances = side(train, test)
        print(time.process_time() - begin, flush=True)
    np.save(path.with_suffix(".npy"), distances)
    print(0, flush=True)


def npc_gzip(train: list[str], test: list[str]) -> Matrix:
    """Return the distances of the package's classifier."""
    from npc_gzip.compressors.gzip_compressor import GZipCompressor  # type: ignore[import-not-found]  # not ours
    from npc_gzip.knn_classifier import KnnClassifier  # type: ignore[import-not-found]  # not ours

    model = KnnClassifier(
        compressor=GZipCompressor(),
        training_inputs=train,
        training_labels=[0] * len(train),
    )
    # It shuffles the training texts by numpy's global generator: seeded, to undo that.
    np.random.seed(SEED)  # noqa: NPY002  (the package's own generator)
    shuffled, _, _ = model.predict(test)
    np.random.seed(SEED)  # noqa: NPY002  (likewise)
    order = np.random.choice(len(train), len(train), replace=False)  # noqa: NPY002  (likewise)
    distances = np.empty((len(test), len(train)))
    distances[:, order] = shuffled
    return distances


def gzip_loop(train: list[str], test: list[str]) -> Matrix:
    """Return the distances by one call of `gzip.compress` per text and pair."""
    xs = [(text + " ").encode() for text in train]
    ys = [text.encode() for text in test]
    pairs = np.array([[len(gzip.compress(x + y)) for x in xs] for y in ys])
    alone = [
        np.array([len(gzip.compress(t.encode())) for t in s]) for s in (train, test)
    ]
    return ncd(pairs, alone[0][None, :], alone[1][:, None])


def bitprobe(train: list[str], test: list[str]) -> Matrix:
    """Return the distances by the plugin `gzip`."""
    from harness.contract.registry import load_plugin
    from harness.folders import builtin_folder

    kinds = {e.name: e.kind for e in load_plugin(builtin_folder("plugins") / "deflate")}
    codec = kinds["gzip"]()  # type: ignore[misc]  # a plugin of ours that loads
    pairs = codec.pair_code_lengths(
        [(text + " ").encode() for text in train], [text.encode() for text in test]
    )
    alone = [codec.code_lengths([text.encode() for text in s]) for s in (train, test)]
    return ncd(pairs.T / 8, alone[0][None, :] / 8, alone[1][:, None] / 8)


def ncd(pairs: Matrix, x: Matrix, y: Matrix) -> Matrix:
    """Return (C(xy) - min(C(x), C(y))) / max(C(x), C(y))."""
    distances: Matrix = (pairs - np.minimum(x, y)) / np.maximum(x, y)
    return distances


SIDES: dict[str, Callable[[list[str], list[str]], Matrix]] = {
    "npc-gzip": npc_gzip,
    "loop of gzip.compress": gzip_loop,
    "bitprobe": bitprobe,
}


if __name__ == "__main__":
    if sys.argv[1:]:
        work(sys.argv[1], Path(sys.argv[2]))
    else:
        main()
