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
from harness.tasks.classify import Origin, class_scores, require_labels, tied_credit
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, check_budget
from harness.units import BITS_PER_BYTE, bits_per_byte

EQUAL_BYTES = 32 * 1024
LENGTHS, POOLED = "code_length_bits", "pooled_bits"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Amount of text of a class, and of training of networks on it.

    equal_bytes: give every class the same number of bytes, in whole samples.
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


def class_members(
    dataset: Dataset, *, seed: int, equal_bytes: bool
) -> list[NDArray[np.int64]]:
    """Return, per class, indices into train; with equal bytes, as many whole samples as fit.

    The common size is min(32 KiB, bytes of the smallest class). The draw depends on data
    and seed alone: every compressor gets the same.
    """
    labels = dataset.train.labels
    members = [np.flatnonzero(labels == c) for c in range(len(dataset.classes))]
    if not equal_bytes:
        return members
    rng = np.random.default_rng([seed, 3])
    # The separator follows each sample in the corpus and counts as text.
    sizes = np.array([len(s) + len(dataset.separator) for s in dataset.train.samples])
    # The smallest class sets the size: more text must not pass for a better model.
    budget = min(EQUAL_BYTES, *(int(sizes[m].sum()) for m in members))
    shuffled = [rng.permutation(m) for m in members]
    # Whole samples only: a cut one would teach an end that does not occur.
    return [m[np.cumsum(sizes[m]) <= budget] for m in shuffled]


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
    samples = dataset.test.samples
    lengths = np.empty((len(samples), len(members)))  # (n_test, n_classes)
    for label, indices in enumerate(members):
        # Every class starts from the same state, which holds no other class's text.
        fitted = start.fit(corpus_of(dataset, indices), seed=seed)
        lengths[:, label] = fitted.code_lengths(samples)
    return lengths


def corpus_of(dataset: Dataset, indices: NDArray[np.int64]) -> list[bytes]:
    """Return the train samples at these indices, each ended by the separator."""
    return [dataset.train.samples[i] + dataset.separator for i in indices]


def measured_codes(lengths: Bits, pooled: Bits) -> Measured:
    """Return the measurements of a class readout.

    Args:
        lengths: shape (n_test, n_classes), bits given the text of each class.
        pooled: shape (n_test,), bits given the texts of all classes together.
    """
    return Measured(arrays={LENGTHS: lengths, POOLED: pooled})


def class_judgement(evidence: Evidence, *, state: str) -> Judgement:
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
    return Judgement(scores=(*scores, gain), arrays=arrays)


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
