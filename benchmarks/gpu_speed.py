"""Training, encoding and decoding of image GPT on a GPU and on the CPU beside it.

Run: .venv/bin/python benchmarks/gpu_speed.py [--sizes 50k 1m ...] [--streams 1 64 ...]

Both sides code the same images of MNIST with the same network. The run ends with an error
unless both write the same code, byte for byte, and decode it to the images.
Elapsed time, medians of --repeats: a GPU works while its process waits. The CPU uses one
thread, as a job of a run does; its side is left out where it was too slow before.
"""

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch

from harness import CodingError
from harness.contract import coding
from harness.contract.registry import load_plugin
from harness.data.load import load_dataset
from harness.folders import builtin_folder

SIZES = ("50k", "200k", "1m", "5m", "20m")
STREAMS = (1, 64, 1000)
N_STEPS = 30
T = TypeVar("T")
COLUMNS = ("weights", "streams", "train", "encode", "decode")


def main() -> None:
    """Measure every size on both devices and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", nargs="*", default=SIZES, choices=SIZES)
    parser.add_argument("--streams", nargs="*", type=int, default=STREAMS)
    parser.add_argument("--repeats", type=int, default=3)
    limit_help = "leave the CPU out where decoding would take longer"
    parser.add_argument("--cpu-seconds", type=float, default=10, help=limit_help)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        parser.exit(2, "no CUDA device is at hand\n")
    torch.set_num_threads(1)
    print(f"{torch.cuda.get_device_name()}; MB/s of one-byte pixels, train in steps/s")
    print("| size | device | " + " | ".join(COLUMNS) + " |")
    print("|---|---|" + "---|" * len(COLUMNS), flush=True)
    kind: Any = load_plugin(builtin_folder("plugins") / "pixel_transformer")[0].kind
    mnist = load_dataset("mnist")
    allowance = Allowance(seconds=asked.cpu_seconds)
    for size in asked.sizes:
        fields = {"size": size, "shape": mnist.shape, "levels": mnist.levels}
        measure(kind(**fields, device="cuda"), mnist, asked, allowance)


@dataclass
class Allowance:
    """Whether the CPU is fast enough to take part.

    Attributes:
        seconds: of one decoding, at most.
        rate: MB/s of its last decoding.
    """

    seconds: float
    rate: float = math.inf

    def suffices(self, samples: Sequence[bytes]) -> bool:
        """Return True where these samples decode in time, at the last rate."""
        return megabytes(samples) / self.rate <= self.seconds


def measure(
    untrained: Any, mnist: Any, asked: argparse.Namespace, allowance: Allowance
) -> None:
    """Print the lines of one size."""
    corpus = mnist.train.samples[:2000]
    gpu = replace(untrained, steps=N_STEPS).fit(corpus, seed=0)
    n_weights = sum(w.numel() for w in untrained.network().parameters())
    models = {"cuda": gpu, "cpu": replace(gpu, device="cpu")}
    steps = {
        device: steps_per_second(replace(untrained, device=device), corpus)
        for device in models
        if device == "cuda" or allowance.suffices(corpus[:64])
    }
    for n in asked.streams:
        samples = mnist.test.samples[:n]
        written = set()
        for device, model in models.items():
            if device == "cpu" and not allowance.suffices(samples):
                continue
            code, encode, decode = coded(model, samples, asked.repeats)
            written.add(code)
            if device == "cpu":
                allowance.rate = decode
            rate = f"{steps[device]:.1f}" if device in steps else "-"
            told = f"{n_weights:,} | {n} | {rate} | {encode:.3f} | {decode:.4f}"
            print(f"| {untrained.size} | {device} | {told} |", flush=True)
        if len(written) != 1:
            raise CodingError(f"size {untrained.size}: devices write other codes")


def steps_per_second(untrained: Any, corpus: Sequence[bytes]) -> float:
    """Return training steps per second: many less few, so that the start is left out."""
    few, many = (3, 3 + N_STEPS) if untrained.device == "cuda" else (1, 3)
    short, long = (
        timed(lambda n=n: replace(untrained, steps=n).fit(corpus, seed=0))[0]
        for n in (few, many)
    )
    return (many - few) / (long - short)


def coded(
    model: Any, samples: Sequence[bytes], n_repeats: int
) -> tuple[bytes, float, float]:
    """Return the code of the samples, and MB/s of writing and of reading it."""
    lengths = [len(sample) for sample in samples]
    # Compiles, and moves the weights to the device.
    coding.decode(model, coding.encode(model, samples[:1]), lengths[:1])
    encode, code = timed(lambda: coding.encode(model, samples), n_repeats)
    decode, read = timed(lambda: coding.decode(model, code, lengths), n_repeats)
    if read != list(samples):
        raise CodingError(f"{model.name} on {model.device} decodes other samples")
    return code, megabytes(samples) / encode, megabytes(samples) / decode


def megabytes(samples: Sequence[bytes]) -> float:
    """Return the size of samples in MB."""
    return sum(map(len, samples)) / 1e6


def timed(act: Callable[[], T], n_repeats: int = 1) -> tuple[float, T]:
    """Return the median of the elapsed times of an action, and what it returned."""
    taken = []
    for _ in range(n_repeats):
        start = time.perf_counter()
        found = act()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), found


if __name__ == "__main__":
    sys.exit(main())
