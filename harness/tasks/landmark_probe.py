"""Landmark probe: a classifier on the bits that each of many unlabelled contexts saves.

docs/method.md, landmark_probe.

Feature j of sample x is (C(x | s_j) - mean_j C(x | s_j)) / |x|, in bits per byte:
likeness to a text, corrected for the compressibility of x. Landmarks by dissimilarity are those of
Pekalska and Duin 2005, "The Dissimilarity Representation for Pattern Recognition".

A context is the neighbourhood of one random train sample, by the compressor's own code
lengths, or a random shard. No label takes part in it. The samples of which contexts are
formed cost less after them than any test sample does: they train no probe.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Bits, Compressor
from harness.contract.training import with_budget
from harness.data.dataset import Dataset
from harness.records.score import Score
from harness.statistics import resampling as stats
from harness.tasks.class_code import require_route
from harness.tasks.column import Column
from harness.tasks.landmarks import (
    Contexts,
    Parameters,
    context_samples,
    draw_candidates,
    draw_shards,
    neighbourhoods,
    probe_rows,
)
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.probing.scores import Features, probe_scores
from harness.tasks.task import Evidence, Inputs, Task

CONTEXT_BITS, MEMBER, CONTEXT = "context_bits", "member", "context_of_member"


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return C(x | s_j) in bits of the probe's train samples, then of all test samples.

    Beside them are the train samples of each context, which depend on the compressor.

    Raises:
        NotApplicableError: there are no labels, the compressor has no route, or train is
            too small for two contexts.
    """
    dataset, seed = inputs.dataset, inputs.seed
    compressor = with_budget(inputs.unfitted, parameters.budget)
    require_route(compressor, dataset)
    contexts = _contexts(compressor, dataset, parameters, seed=seed)
    outside = dataset.train.take(probe_rows(dataset, parameters, seed=seed))
    # Train first, then test: `judge` cuts the rows there.
    samples = (*outside.samples, *dataset.test.samples)
    texts = context_samples(dataset, contexts)
    lengths = conditional_lengths(compressor, texts, samples, seed=seed)
    sizes = [len(members) for members in contexts]
    return Measured(
        arrays={
            CONTEXT_BITS: lengths,
            MEMBER: np.concatenate(contexts),
            CONTEXT: np.repeat(np.arange(len(contexts)), sizes),
        }
    )


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return the scores of the probe, the rate of the state it read, and the features.

    `landmark_bpb` is the mean over contexts of C(test | s_j), per byte of test.
    """
    dataset, seed = evidence.dataset, evidence.seed
    lengths = evidence.arrays[CONTEXT_BITS]
    outside = dataset.train.take(probe_rows(dataset, parameters, seed=seed))
    n_train = len(outside.samples)
    features = landmark_features(lengths, (*outside.samples, *dataset.test.samples))
    scores, arrays = probe_scores(
        dataset,
        Features(
            train=features[:n_train],  # (n_probe, m)
            labels=outside.labels,
            test=features[n_train:],
            state=_state(evidence),
            route=evidence.subject.route,
        ),
        seed=seed,
        extras=parameters.extras,
    )
    arrays |= {
        "features_train": features[:n_train],
        "features_test": features[n_train:],
        "labels_train": outside.labels,
        MEMBER: evidence.arrays[MEMBER],
        CONTEXT: evidence.arrays[CONTEXT],
    }
    rate = _rate(evidence, lengths[n_train:])
    return Judgement(scores=(rate, *scores), arrays=arrays)


def _contexts(
    compressor: Compressor, dataset: Dataset, parameters: Parameters, *, seed: int
) -> Contexts:
    """Return the shards, or the neighbourhoods by the compressor's own code lengths."""
    if parameters.contexts == "shards":
        return draw_shards(dataset, parameters, seed=seed)
    rows = draw_candidates(dataset, parameters, seed=seed)
    landmarks = tuple(rows[: parameters.n_contexts, None])
    candidates = dataset.train.take(rows).samples
    lengths = conditional_lengths(
        compressor, context_samples(dataset, landmarks), candidates, seed=seed
    )
    costs = lengths / _n_bytes(candidates)[:, None]  # (n_candidates, m)
    return tuple(rows[near] for near in neighbourhoods(costs, parameters.neighbours))


def conditional_lengths(
    compressor: Compressor,
    contexts: list[list[bytes]],
    samples: tuple[bytes, ...],
    *,
    seed: int,
) -> Bits:
    """Return C(x | s_j) in bits, shape (n, m): one batch of all samples per context.

    A codec or a model that can code at once reads s_j as context; a model that knows
    nothing before `fit`, as networks do, is fitted on s_j.
    """
    lengths = np.empty((len(samples), len(contexts)))  # (n, m)
    for j, context in enumerate(contexts):
        if "fit" in compressor.needs:
            fitted = compressor.fit(context, seed=seed)
            lengths[:, j] = fitted.code_lengths(samples)
        else:
            lengths[:, j] = compressor.code_lengths(samples, context=b"".join(context))
    return lengths


def landmark_features(
    distances: NDArray[np.float64], samples: tuple[bytes, ...]
) -> NDArray[np.float64]:
    """Return distances to contexts less their mean per sample, per byte: (n, m).

    An empty sample counts as one byte.
    """
    # The compressibility of x adds about the same bits to every column.
    centred = distances - distances.mean(axis=1, keepdims=True)
    features: NDArray[np.float64] = centred / _n_bytes(samples)[:, None]
    return features


def _n_bytes(samples: tuple[bytes, ...]) -> NDArray[np.int64]:
    return np.maximum([len(sample) for sample in samples], 1)  # (n,)


def _state(evidence: Evidence) -> str:
    is_fitted = "fit" in evidence.subject.needs
    return "fit(s_j)" if is_fitted else "s_j as context"


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
        note=f"mean over {lengths.shape[1]} contexts, not decoded; given this split",
    )


TASK = Task(
    name="landmark_probe",
    version=2,
    judge_version=2,
    measure=measure,
    judge=judge,
    parameters=Parameters,
    weight=100.0,
    title="a linear probe on how much each neighbourhood of raw text helps with a sample",
    columns=(
        Column(
            header="landmark bal. acc.",
            metric="balanced_accuracy",
            meaning="balanced accuracy of a linear probe on how much each of 64 unlabelled "
            "groups of like train samples helps with a sample",
            baselines=("ngram_landmarks",),
            is_readout=True,
        ),
    ),
)
