"""Prequential rate: train and test from nothing, as one stream (Dawid 1984).

docs/method.md, prequential_bpb. A compressor that learns while it codes pays for its own
learning: there is no artifact and no context. Networks go by blocks
(`harness.contract.online_code`), and the decoder fits them again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.contract.coding import NO_ARTIFACT, code_stream
from harness.contract.compressor import Compressor, Stepwise
from harness.contract.online_code import (
    Learner,
    Schedule,
    block_lengths,
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

Floats = NDArray[np.float64]
BLOCK_BYTES = "block_code_bytes"
"""Array: bytes of the code of each block; of a stream, before its last block and in it."""


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
        block_bytes = block_lengths(code)
    else:
        code = code_stream(compressor, samples, dataset.separator, artifact=NO_ARTIFACT)
        head = _before_last_block(samples)
        earlier = code_stream(compressor, head, dataset.separator, artifact=NO_ARTIFACT)
        # The area needs the last block alone: the sum over earlier ones telescopes.
        block_bytes = [len(earlier), len(code) - len(earlier)]
    coded = Coded(
        name="prequential",
        fitted=False,
        stream=True,
        codes=(code,),
        samples=samples,
        separator=dataset.separator,
        schedule=learner.schedule if learner else None,
    )
    arrays = {BLOCK_BYTES: np.array(block_bytes, np.int64)}
    return Measured(arrays=arrays, facts=facts, coded=(coded,))


def _before_last_block(samples: Samples) -> Samples:
    """Return the samples before the last of the blocks by which a network would go."""
    *_, (start, _) = sample_spans([len(sample) for sample in samples])
    return samples[:start]


def originals(evidence: Evidence, _: Parameters) -> Mapping[str, Samples]:
    """Return train and test, the original of the one code."""
    dataset = evidence.dataset
    return {"prequential": dataset.train.samples + dataset.test.samples}


def judge(evidence: Evidence, _: Parameters) -> Judgement:
    """Return the rate of train and test in one stream, and the bits learned on the way."""
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
    sizes = _original_bytes(samples, by_blocks="steps" in evidence.facts)
    learned = Score(
        metric="learned_bits",
        value=bits_learned(bytes_to_bits(1) * evidence.arrays[BLOCK_BYTES], sizes),
        unit="bits",
        state="unfitted",
        n=len(samples),
        note="prequential bits above the rate of the last block",
    )
    return Judgement(scores=(score, learned))


def _original_bytes(samples: Samples, *, by_blocks: bool) -> NDArray[np.int64]:
    """Return the bytes of the samples in each block that was measured."""
    lengths = [len(sample) for sample in samples]
    spans = sample_spans(lengths)
    if not by_blocks:
        # A stream has two parts: what comes before its last block, and that block.
        start = spans[-1][0]
        spans = [(0, start), (start, len(samples))]
    return np.array([sum(lengths[start:stop]) for start, stop in spans], np.int64)


def bits_learned(block_bits: Floats, block_bytes: NDArray[np.int64]) -> float:
    """Return the area between the rates of blocks and the final rate, in bits.

    Sum over blocks of (rate of the block - final rate) * bytes of the block: the bits paid
    on the way to the final rate, an estimate of the structure that was learned (Finzi et al.
    2026, "From Entropy to Epiplexity", arXiv:2601.03220, the prequential estimate).
    Nothing is clipped: a code that gets worse has a negative area.

    Args:
        block_bits: shape (blocks,), code lengths in order.
        block_bytes: shape (blocks,), original bytes; the final rate is that of the last
            block which has any. Without a byte the area is 0.
    """
    filled = np.flatnonzero(block_bytes)
    if not len(filled):
        return 0.0
    final = block_bits[filled[-1]] / block_bytes[filled[-1]]
    return float((block_bits - final * block_bytes)[: filled[-1] + 1].sum())


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
    version=2,
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
        Column(
            header="bits learned",
            metric="learned_bits",
            meaning="bits of the prequential code above the rate of its last block",
            digits=0,
            with_interval=False,
        ),
    ),
)
