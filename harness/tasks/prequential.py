"""Train and test from nothing, as one stream (SCIENCE: prequential_bpb; Dawid 1984).

What learns while it codes pays for its own learning: no artifact, nothing given.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.coding import NO_ARTIFACT, code_stream
from harness.compressor import Compressor, Stepwise
from harness.errors import NotApplicableError
from harness.tasks.outcome import Coded, Outcome, Score
from harness.tasks.task import Inputs, Task, check_budget
from harness.units import bits_per_byte, bytes_to_bits


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """budget: training steps of each fit of a network; None is what its spec says."""

    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("prequential", self.budget)


def run(inputs: Inputs, parameters: Parameters) -> Outcome:  # noqa: ARG001
    """Return the rate of train and test in one stream, and the bytes to be decoded.

    Raises:
        NotApplicableError: the compressor does not learn inside a stream.
    """
    compressor, dataset = inputs.unfitted, inputs.dataset
    require_adaptive(compressor)
    samples = dataset.train.samples + dataset.test.samples
    code = code_stream(compressor, samples, dataset.separator, artifact=NO_ARTIFACT)
    size = dataset.train.n_bytes + dataset.test.n_bytes
    score = Score(
        name="prequential_bpb",
        value=bits_per_byte(bytes_to_bits(len(code)), size),
        unit="bits/byte",
        state="unfitted",
        n=len(samples),
        realised="decoded",
        note="train and test from nothing; one stream, so no interval",
    )
    coded = Coded(
        name="prequential",
        fitted=False,
        stream=True,
        codes=(code,),
        samples=samples,
        separator=dataset.separator,
    )
    return Outcome(scores=(score,), coded=(coded,))


def require_adaptive(compressor: Compressor) -> None:
    """Raise NotApplicableError for what stands still inside a stream."""
    if "fit" in compressor.needs:
        raise NotApplicableError(
            f"{compressor.name} must be fitted; it has no code from nothing without blocks"
        )
    if isinstance(compressor, Stepwise) and not compressor.adapts:
        raise NotApplicableError(f"{compressor.name} does not learn inside a stream")


TASK = Task(
    name="prequential",
    version=1,
    run=run,
    parameters=Parameters,
    title="train and test from nothing, one stream",
)
