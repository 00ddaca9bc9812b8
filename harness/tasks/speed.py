"""How fast and in how much memory: compress and decompress the test split, alone.

The one readout that reads the clock: what it measures is time. The runner lets nothing
else run beside it.
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
from harness.tasks.column import Column
from harness.tasks.outcome import Outcome, Score
from harness.tasks.task import Inputs, Task

MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How often to repeat.

    repeats: timed runs of each direction after one that warms up.
    seconds: no further repeat of a direction starts once it has taken this long.
    """

    repeats: int = 5
    seconds: float = 4.0


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return speeds in MB of original per second: best and median; all times are kept.

    Each sample is coded alone, unfitted. Peak memory is what the process grew by.

    Raises:
        NotApplicableError: the compressor must be fitted before it codes.
    """
    compressor, dataset = inputs.unfitted, inputs.dataset
    if "fit" in compressor.needs:
        raise NotApplicableError(f"{compressor.name} must be fitted before it codes")
    samples = dataset.test.samples
    resident = _resident_bytes()
    codes = _code(compressor, dataset)
    whole = b"".join(samples)
    lengths = [len(sample) for sample in samples]
    seconds = {
        "encode": _timed(lambda: _code(compressor, dataset), parameters),
        "decode": _timed(
            lambda: coding.decode_each(
                compressor, codes, lengths, artifact=coding.NO_ARTIFACT
            ),
            parameters,
        ),
        "memcpy": _timed(lambda: bytearray(whole), parameters),
    }
    scores = [
        score
        for name, taken in seconds.items()
        for score in _speeds(name, taken, len(whole))
    ]
    peak = max(_peak_bytes() - resident, 0)
    scores.append(Score(name="peak_bytes", value=peak, unit="bytes", state="unfitted"))
    arrays = {f"{name}_seconds": np.array(taken) for name, taken in seconds.items()}
    return Outcome(scores=tuple(scores), arrays=arrays)


def _code(compressor: Compressor, dataset: Dataset) -> list[bytes]:
    return coding.code_each(
        compressor, dataset.test.samples, artifact=coding.NO_ARTIFACT
    )


def _timed(work: Callable[[], object], parameters: Parameters) -> list[float]:
    """Return the seconds of each repeat, the warm-up left out."""
    work()
    taken: list[float] = []
    while len(taken) < parameters.repeats and (
        not taken or sum(taken) < parameters.seconds
    ):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def _speeds(name: str, taken: list[float], n_bytes: int) -> list[Score]:
    best, median = min(taken), statistics.median(taken)
    return [
        Score(
            name=f"{name}_{which}_mb_per_s",
            value=n_bytes / seconds / MEGABYTE,
            unit="MB/s",
            state="unfitted",
            n=len(taken),
        )
        for which, seconds in (("best", best), ("median", median))
    ]


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


TASK = Task(
    name="speed",
    version=1,
    run=run,
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
