"""Classify by the class whose text compresses a sample best (SCIENCE: class_scratch).

argmin over c of C(x | fit(train of c)) - log2 prior(c), as in Frank, Chui and Witten 2000,
"Text categorization using compression models". Priors are Laplace-smoothed from train.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.compressor import Compressor
from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.tasks.classify import class_scores, tied_credit
from harness.tasks.outcome import Outcome

VERSION = 1
EQUAL_BYTES = 32 * 1024


def run(
    compressor: Compressor, dataset: Dataset, *, seed: int, equal_bytes: bool
) -> Outcome:
    """Return class scores with and without prior, predictions and per-class lengths.

    Args:
        compressor: unfitted.
        dataset: labelled.
        seed: of the intervals and of the draw of equal bytes.
        equal_bytes: give every class the same number of bytes, in whole samples.

    Raises:
        NotApplicableError: there are no labels, or the compressor has no route.
    """
    if not dataset.is_labelled:
        raise NotApplicableError(f"{dataset.name} has no labels")
    if compressor.route == "none":
        raise NotApplicableError(
            f"{compressor.name} cannot be conditioned (route none)"
        )
    members = class_members(dataset, seed=seed, equal_bytes=equal_bytes)
    samples = dataset.test.samples
    lengths = np.empty((len(samples), len(dataset.classes)))
    for label, chosen in enumerate(members):
        corpus = [dataset.train.samples[i] + dataset.separator for i in chosen]
        lengths[:, label] = compressor.fit(corpus, seed=seed).code_lengths(samples)
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    prior = (counts + 1) / (counts.sum() + len(counts))
    state, labels, route = "fit(class)", dataset.test.labels, compressor.route
    credit = tied_credit(lengths - np.log2(prior))
    plain = tied_credit(lengths)
    scores = class_scores(labels, credit, state=state, seed=seed, route=route)
    scores += class_scores(
        labels, plain, state=state, seed=seed, route=route, suffix="_no_prior"
    )
    arrays = {"code_length_bits": lengths, "credit": credit, "labels": labels}
    return Outcome(scores=tuple(scores), arrays=arrays)


def class_members(
    dataset: Dataset, *, seed: int, equal_bytes: bool
) -> list[NDArray[np.int64]]:
    """Return, per class, indices into train; with equal bytes, as many whole samples as fit.

    The common size is min(32 KiB, bytes of the smallest class).
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
