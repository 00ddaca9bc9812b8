"""Landmark probe: a classifier on the bits that each shard of raw text saves.

docs/method.md, landmark_probe.

Feature j of sample x is (C(x | s_j) - mean_j C(x | s_j)) / |x|, in bits per byte:
likeness to a text, corrected for the compressibility of x. Landmarks by dissimilarity are those of
Pekalska and Duin 2005, "The Dissimilarity Representation for Pattern Recognition".

The shards are drawn without their labels from at most half of train. A sample that lies in
a shard costs nothing after it, unlike any test sample: such samples train no probe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Bits, Compressor
from harness.contract.training import with_budget
from harness.data.dataset import Dataset, Split
from harness.errors import NotApplicableError, SuiteError
from harness.records.score import Score
from harness.statistics import resampling as stats
from harness.tasks.class_code import require_route
from harness.tasks.column import Column
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.probing.scores import Features, probe_scores
from harness.tasks.task import Evidence, Inputs, Task, check_budget

SHARD_BYTES = 4096
N_SHARDS = 64
MIN_SHARDS = 2
SHARD_BITS = "shard_bits"
MAX_SHARE = 0.5
"""Most that shards may take of the bytes of train."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Number and size of shards, and scores that cost time.

    n_shards, shard_bytes: of the shards, at most so many.
    n_probe: train samples outside the shards that train the probe; None takes all.
    extras: label code length, few-label accuracy and the permuted control.
    budget: training steps of a network on each shard; None takes those of its spec.
    """

    n_shards: int = N_SHARDS
    shard_bytes: int = SHARD_BYTES
    n_probe: int | None = None
    extras: bool = True
    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("landmark_probe", self.budget)
        if self.n_shards < MIN_SHARDS or self.shard_bytes < 1:
            raise SuiteError(
                f"landmark_probe: n_shards is {self.n_shards} and shard_bytes is "
                f"{self.shard_bytes}; give at least {MIN_SHARDS} and 1"
            )


@dataclass(frozen=True, kw_only=True)
class Landmarks:
    """Shards, and the train samples in none of them.

    Attributes:
        members: per shard, indices into train, in order.
        outside: the train samples that train the probe, in their order.
    """

    members: tuple[NDArray[np.int64], ...]
    outside: Split


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return C(x | s_j) in bits of the probe's train samples, then of all test samples.

    Raises:
        NotApplicableError: there are no labels, the compressor has no route, or train is
            too small for two shards.
    """
    dataset, seed = inputs.dataset, inputs.seed
    compressor = with_budget(inputs.unfitted, parameters.budget)
    require_route(compressor, dataset)
    landmarks = draw_landmarks(dataset, parameters, seed=seed)
    shards = shard_samples(dataset, landmarks)
    # Train first, then test: `judge` cuts the rows there.
    samples = (*landmarks.outside.samples, *dataset.test.samples)
    lengths = conditional_lengths(compressor, shards, samples, seed=seed)
    return Measured(arrays={SHARD_BITS: lengths})


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return the scores of the probe, the rate of the state it read, and the features.

    `landmark_bpb` is the mean over shards of C(test | s_j), per byte of test.
    """
    dataset, seed = evidence.dataset, evidence.seed
    lengths = evidence.arrays[SHARD_BITS]
    landmarks = draw_landmarks(dataset, parameters, seed=seed)
    train, test = landmarks.outside.samples, dataset.test.samples
    features = landmark_features(lengths, (*train, *test))
    scores, arrays = probe_scores(
        dataset,
        Features(
            train=features[: len(train)],  # (n_probe, m)
            labels=landmarks.outside.labels,
            test=features[len(train) :],
            state=_state(evidence),
            route=evidence.subject.route,
        ),
        seed=seed,
        extras=parameters.extras,
    )
    members = landmarks.members
    arrays |= {
        "features_train": features[: len(train)],
        "features_test": features[len(train) :],
        "labels_train": landmarks.outside.labels,
        "shard_of_member": np.repeat(np.arange(len(members)), [*map(len, members)]),
        "member": np.concatenate(members),
    }
    rate = _rate(evidence, lengths[len(train) :])
    return Judgement(scores=(rate, *scores), arrays=arrays)


def draw_landmarks(dataset: Dataset, parameters: Parameters, *, seed: int) -> Landmarks:
    """Return shards of whole train samples and separators, the same for every compressor.

    Samples come in one seeded, class-blind order; a shard ends before the sample that
    would carry it over its size, so each is short of it by less than that sample. Samples
    longer than a shard are left to the probe. All shards together take at most half of
    the bytes of the others, so that the probe keeps samples of every length.

    Raises:
        NotApplicableError: that half does not hold two shards.
    """
    samples = dataset.train.samples
    sizes = np.array([len(s) + len(dataset.separator) for s in samples], np.int64)
    order = np.random.default_rng([seed, 9]).permutation(len(samples))
    # Longer samples fit in no shard and stay with the probe.
    order = order[sizes[order] <= parameters.shard_bytes]
    n_bytes = int(sizes[order].sum())
    # A sample in a shard cannot train the probe, which needs samples too.
    n_affordable = int(MAX_SHARE * n_bytes) // parameters.shard_bytes
    n_shards = min(parameters.n_shards, n_affordable)
    shards = _pack(order, sizes, parameters.shard_bytes)[:n_shards]
    if len(shards) < MIN_SHARDS:
        raise NotApplicableError(
            f"{dataset.name}: train has {n_bytes} bytes in samples that fit in a shard of "
            f"{parameters.shard_bytes}, half of which makes {len(shards)} shards; "
            f"{MIN_SHARDS} are needed: raise train or lower shard_bytes"
        )
    inside = np.isin(np.arange(len(samples)), np.concatenate(shards))  # (n_train,)
    # Train is in seeded order: its first samples are a fair draw.
    outside = dataset.train.take(np.flatnonzero(~inside)[: parameters.n_probe])
    return Landmarks(members=tuple(shards), outside=outside)


def _pack(
    order: NDArray[np.int64], sizes: NDArray[np.int64], shard_bytes: int
) -> list[NDArray[np.int64]]:
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


def shard_samples(dataset: Dataset, landmarks: Landmarks) -> list[list[bytes]]:
    """Return, per shard, its samples, each ended by the separator."""
    return [
        [dataset.train.samples[i] + dataset.separator for i in members]
        for members in landmarks.members
    ]


def conditional_lengths(
    compressor: Compressor,
    shards: list[list[bytes]],
    samples: tuple[bytes, ...],
    *,
    seed: int,
) -> Bits:
    """Return C(x | s_j) in bits, shape (n, m): one batch of all samples per shard.

    The shard is the context; a model that knows nothing before `fit` is fitted on it.
    """
    lengths = np.empty((len(samples), len(shards)))  # (n, m)
    for j, shard in enumerate(shards):
        if "fit" in compressor.needs:
            fitted = compressor.fit(shard, seed=seed)
            lengths[:, j] = fitted.code_lengths(samples)
        else:
            lengths[:, j] = compressor.code_lengths(samples, context=b"".join(shard))
    return lengths


def landmark_features(
    distances: NDArray[np.float64], samples: tuple[bytes, ...]
) -> NDArray[np.float64]:
    """Return distances to shards less their mean per sample, per byte: (n, m).

    An empty sample counts as one byte.
    """
    n_bytes = np.maximum([len(sample) for sample in samples], 1)  # (n,)
    # The compressibility of x adds about the same bits to every column.
    centred = distances - distances.mean(axis=1, keepdims=True)
    features: NDArray[np.float64] = centred / n_bytes[:, None]
    return features


def _state(evidence: Evidence) -> str:
    is_fitted = "fit" in evidence.subject.needs
    return "fit(shard)" if is_fitted else "shard as context"


def _rate(evidence: Evidence, lengths: Bits) -> Score:
    samples = evidence.dataset.test.samples
    bits = lengths.mean(axis=1)  # (n,)
    n_bytes = np.array([len(sample) for sample in samples], np.float64)
    rng = np.random.default_rng([evidence.seed, 10])
    low, high = stats.ratio_interval(bits, n_bytes, rng)
    return Score(
        metric="landmark_bpb",
        value=float(bits.sum() / n_bytes.sum()),
        unit="bits/byte",
        state=_state(evidence),
        route=evidence.subject.route,
        n=len(samples),
        ci_low=low,
        ci_high=high,
        # No bytes are written, so that this rate is never ranked.
        realised="likelihood",
        note=f"mean over {lengths.shape[1]} shards, not decoded; given this split",
    )


TASK = Task(
    name="landmark_probe",
    version=1,
    measure=measure,
    judge=judge,
    parameters=Parameters,
    weight=20.0,
    title="a linear probe on how much each shard of raw text helps with a sample",
    columns=(
        Column(
            header="landmark bal. acc.",
            metric="balanced_accuracy",
            meaning="balanced accuracy of a linear probe on how much each shard of "
            "unlabelled train text helps with a sample",
            baselines=("ngram_landmarks",),
            is_readout=True,
        ),
    ),
)
