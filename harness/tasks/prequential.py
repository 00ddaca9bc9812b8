"""Train and test from nothing, as one stream (SCIENCE: prequential_bpb; Dawid 1984).

What learns while it codes pays for its own learning: no artifact, nothing given. Networks
go by blocks (`harness.contract.online_code`), and are fitted again by whoever decodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.contract.coding import NO_ARTIFACT, code_stream
from harness.contract.compressor import Compressor, Stepwise
from harness.contract.online_code import (
    Learner,
    Schedule,
    encode_blocks,
    learner_of,
    needs_blocks,
    sample_spans,
)
from harness.errors import NotApplicableError
from harness.tasks.column import Column
from harness.tasks.outcome import Coded, Outcome, Score
from harness.tasks.task import Inputs, Task, check_budget
from harness.units import bits_per_byte, bytes_to_bits


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """budget: training steps of each fit of a network; None is what its spec says."""

    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("prequential", self.budget)


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return the rate of train and test in one stream, and the bytes to be decoded.

    Raises:
        NotApplicableError: the compressor learns neither inside a stream nor by blocks.
    """
    compressor, dataset = inputs.unfitted, inputs.dataset
    learner = learner_for(compressor, parameters.budget, seed=inputs.seed)
    samples = dataset.train.samples + dataset.test.samples
    if learner:
        code = encode_blocks(learner, samples, dataset.separator)
    else:
        code = code_stream(compressor, samples, dataset.separator, artifact=NO_ARTIFACT)
    size = dataset.train.n_bytes + dataset.test.n_bytes
    score = Score(
        name="prequential_bpb",
        value=bits_per_byte(bytes_to_bits(len(code)), size),
        unit="bits/byte",
        state="unfitted",
        n=len(samples),
        realised="decoded",
        note=_note(learner, samples),
    )
    coded = Coded(
        name="prequential",
        fitted=False,
        stream=True,
        codes=(code,),
        samples=samples,
        separator=dataset.separator,
        schedule=learner.schedule if learner else None,
    )
    return Outcome(scores=(score,), coded=(coded,))


def learner_for(
    compressor: Compressor, budget: int | None, *, seed: int
) -> Learner | None:
    """Return what fits a network by blocks; None for what learns inside a stream.

    Args:
        compressor: unfitted.
        budget: training steps of each fit of a network; None is what its spec says.
        seed: of the fits.

    Raises:
        NotApplicableError: the compressor has no online code.
    """
    if needs_blocks(compressor):
        return learner_of(compressor, Schedule(budget=budget, seed=seed))
    require_adaptive(compressor)
    return None


def require_adaptive(compressor: Compressor) -> None:
    """Raise NotApplicableError for what stands still inside a stream."""
    if "fit" in compressor.needs:
        raise NotApplicableError(
            f"{compressor.name} must be fitted; it has no code from nothing without blocks"
        )
    if isinstance(compressor, Stepwise) and not compressor.adapts:
        raise NotApplicableError(f"{compressor.name} does not learn inside a stream")


def _note(learner: Learner | None, samples: Sequence[bytes]) -> str:
    if learner is None:
        return "train and test from nothing; one stream, so no interval"
    n_fits = len(sample_spans([len(sample) for sample in samples])) - 1
    return f"train and test from nothing; by blocks, {n_fits} fits of {learner.steps}"


TASK = Task(
    name="prequential",
    version=1,
    run=run,
    parameters=Parameters,
    title="train and test from nothing, one stream",
    columns=(
        Column(
            header="prequential bpb",
            metric="prequential_bpb",
            meaning="train and test as one stream from nothing, learned block by block",
            with_interval=False,
            higher_is_better=False,
        ),
    ),
)
