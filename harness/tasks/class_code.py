"""What the class readouts share: a code per class, and the class of the shortest.

argmin over c of C(x | state of c) - log2 prior(c), as in Frank, Chui and Witten 2000,
"Text categorization using compression models". Priors are Laplace-smoothed from train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Bits, Compressor, Stepwise
from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.statistics.resampling import ratio_interval
from harness.tasks.classify import class_scores, require_labels, tied_credit
from harness.tasks.outcome import Outcome, Score
from harness.tasks.task import check_budget
from harness.units import BITS_PER_BYTE, bits_per_byte

EQUAL_BYTES = 32 * 1024


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How much text a class has, and how long networks train on it.

    equal_bytes: give every class the same number of bytes, in whole samples.
    budget: training steps of each fit of a network; None is what its spec says.
    """

    equal_bytes: bool = False
    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("class readouts", self.budget)


@dataclass(frozen=True, kw_only=True)
class ClassCodes:
    """Code lengths of the test samples.

    Attributes:
        lengths: shape (n_test, n_classes), bits given the text of each class.
        pooled: shape (n_test,), bits given the same without knowing the class.
        state: what the compressor knew, such as "fit(class)".
        compressor: which coded.
    """

    lengths: Bits
    pooled: Bits
    state: str
    compressor: Compressor


def require_route(compressor: Compressor, dataset: Dataset) -> None:
    """Raise NotApplicableError without labels, or where nothing can be conditioned on."""
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
    sizes = np.array([len(s) + len(dataset.separator) for s in dataset.train.samples])
    budget = min(EQUAL_BYTES, *(int(sizes[m].sum()) for m in members))
    drawn = [rng.permutation(m) for m in members]
    return [m[np.cumsum(sizes[m]) <= budget] for m in drawn]


def class_lengths(
    start: Compressor,
    dataset: Dataset,
    members: Sequence[NDArray[np.int64]],
    *,
    seed: int,
) -> Bits:
    """Return the bits of each test sample given each class: (n_test, n_classes).

    Args:
        start: what fits each class's text, on top of whatever it knows.
        dataset: whose train split the members index.
        members: per class, indices into train.
        seed: of the fits.
    """
    samples = dataset.test.samples
    lengths = np.empty((len(samples), len(members)))
    for label, chosen in enumerate(members):
        fitted = start.fit(corpus_of(dataset, chosen), seed=seed)
        lengths[:, label] = fitted.code_lengths(samples)
    return lengths


def corpus_of(dataset: Dataset, chosen: NDArray[np.int64]) -> list[bytes]:
    """Return the chosen train samples, each ended by the separator."""
    return [dataset.train.samples[i] + dataset.separator for i in chosen]


def class_outcome(codes: ClassCodes, dataset: Dataset, *, seed: int) -> Outcome:
    """Return class scores with and without prior, the class gain, and per-sample arrays.

    Models, whose lengths are fractions of bits, are also scored with lengths rounded up
    to bytes (suffix "_byte_rounded"): what a codec's resolution alone would do to them.
    """
    state, route = codes.state, codes.compressor.route
    prior = log_prior_bits(dataset)
    credit = tied_credit(codes.lengths + prior)
    variants = {"": credit, "_no_prior": tied_credit(codes.lengths)}
    if isinstance(codes.compressor, Stepwise):
        variants["_byte_rounded"] = tied_credit(rounded_up(codes.lengths) + prior)
    scores = [
        score
        for suffix, given in variants.items()
        for score in class_scores(
            dataset, given, state=state, seed=seed, route=route, suffix=suffix
        )
    ]
    arrays = {
        "code_length_bits": codes.lengths,
        "pooled_bits": codes.pooled,
        "credit": credit,
        "labels": dataset.test.labels,
    }
    scores.append(_class_gain(codes, dataset, seed=seed))
    return Outcome(scores=tuple(scores), arrays=arrays)


def log_prior_bits(dataset: Dataset) -> Bits:
    """Return -log2 prior(c), Laplace-smoothed from train: (n_classes,)."""
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    bits: Bits = -np.log2((counts + 1) / (counts.sum() + len(counts)))
    return bits


def rounded_up(lengths: Bits) -> Bits:
    """Return lengths rounded up to whole bytes, in bits."""
    # A sum of logarithms that should be whole may lie a rounding error above it.
    rounded: Bits = BITS_PER_BYTE * np.ceil(lengths / BITS_PER_BYTE - 1e-9)
    return rounded


def _class_gain(codes: ClassCodes, dataset: Dataset, *, seed: int) -> Score:
    """Return what knowing the true class saves: (pooled - true class) bits per byte."""
    labels, samples = dataset.test.labels, dataset.test.samples
    gains = codes.pooled - codes.lengths[np.arange(len(labels)), labels]
    sizes = np.array([len(sample) for sample in samples], np.float64)
    low, high = ratio_interval(gains, sizes, np.random.default_rng([seed, 5]))
    return Score(
        name="class_gain",
        value=bits_per_byte(float(gains.sum()), dataset.test.n_bytes),
        unit="bits/byte",
        state=codes.state,
        route=codes.compressor.route,
        n=len(samples),
        ci_low=low,
        ci_high=high,
        note="bits saved by knowing the true class; given this split",
    )
