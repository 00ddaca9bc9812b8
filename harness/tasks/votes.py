"""Votes of the nearest samples, every tie shared: exact expectations without sampling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

TIE = 1e-12
"""Equal fractions are equal floats; lengths of models carry rounding errors."""


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Neighbours of a block of test samples at the k-th distance.

    Attributes:
        nearer: shape (b, n_classes), train samples strictly nearer, fewer than k in all.
        tied: shape (b, n_classes), train samples at the k-th distance.
    """

    nearer: Counts
    tied: Counts


def neighbours(distances: Floats, truth: Floats, k: int) -> Neighbours:
    """Return, per class, the numbers of samples nearer than the k-th distance and at it.

    Args:
        distances: shape (b, n_train).
        truth: shape (n_train, n_classes), one-hot labels.
        k: from 1 to n_train.
    """
    kth = np.partition(distances, k - 1, axis=1)[:, k - 1 : k]  # (b, 1)
    nearer = distances < kth - TIE  # (b, n_train)
    tied = (distances <= kth + TIE) & ~nearer
    return Neighbours(
        nearer=np.rint(nearer @ truth).astype(np.int64),  # (b, n_classes)
        tied=np.rint(tied @ truth).astype(np.int64),
    )


def vote_credit(block: Neighbours, k: int) -> Floats:
    """Return the expected share of each class in the answer: (b, n_classes).

    Where more samples lie at the k-th distance than places are left, every choice among
    them is equally likely; then classes with equally many votes share the answer.
    """
    open_places = k - block.nearer.sum(axis=1)
    credit = _winners(block.nearer + block.tied)
    # In all other rows every tied sample is among the k.
    for row in np.flatnonzero(block.tied.sum(axis=1) > open_places):
        places = int(open_places[row])
        votes, likely = _completions(block.nearer[row], block.tied[row], places)
        credit[row] = likely @ _winners(votes)
    return credit


def either_of_two(block: Neighbours, labels: NDArray[np.int64]) -> Floats:
    """Return the probability that one of the two nearest has the right label: a known error.

    Args:
        block: at the second distance.
        labels: shape (b,), the true classes.
    """
    rows = np.arange(len(labels))
    places = 2 - block.nearer.sum(axis=1)
    tied = block.tied.sum(axis=1)
    wrong = tied - block.tied[rows, labels]
    # Probability that no drawn sample has the right label: C(w, p) / C(t, p).
    missed = np.array(
        [
            comb(w, p) / comb(t, p)
            for w, t, p in zip(
                wrong.tolist(), tied.tolist(), places.tolist(), strict=True
            )
        ]
    )
    right: Floats = np.where(block.nearer[rows, labels] > 0, 1.0, 1 - missed)
    return right


def _winners(votes: Counts) -> Floats:
    """Return 1/|most voted| for each most voted class, 0 for the others."""
    most = votes == votes.max(axis=1, keepdims=True)
    share: Floats = most / most.sum(axis=1, keepdims=True)
    return share


def _completions(nearer: Counts, tied: Counts, places: int) -> tuple[Counts, Floats]:
    """Return all votes that tied samples can complete, and their probabilities.

    Drawing `places` of the tied samples without replacement is hypergeometric.
    """
    present = np.flatnonzero(tied)
    draws = _draws(len(present), places)
    # A class fills no more places than it has tied samples.
    draws = draws[(draws <= tied[present]).all(axis=1)]
    ways = np.array(
        [[comb(n, d) for d in range(places + 1)] for n in tied[present].tolist()],
        np.float64,
    )  # (n_present, places + 1)
    likely = ways[np.arange(len(present)), draws].prod(axis=1)  # (n_ways,)
    votes = np.tile(nearer, (len(draws), 1))
    votes[:, present] += draws
    return votes, likely / likely.sum()


@lru_cache(maxsize=256)
def _draws(n_classes: int, places: int) -> Counts:
    """Return every way to draw so many places from classes: (n_ways, n_classes)."""
    ways = list(combinations_with_replacement(range(n_classes), places))
    counts = np.zeros((len(ways), n_classes), np.int64)
    for place in np.array(ways, np.int64).T:
        counts[np.arange(len(ways)), place] += 1
    counts.setflags(write=False)  # shared by all callers
    return counts
