"""Label code length: bits of an online code of labels for a receiver with the features.

Voita and Titov 2020, "Information-theoretic probing with minimum description length"
(arXiv:2003.12298), section 2.2.2: labels are sent in blocks, each coded by a probe fitted
on the blocks before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.tasks.probing.logistic import (
    STRENGTHS,
    Floats,
    Labels,
    Probe,
    check_features,
    fit_logistic,
    standardise,
)

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler

BLOCK_ENDS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
"""Ends of the blocks, as shares of the labels."""
N_ORDERS = 3
TEMPERATURES = (1.0, 0.125, 0.25, 0.5, 2.0, 4.0, 8.0)


def label_bits(features: Floats, labels: Labels, n_classes: int, seed: int) -> float:
    """Return the code length of the labels given the features, bits per label.

    The mean over three seeded orders. The receiver has all features, so that they are
    standardised together; nothing else uses later samples.

    Args:
        features: shape (n, d).
        labels: shape (n,), below n_classes.
        n_classes: K; the first block costs log2 K bits per label.
        seed: of the orders.

    Raises:
        DatasetError: there is no feature, no sample, or a value that is not finite.
    """
    check_features(features, labels)
    scaler = standardise(features)
    bits = []
    for order in range(N_ORDERS):
        rng = np.random.default_rng([seed, 6, order])
        # The code depends on the order of labels; a mean over orders depends on it less.
        permutation = rng.permutation(len(labels))
        ordered = features[permutation], labels[permutation]  # (n, d), (n,)
        bits.append(_online_bits(*ordered, n_classes, scaler))
    return float(np.mean(bits)) / len(labels)


def prior_entropy(labels: Labels) -> float:
    """Return the entropy of the label frequencies, bits per label."""
    counts = np.bincount(labels)
    # 0 log 0 is 0.
    shares = counts[counts > 0] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


def _online_bits(
    features: Floats, labels: Labels, n_classes: int, scaler: StandardScaler
) -> float:
    """Return the bits of all labels in the order given.

    C and temperature of a block are those that would have coded all earlier blocks best;
    for the first block, the strongest penalty and temperature 1.
    """
    ends = block_ends(len(labels))
    # No probe can be fitted before the first labels: they have a uniform code.
    total = ends[0] * np.log2(n_classes)
    costs = np.zeros((len(STRENGTHS), len(TEMPERATURES)))  # bits of earlier blocks
    for start, stop in pairwise(ends):
        probes = [
            fit_logistic(features[:start], labels[:start], n_classes, strength, scaler)
            for strength in STRENGTHS
        ]
        counts = np.bincount(labels[:start], minlength=n_classes)  # (K,)
        block = slice(start, stop)
        bits = _block_bits(probes, counts, features[block], labels[block])
        # Chosen by earlier blocks only, so that a receiver makes the same choice.
        total += float(bits.flat[costs.argmin()])
        costs += bits
    return float(total)


def block_ends(n: int) -> list[int]:
    """Return the ends of the blocks of n labels: rising, at least 1, the last is n."""
    # Shares of few labels round to 0, and a block cannot be empty.
    ends = np.maximum(np.round(np.array(BLOCK_ENDS) * n), 1)
    return [int(end) for end in np.unique(ends)]


def _block_bits(
    probes: Sequence[Probe],
    counts: NDArray[np.int64],
    features: Floats,
    labels: Labels,
) -> Floats:
    """Return the bits of a block under each probe and temperature."""
    rows = np.arange(len(labels))
    bits = np.empty((len(probes), len(TEMPERATURES)))
    for i, probe in enumerate(probes):
        logits = probe.logits(features)  # (n, K)
        for j, temperature in enumerate(TEMPERATURES):
            p = probabilities(logits / temperature, counts)  # (n, K)
            bits[i, j] = -np.log2(p[rows, labels]).sum()
    return bits


def probabilities(logits: Floats, counts: NDArray[np.int64]) -> Floats:
    """Return the probability of each class in the code, shape (n, K), rows summing to 1.

    A class without a sample so far gets Laplace's 1 / (n + K), n the samples so far; classes
    with samples share the remainder by the softmax of their logits; then p >= 1 / (1000 K),
    and rows are normalised again.
    """
    n_classes = len(counts)
    occurs = counts > 0
    # Less the maximum, so that exp does not overflow.
    shifted = logits[:, occurs] - logits[:, occurs].max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    p = np.full((len(logits), n_classes), 1 / (counts.sum() + n_classes))
    # The probability that classes without samples leave to the others.
    mass = 1 - (n_classes - occurs.sum()) * p[0, 0]
    p[:, occurs] = mass * weights / weights.sum(axis=1, keepdims=True)
    # A bound on the cost of one sample: a sure and wrong probe must not cost infinity.
    p = np.maximum(p, 1 / (1000 * n_classes))
    normalised: Floats = p / p.sum(axis=1, keepdims=True)
    return normalised
