"""Contexts of the landmark probe: label-free neighbourhoods of train samples, or shards.

docs/method.md, landmark_probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import Dataset
from harness.errors import NotApplicableError, SuiteError
from harness.tasks.task import check_budget

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]
Contexts = tuple[Indices, ...]
"""Train samples of each context, as indices in the order of its text."""

MIN_CONTEXTS = 2
MAX_SHARE = 0.5
"""Most of train that contexts may take from the probe: of bytes, or of samples."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Number and size of the contexts, and scores that cost time.

    contexts: neighbourhoods that the compressor forms itself, or shards of equal bytes that
        are the same for every compressor.
    n_contexts: at most so many.
    neighbours: samples in a neighbourhood, the landmark among them.
    n_candidates: train samples of which neighbourhoods are formed.
    shard_bytes: size of a shard, and of the longest sample in any context.
    n_probe: train samples outside the contexts that train the probe; None takes all.
    extras: label code length, few-label accuracy and the permuted control.
    budget: training steps of a network on each context; None takes those of its spec.
    """

    contexts: Literal["neighbourhoods", "shards"] = "neighbourhoods"
    n_contexts: int = 64
    neighbours: int = 8
    n_candidates: int = 300
    shard_bytes: int = 4096
    n_probe: int | None = None
    extras: bool = True
    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("landmark_probe", self.budget)
        least = {"n_contexts": MIN_CONTEXTS, "neighbours": 1, "shard_bytes": 1}
        for name, minimum in least.items():
            if (value := getattr(self, name)) < minimum:
                raise SuiteError(
                    f"landmark_probe: {name} is {value}; give at least {minimum}"
                )
        if self.n_candidates < max(self.n_contexts, self.neighbours):
            raise SuiteError(
                f"landmark_probe: n_candidates is {self.n_candidates}; give at least "
                f"n_contexts ({self.n_contexts}) and neighbours ({self.neighbours})"
            )


def seeded_order(dataset: Dataset, parameters: Parameters, *, seed: int) -> Indices:
    """Return the train samples that may stand in a context, in class-blind order."""
    order = np.random.default_rng([seed, 9]).permutation(len(dataset.train.samples))
    # Longer samples would be most of a context; they stay with the probe.
    return order[_sizes(dataset)[order] <= parameters.shard_bytes]


def draw_candidates(dataset: Dataset, parameters: Parameters, *, seed: int) -> Indices:
    """Return the train samples of which neighbourhoods are formed; landmarks come first.

    They are at most half of the samples that may stand in a context, and train no probe: a
    sample costs next to nothing after a context that holds it, unlike any test sample.

    Raises:
        NotApplicableError: train is too small for two neighbourhoods.
    """
    order = seeded_order(dataset, parameters, seed=seed)
    n = min(parameters.n_candidates, int(MAX_SHARE * len(order)))
    least = max(parameters.neighbours, MIN_CONTEXTS)
    if n < least:
        raise NotApplicableError(
            f"{dataset.name}: train has {len(order)} samples of at most "
            f"{parameters.shard_bytes} bytes, half of which are {n}; a neighbourhood needs "
            f"{least}: raise train or lower neighbours"
        )
    return order[:n]


def neighbourhoods(costs: Floats, n_neighbours: int) -> list[Indices]:
    """Return the candidates nearest to each landmark, nearest last, itself at the end.

    The cost of a candidate given a landmark is compared with its mean cost over the other
    landmarks, so that samples that are cheap after anything are near to nothing. (A mean
    over candidates would not change the order at one landmark.)

    Args:
        costs: shape (n_candidates, m), code length per byte given each landmark; candidate
            j is landmark j, for j < m.
        n_neighbours: candidates in a neighbourhood.

    Returns:
        m arrays of n_neighbours rows of `costs`.
    """
    m = costs.shape[1]
    landmarks = np.arange(m)
    centred = costs.copy()
    # The cost of a sample after itself says nothing about its mean.
    centred[landmarks, landmarks] = np.nan
    centred -= np.nanmean(centred, axis=1, keepdims=True)
    centred[landmarks, landmarks] = -np.inf
    nearest = np.argsort(centred, axis=0, kind="stable")[:n_neighbours]  # (k, m)
    # The landmark ends its context, where short windows still reach.
    return list(nearest[::-1].T)


def draw_shards(dataset: Dataset, parameters: Parameters, *, seed: int) -> Contexts:
    """Return shards of whole train samples and separators, the same for every compressor.

    Samples come in one seeded, class-blind order; a shard ends before the sample that
    would carry it over its size, so each is short of it by less than that sample. Samples
    longer than a shard are left to the probe. All shards together take at most half of
    the bytes of the others, so that the probe keeps samples of every length.

    Raises:
        NotApplicableError: that half does not hold two shards.
    """
    sizes, order = _sizes(dataset), seeded_order(dataset, parameters, seed=seed)
    n_bytes = int(sizes[order].sum())
    # A sample in a shard cannot train the probe, which needs samples too.
    n_affordable = int(MAX_SHARE * n_bytes) // parameters.shard_bytes
    n_shards = min(parameters.n_contexts, n_affordable)
    shards = _pack(order, sizes, parameters.shard_bytes)[:n_shards]
    if len(shards) < MIN_CONTEXTS:
        raise NotApplicableError(
            f"{dataset.name}: train has {n_bytes} bytes in samples that fit in a shard of "
            f"{parameters.shard_bytes}, half of which makes {len(shards)} shards; "
            f"{MIN_CONTEXTS} are needed: raise train or lower shard_bytes"
        )
    return tuple(shards)


def probe_rows(dataset: Dataset, parameters: Parameters, *, seed: int) -> Indices:
    """Return the train samples that train the probe, in train's order.

    They are in no context, whatever neighbourhoods a compressor forms.

    Raises:
        NotApplicableError: train is too small.
    """
    if parameters.contexts == "shards":
        inside = np.concatenate(draw_shards(dataset, parameters, seed=seed))
    else:
        inside = draw_candidates(dataset, parameters, seed=seed)
    is_outside = np.ones(len(dataset.train.samples), np.bool_)
    is_outside[inside] = False
    # Train is in seeded order: its first samples are a fair draw.
    return np.flatnonzero(is_outside)[: parameters.n_probe]


def context_samples(dataset: Dataset, contexts: Contexts) -> list[list[bytes]]:
    """Return, per context, its samples, each ended by the separator."""
    return [
        [dataset.train.samples[i] + dataset.separator for i in members]
        for members in contexts
    ]


def _sizes(dataset: Dataset) -> Indices:
    # The separator follows each sample in a context and counts as text.
    return np.array(
        [len(s) + len(dataset.separator) for s in dataset.train.samples], np.int64
    )


def _pack(order: Indices, sizes: Indices, shard_bytes: int) -> list[Indices]:
    """Return the order cut into runs, each ended by the next sample, which is too long."""
    shards, start, n_filled = [], 0, 0
    for position, index in enumerate(order):
        if n_filled + sizes[index] > shard_bytes:
            shards.append(order[start:position])
            start, n_filled = position, 0
        n_filled += int(sizes[index])
        # Exactly full: it needs no further sample to end it.
        if n_filled == shard_bytes:
            shards.append(order[start : position + 1])
            start, n_filled = position + 1, 0
    return shards  # the last run is too short for a shard
