"""Class readouts: a code per class, and the class of the shortest code.

argmin over c of C(x | state of c) - log2 prior(c), as in Frank, Chui and Witten 2000,
"Text categorization using compression models". Priors are Laplace-smoothed from train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Bits, Compressor
from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.records.score import PLAIN, Score, Variant
from harness.statistics.resampling import ratio_interval
from harness.tasks.class_text import ClassText, bytes_spread, class_texts, text_of
from harness.tasks.classify import Origin, class_scores, require_labels, tied_credit
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, check_budget
from harness.units import BITS_PER_BYTE, bits_per_byte

LENGTHS, POOLED = "code_length_bits", "pooled_bits"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Amount of text of a class, and of training of networks on it.

    equal_bytes: give every class the same number of bytes.
    budget: training steps of each fit of a network; None takes those of its spec.
    """

    equal_bytes: bool = False
    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("class readouts", self.budget)


def require_route(compressor: Compressor, dataset: Dataset) -> None:
    """Raise NotApplicableError without labels, or for a compressor without conditional code."""
    require_labels(dataset)
    if compressor.route == "none":
        raise NotApplicableError(
            f"{compressor.name} cannot be conditioned (route none)"
        )


def class_lengths(
    start: Compressor,
    dataset: Dataset,
    members: Sequence[NDArray[np.int64]],
    *,
    seed: int,
) -> Bits:
    """Return the bits of each test sample given each class: (n_test, n_classes).

    Args:
        start: compressor that is fitted on the text of each class, from its present state.
        dataset: data set of which the members index the train split.
        members: per class, indices into train.
        seed: of the fits.
    """
    texts = [text_of(dataset, rows) for rows in members]
    return text_lengths(start, texts, dataset.test.samples, seed=seed)


def text_lengths(
    start: Compressor,
    texts: Sequence[ClassText],
    samples: Sequence[bytes],
    *,
    seed: int,
) -> Bits:
    """Return the bits of each sample given the text of each class: (n, n_classes)."""
    lengths = np.empty((len(samples), len(texts)))  # (n, n_classes)
    for label, text in enumerate(texts):
        # Every class starts from the same state, which holds no other class's text.
        fitted = start.fit(text.pieces, seed=seed)
        lengths[:, label] = fitted.code_lengths(samples)
    return lengths


def measured_codes(lengths: Bits, pooled: Bits) -> Measured:
    """Return the measurements of a class readout.

    Args:
        lengths: shape (n_test, n_classes), bits given the text of each class.
        pooled: shape (n_test,), bits given the texts of all classes together.
    """
    return Measured(arrays={LENGTHS: lengths, POOLED: pooled})


def class_judgement(
    evidence: Evidence, parameters: Parameters, *, state: str
) -> Judgement:
    """Return class scores with and without prior, the class gain, and per-sample arrays.

    Models, whose lengths are fractions of bits, are also scored with lengths rounded up
    to bytes (option "byte_rounded"), which shows the effect of a codec's resolution.
    """
    dataset, seed = evidence.dataset, evidence.seed
    lengths, pooled = evidence.arrays[LENGTHS], evidence.arrays[POOLED]
    prior = log_prior_bits(dataset)  # (n_classes,)
    # Bayes: the class of the fewest bits in all has the largest posterior.
    credit = tied_credit(lengths + prior)
    variants = {PLAIN: credit, Variant(option="no_prior"): tied_credit(lengths)}
    # Parts the effect of resolution from that of the model's quality.
    if evidence.subject.kind == "model":
        rounded = tied_credit(rounded_up(lengths) + prior)
        variants[Variant(option="byte_rounded")] = rounded
    route = evidence.subject.route
    scores = [
        score
        for variant, answers in variants.items()
        for score in class_scores(
            dataset,
            answers,
            Origin(state=state, route=route, seed=seed, variant=variant),
        )
    ]
    gain = _class_gain(evidence, pooled - _of_true_class(lengths, dataset), state)
    arrays = {
        LENGTHS: lengths,
        POOLED: pooled,
        "credit": credit,
        "labels": dataset.test.labels,
    }
    spread = _class_spread(evidence, parameters, state)
    return Judgement(scores=(*scores, gain, spread), arrays=arrays)


def log_prior_bits(dataset: Dataset) -> Bits:
    """Return -log2 prior(c), Laplace-smoothed from train: (n_classes,)."""
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    # Laplace: a class that a small train lacks has a probability above 0.
    bits: Bits = -np.log2((counts + 1) / (counts.sum() + len(counts)))
    return bits


def rounded_up(lengths: Bits) -> Bits:
    """Return lengths rounded up to whole bytes, in bits."""
    # A sum of logarithms that should be whole may lie a rounding error above it.
    rounded: Bits = BITS_PER_BYTE * np.ceil(lengths / BITS_PER_BYTE - 1e-9)
    return rounded


def _of_true_class(lengths: Bits, dataset: Dataset) -> Bits:
    labels = dataset.test.labels
    bits: Bits = lengths[np.arange(len(labels)), labels]  # (n_test,)
    return bits


def _class_gain(evidence: Evidence, gains: Bits, state: str) -> Score:
    """Return the savings by knowledge of the true class: (pooled - true) bits per byte."""
    test = evidence.dataset.test
    sizes = np.array([len(sample) for sample in test.samples], np.float64)
    rng = np.random.default_rng([evidence.seed, 5])
    # Bits and bytes are resampled together, since the rate is a ratio of sums.
    low, high = ratio_interval(gains, sizes, rng)
    return Score(
        metric="class_gain",
        value=bits_per_byte(float(gains.sum()), test.n_bytes),
        unit="bits/byte",
        state=state,
        route=evidence.subject.route,
        n=len(test.samples),
        ci_low=low,
        ci_high=high,
        note="bits saved by knowing the true class; given this split",
    )


def _class_spread(evidence: Evidence, parameters: Parameters, state: str) -> Score:
    """Return how unequal the texts of the classes are in bytes."""
    texts = class_texts(
        evidence.dataset, seed=evidence.seed, equal_bytes=parameters.equal_bytes
    )
    sizes = [text.n_bytes for text in texts]
    return Score(
        metric="class_bytes_spread",
        value=bytes_spread(texts),
        unit="fraction",
        state=state,
        n=len(texts),
        note=f"{min(sizes)} to {max(sizes)} bytes of train a class",
    )
