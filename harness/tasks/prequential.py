"""Prequential rate: train and test from nothing, as one stream (Dawid 1984).

docs/method.md, prequential_bpb. A compressor that learns while it codes pays for its own
learning: there is no artifact and no context. Networks go by blocks
(`harness.contract.online_code`), and the decoder fits them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from harness.records.score import Score
from harness.tasks.column import Column
from harness.tasks.outcome import Coded, Judgement, Measured
from harness.tasks.task import Evidence, Inputs, Samples, Task, check_budget
from harness.units import bits_per_byte, bytes_to_bits


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Training of networks.

    budget: training steps of each fit of a network; None takes those of its spec.
    """

    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("prequential", self.budget)


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return the code of train and test in one stream, without artifact or context.

    Raises:
        NotApplicableError: the compressor learns neither inside a stream nor by blocks.
    """
    compressor, dataset = inputs.unfitted, inputs.dataset
    learner = learner_for(compressor, parameters.budget, seed=inputs.seed)
    samples = dataset.train.samples + dataset.test.samples
    facts = {}
    if learner:
        # A network does not learn inside a stream: it is trained between blocks.
        code = encode_blocks(learner, samples, dataset.separator)
        facts["steps"] = learner.steps
    else:
        code = code_stream(compressor, samples, dataset.separator, artifact=NO_ARTIFACT)
    coded = Coded(
        name="prequential",
        fitted=False,
        stream=True,
        codes=(code,),
        samples=samples,
        separator=dataset.separator,
        schedule=learner.schedule if learner else None,
    )
    return Measured(facts=facts, coded=(coded,))


def originals(evidence: Evidence, _: Parameters) -> Mapping[str, Samples]:
    """Return train and test, the original of the one code."""
    dataset = evidence.dataset
    return {"prequential": dataset.train.samples + dataset.test.samples}


def judge(evidence: Evidence, _: Parameters) -> Judgement:
    """Return the rate of train and test in one stream."""
    dataset = evidence.dataset
    samples = dataset.train.samples + dataset.test.samples
    n_bytes = evidence.codes["prequential"].n_bytes
    # Original bytes only: separators are coded, but not counted.
    size = dataset.train.n_bytes + dataset.test.n_bytes
    score = Score(
        metric="prequential_bpb",
        value=bits_per_byte(bytes_to_bits(n_bytes), size),
        unit="bits/byte",
        state="unfitted",
        n=len(samples),
        realised="decoded",
        note=_note(evidence.facts.get("steps"), samples),
    )
    return Judgement(scores=(score,))


def learner_for(
    compressor: Compressor, budget: int | None, *, seed: int
) -> Learner | None:
    """Return the learner that fits a network by blocks; None for one that learns in a stream.

    Args:
        compressor: unfitted.
        budget: training steps of each fit of a network; None takes those of its spec.
        seed: of the fits.

    Raises:
        NotApplicableError: the compressor has no online code.
    """
    if needs_blocks(compressor):
        return learner_of(compressor, Schedule(budget=budget, seed=seed))
    require_adaptive(compressor)
    return None


def require_adaptive(compressor: Compressor) -> None:
    """Raise NotApplicableError for a model whose state is frozen within a stream."""
    if "fit" in compressor.needs:
        raise NotApplicableError(
            f"{compressor.name} must be fitted; it has no code from nothing without blocks"
        )
    if isinstance(compressor, Stepwise) and not compressor.adapts:
        raise NotApplicableError(f"{compressor.name} does not learn inside a stream")


def _note(steps: str | None, samples: Sequence[bytes]) -> str:
    if steps is None:
        return "train and test from nothing; one stream, so no interval"
    # The first block has a uniform code and needs no fit.
    n_fits = len(sample_spans([len(sample) for sample in samples])) - 1
    return f"train and test from nothing; by blocks, {n_fits} fits of {steps}"


TASK = Task(
    name="prequential",
    version=1,
    measure=measure,
    judge=judge,
    originals=originals,
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
