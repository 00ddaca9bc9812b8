"""Likelihood rate: bits of the test split under a model's probabilities, none of them coded.

docs/method.md, likelihood_bpb. It is the only rate of a model that writes no bytes, never has
a rank, and stands beside the coded rate of a model whose state is frozen inside a stream.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.coding import join
from harness.contract.compressor import Bits, Compressor, Stepwise
from harness.data.dataset import Dataset
from harness.records.score import Score
from harness.statistics.resampling import ratio_interval
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, Inputs
from harness.units import bits_per_byte

LENGTHS = "isolated_bits"
"""Array: bits of each test sample alone, given train."""
STREAM = "stream_likelihood_bits"
"""Array: bits of the test split as one stream, of a model that learns inside it."""
UNIQUE = "unique_likelihood_bits"
"""Array: the same without the samples that duplicate train."""


def likelihood_lengths(inputs: Inputs) -> Measured:
    """Return the code lengths of test samples given train, of which no code is written.

    A model that learns inside a stream has the length of the whole stream too. Without a
    train split, the state is that of the unfitted model, if it has any.
    """
    dataset, model = inputs.dataset, inputs.fitted
    if not dataset.train.samples:
        # A model that must be fitted knows no probabilities here.
        if "fit" in inputs.unfitted.needs:
            return Measured()
        model = inputs.unfitted
    arrays: dict[str, NDArray[Any]] = {
        LENGTHS: model.code_lengths(dataset.test.samples)
    }
    if _learns_inside_a_stream(model):
        arrays[STREAM] = _stream_bits(model, dataset, dataset.test.samples)
        mask = _unique(dataset)
        if mask is not None:
            unique = dataset.test.take(np.flatnonzero(mask))
            arrays[UNIQUE] = _stream_bits(model, dataset, unique.samples)
    return Measured(arrays=arrays)


def _learns_inside_a_stream(model: Compressor) -> bool:
    return isinstance(model, Stepwise) and model.adapts


def _stream_bits(
    model: Compressor, dataset: Dataset, samples: tuple[bytes, ...]
) -> Bits:
    return model.code_lengths([join(samples, dataset.separator)])


def _unique(dataset: Dataset) -> NDArray[np.bool_] | None:
    """Return the mask of samples that duplicate nothing; None where it is all or none."""
    mask = dataset.duplicated
    if mask is None or not 0 < mask.sum() < len(mask):
        return None
    return ~mask


def likelihood_scores(evidence: Evidence) -> Judgement:
    """Return the likelihood of a model, also without duplicates.

    Of models that write bytes, those that must be fitted have one, for their state is
    frozen inside a stream; an adapting one and a codec have their coded rate alone.
    """
    dataset, lengths = evidence.dataset, evidence.arrays.get(LENGTHS)
    subject = evidence.subject
    is_coded = subject.determinism != "likelihood"
    adapts = is_coded and "fit" not in subject.needs
    if lengths is None or subject.kind == "codec" or adapts:
        return Judgement(scores=())
    masks = {False: np.ones(len(lengths), np.bool_)}
    if (unique := _unique(dataset)) is not None:
        masks[True] = unique
    scores = tuple(
        _score(evidence, mask, deduplicated=deduplicated)
        for deduplicated, mask in masks.items()
    )
    sizes = np.array([len(sample) for sample in dataset.test.samples])
    return Judgement(scores=scores, arrays={LENGTHS: lengths, "n_bytes": sizes})


def _score(evidence: Evidence, mask: NDArray[np.bool_], *, deduplicated: bool) -> Score:
    dataset, lengths = evidence.dataset, evidence.arrays[LENGTHS][mask]
    sizes = np.array([len(sample) for sample in dataset.test.samples], np.float64)[mask]
    # The seed of the coded rates, so that both have intervals of the same resamples.
    rng = np.random.default_rng([evidence.seed, 1])
    low, high = ratio_interval(lengths, sizes, rng)
    stream = evidence.arrays.get(UNIQUE if deduplicated else STREAM)
    total = float(lengths.sum() if stream is None else stream.sum())
    # As for coded streams: the interval of the samples alone, scaled to the stream.
    scale = total / float(lengths.sum()) if lengths.sum() > 0 else 1.0
    is_fitted = bool(dataset.train.samples)
    return Score(
        metric="likelihood_bpb",
        deduplicated=deduplicated,
        value=bits_per_byte(total, int(sizes.sum())),
        unit="bits/byte",
        state="fit(train)" if is_fitted else "unfitted",
        route=evidence.subject.route if is_fitted else "",
        n=len(sizes),
        ci_low=low * scale,
        ci_high=high * scale,
        realised="likelihood",
        note="given this split; a likelihood, of which no byte was decoded",
    )
