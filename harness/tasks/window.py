"""Window of context memory: the largest distance at which a repetition still helps.

C(r f r) - C(r f) for incompressible r of 1 KiB and filler f of length d: the window is the
largest d at which the second r costs under half of the first, C(r). The data set plays no
part: r and f are seeded random symbols.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.contract.compressor import Compressor, Stepwise
from harness.errors import NotApplicableError, SuiteError
from harness.records.score import Score
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, Inputs, Task

REPEATED_BYTES = 1024
HALF = 0.5
"""Share of its first cost below which a repetition was remembered."""
REPEAT_COST = "repeat_cost"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Range of fillers.

    max_filler_bytes: end of the doubling ladder that begins at 1 KiB.
    """

    max_filler_bytes: int = 4 << 20

    def __post_init__(self) -> None:
        if self.max_filler_bytes < REPEATED_BYTES:
            raise SuiteError(
                f"window: max_filler_bytes is {self.max_filler_bytes}; "
                f"give {REPEATED_BYTES} or more"
            )


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return, for each length of filler, the cost of the repetition as a share of the first.

    Raises:
        NotApplicableError: the compressor codes nothing before it is fitted.
    """
    compressor = inputs.unfitted
    if "fit" in compressor.needs:
        raise NotApplicableError(
            f"{compressor.name} must be fitted; its knowledge by then is no context"
        )
    fillers = ladder(parameters.max_filler_bytes)
    shares = repeat_costs(compressor, fillers, seed=inputs.seed)
    return Measured(arrays={REPEAT_COST: np.array(shares)})


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return the measured window, and the declared one where it has a limit."""
    fillers = ladder(parameters.max_filler_bytes)
    shares = evidence.arrays[REPEAT_COST].tolist()
    # The longest such filler, even where a shorter one failed.
    measured = max(
        (d for d, share in zip(fillers, shares, strict=True) if share < HALF), default=0
    )
    declared = evidence.subject.window
    notes = ["largest rung of a doubling ladder"]
    if measured == fillers[-1]:
        notes.append("the last one: the window may be longer")
    if declared is None:
        notes.append("declared without limit")
    scores = [_bytes("window_bytes", measured, "; ".join(notes))]
    if declared is not None:
        scores.append(_bytes("declared_window_bytes", declared, ""))
    arrays = {"filler_bytes": np.array(fillers), REPEAT_COST: np.array(shares)}
    return Judgement(scores=tuple(scores), arrays=arrays)


def ladder(top: int) -> list[int]:
    """Return filler lengths from 1 KiB on, doubling, none above `top`."""
    n_rungs = (top // REPEATED_BYTES).bit_length()
    return [REPEATED_BYTES << rung for rung in range(n_rungs)]


def repeat_costs(
    compressor: Compressor, fillers: list[int], *, seed: int
) -> list[float]:
    """Return (C(r f r) - C(r f)) / C(r) for each filler length, coded from nothing."""
    rng = np.random.default_rng([seed, 6])
    alphabet = compressor.alphabet if isinstance(compressor, Stepwise) else 256
    # Random symbols are incompressible: only memory of the first copy helps.
    repeated = rng.integers(0, alphabet, REPEATED_BYTES, np.uint8).tobytes()
    filler = rng.integers(0, alphabet, max(fillers), np.uint8).tobytes()
    (first,) = compressor.code_lengths([repeated])
    costs = []
    for d in fillers:
        before = repeated + filler[:d]
        # A difference is no rate, but accurate enough to compare with half of a cost.
        short, long = compressor.code_lengths([before, before + repeated])
        costs.append(float((long - short) / first))
    return costs


def _bytes(metric: str, value: float, note: str) -> Score:
    return Score(metric=metric, value=value, unit="bytes", state="unfitted", note=note)


TASK = Task(
    name="window",
    version=1,
    measure=measure,
    judge=judge,
    parameters=Parameters,
    title="how far back a repetition still helps",
)
