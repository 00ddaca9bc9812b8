"""Speed and memory of compressing and decompressing the test split, alone.

No other readout reads the clock, and the runner starts no other job at the same time.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.contract import coding
from harness.contract.compressor import Compressor
from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.records.score import Score
from harness.tasks.column import Column
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, Inputs, Task

MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Number of repeats.

    repeats: timed runs of each direction after one that warms up.
    seconds: after this time, no further repeat of a direction starts.
    """

    repeats: int = 5
    seconds: float = 4.0


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return the seconds of every repeat, and the peak memory that the process grew by.

    Each sample is coded alone, unfitted.

    Raises:
        NotApplicableError: the compressor must be fitted before it codes.
    """
    compressor, dataset = inputs.unfitted, inputs.dataset
    if "fit" in compressor.needs:
        raise NotApplicableError(f"{compressor.name} must be fitted before it codes")
    samples = dataset.test.samples
    # Before any coding: libraries and data in memory by now do not count.
    resident = _resident_bytes()
    codes = _code(compressor, dataset)
    whole = b"".join(samples)
    lengths = [len(sample) for sample in samples]
    work: dict[str, Callable[[], object]] = {
        "encode": lambda: _code(compressor, dataset),
        "decode": lambda: coding.decode_each(
            compressor, codes, lengths, artifact=coding.NO_ARTIFACT
        ),
        # Copying shows the speed of this machine, as a scale.
        "memcpy": lambda: bytearray(whole),
    }
    arrays = {
        f"{name}_seconds": np.array(_timed(do, parameters)) for name, do in work.items()
    }
    peak = max(_peak_bytes() - resident, 0)
    return Measured(arrays=arrays, facts={"peak_bytes": peak})


def judge(evidence: Evidence, _: Parameters) -> Judgement:
    """Return speeds in MB of original per second: best and median; all times are kept."""
    n_bytes = evidence.dataset.test.n_bytes
    scores = [
        score
        for name in ("encode", "decode", "memcpy")
        for score in _speeds(name, evidence.arrays[f"{name}_seconds"].tolist(), n_bytes)
    ]
    peak = int(evidence.facts["peak_bytes"])
    scores.append(
        Score(metric="peak_bytes", value=peak, unit="bytes", state="unfitted")
    )
    return Judgement(scores=tuple(scores), arrays=evidence.arrays)


def _code(compressor: Compressor, dataset: Dataset) -> list[bytes]:
    return coding.code_each(
        compressor, dataset.test.samples, artifact=coding.NO_ARTIFACT
    )


def _timed(work: Callable[[], object], parameters: Parameters) -> list[float]:
    """Return the seconds of each repeat, the warm-up left out."""
    work()
    # The call above compiled kernels and filled caches: it is not timed.
    seconds_each: list[float] = []
    while len(seconds_each) < parameters.repeats and (
        not seconds_each or sum(seconds_each) < parameters.seconds
    ):
        start = time.perf_counter()
        work()
        seconds_each.append(time.perf_counter() - start)
    return seconds_each


def _speeds(name: str, seconds_each: list[float], n_bytes: int) -> list[Score]:
    best, median = min(seconds_each), statistics.median(seconds_each)
    return [
        Score(
            metric=f"{name}_{which}_mb_per_s",
            value=n_bytes / seconds / MEGABYTE,
            unit="MB/s",
            state="unfitted",
            n=len(seconds_each),
        )
        for which, seconds in (("best", best), ("median", median))
    ]


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _peak_bytes() -> int:
    # Linux counts in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


TASK = Task(
    name="speed",
    version=1,
    measure=measure,
    judge=judge,
    parameters=Parameters,
    alone=True,
    title="MB/s of compressing and decompressing, alone; peak memory; memcpy beside",
    columns=(
        Column(
            header="compress MB/s",
            metric="encode_median_mb_per_s",
            meaning="median speed of compressing, nothing running beside it",
            digits=1,
        ),
        Column(
            header="decompress MB/s",
            metric="decode_median_mb_per_s",
            meaning="median speed of decompressing, nothing running beside it",
            digits=1,
        ),
        Column(
            header="memcpy MB/s",
            metric="memcpy_median_mb_per_s",
            meaning="median speed of copying memory at the same time, for scale",
            digits=0,
        ),
        Column(
            header="peak bytes",
            metric="peak_bytes",
            meaning="most memory that compressing and decompressing took",
            digits=0,
            higher_is_better=False,
        ),
    ),
)
