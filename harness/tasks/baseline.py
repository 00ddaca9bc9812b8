"""Baselines: classifiers without a compressor, the reference lines of every class table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.records.score import Score
from harness.statistics.accuracy import one_hot
from harness.tasks.classify import Origin, class_scores, require_labels
from harness.tasks.landmarks import (
    Parameters,
    context_samples,
    draw_candidates,
    neighbourhoods,
    probe_rows,
)
from harness.tasks.outcome import Judgement
from harness.tasks.probing.scores import Features, probe_scores

METHODS = (
    "majority",
    "tfidf_svm",
    "raw_logreg",
    "log_length",
    "ngram_landmarks",
    "true_source",
)
STATE = "labels of train"
GRAM_BYTES = 3
"""Length of the byte n-grams of `ngram_landmarks`."""

Labels = NDArray[np.int64]


def run(method: str, dataset: Dataset, *, seed: int) -> Judgement:
    """Return the scores of one baseline.

    - majority: always the largest class of train.
    - tfidf_svm: TF-IDF of words and word pairs (of bytes and byte pairs where there are no
      words) and a linear SVM.
    - raw_logreg: the bytes of images and series of one size, through the probe.
    - log_length: the logarithm of the length of a sample, through the probe.
    - ngram_landmarks: `landmark_probe` with distances of byte 3-grams in place of code
      lengths, for the neighbourhoods as for the features.
    - true_source: -log2 p_true of this draw, where a generator knows it.

    Raises:
        NotApplicableError: the data set does not suit the method.
    """
    if method == "true_source":
        return _true_source(dataset)
    require_labels(dataset)
    match method:
        case "raw_logreg":
            return _probed(dataset, *_raw_bytes(dataset), seed=seed)
        case "log_length":
            return _probed(dataset, *_log_lengths(dataset), seed=seed)
        case "ngram_landmarks":
            return _ngram_landmarks(dataset, seed)
        case "majority":
            return _answered(dataset, _majority(dataset), seed)
        case _:
            return _answered(dataset, _tfidf_svm(dataset, seed), seed)


def _answered(dataset: Dataset, answers: Labels, seed: int) -> Judgement:
    credit = one_hot(answers, len(dataset.classes))
    scores = class_scores(dataset, credit, Origin(state=STATE, seed=seed))
    arrays = {"credit": credit, "labels": dataset.test.labels}
    return Judgement(scores=tuple(scores), arrays=arrays)


def _majority(dataset: Dataset) -> Labels:
    largest = int(np.bincount(dataset.train.labels).argmax())
    return np.full(len(dataset.test.samples), largest)


def _tfidf_svm(dataset: Dataset, seed: int) -> Labels:
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
    from sklearn.svm import LinearSVC

    train, test = dataset.train.samples, dataset.test.samples
    if dataset.kind == "text":
        # latin-1 gives every byte a character, so that any sample decodes.
        words = CountVectorizer(ngram_range=(1, 2), lowercase=False, encoding="latin-1")
        counts = words.fit_transform(train), words.transform(test)
    else:
        # scikit-learn's own "char" grams would merge bytes that are white space in text.
        counts = gram_counts(train, (1, 2)), gram_counts(test, (1, 2))
    # Document frequencies are those of train: the test split decides nothing.
    weights = TfidfTransformer()
    model = LinearSVC(random_state=seed)
    model.fit(weights.fit_transform(counts[0]), dataset.train.labels)
    return np.asarray(model.predict(weights.transform(counts[1])), np.int64)


def gram_counts(samples: tuple[bytes, ...], lengths: tuple[int, ...]) -> Any:
    """Return how often each byte n-gram occurs in each sample, for the given n.

    Returns:
        Sparse, shape (len(samples), sum of 256**n), float64.
    """
    from scipy.sparse import csr_array, hstack

    blocks = []
    for n in lengths:
        grams = [_grams(sample, n) for sample in samples]
        # 32 bits: scikit-learn's linear models take no wider indices.
        ends = np.cumsum([0, *map(len, grams)]).astype(np.int32)
        columns = np.concatenate([*grams, np.empty(0, np.int64)]).astype(np.int32)
        shape = (len(samples), 256**n)
        block = csr_array((np.ones(len(columns)), columns, ends), shape=shape)
        # Repeated entries of one n-gram in a sample add up to its count.
        block.sum_duplicates()
        blocks.append(block)
    return hstack(blocks, format="csr")


def _grams(sample: bytes, n: int) -> NDArray[np.int64]:
    """Return the number of each n-gram of a sample, first byte highest."""
    symbols = np.frombuffer(sample, np.uint8).astype(np.int64)
    n_grams = max(len(symbols) - n + 1, 0)
    grams = np.zeros(n_grams, np.int64)
    for offset in range(n):
        grams = (grams << 8) | symbols[offset : offset + n_grams]  # (n_grams,)
    return grams


def _probed(
    dataset: Dataset,
    train: NDArray[np.float64],
    test: NDArray[np.float64],
    labels: Labels | None = None,
    *,
    seed: int,
) -> Judgement:
    """Return the scores of the probe; `labels` are of `train`, None for the whole split."""
    features = Features(
        train=train,
        labels=dataset.train.labels if labels is None else labels,
        test=test,
        state=STATE,
    )
    scores, arrays = probe_scores(dataset, features, seed=seed)
    return Judgement(scores=tuple(scores), arrays=arrays)


def _raw_bytes(dataset: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if dataset.kind not in ("image", "series"):
        raise NotApplicableError(
            f"{dataset.name} is {dataset.kind}: its bytes are no magnitudes at fixed "
            f"places, as those of images and series are"
        )
    sizes = {len(s) for s in (*dataset.train.samples, *dataset.test.samples)}
    if len(sizes) > 1:
        raise NotApplicableError(
            f"{dataset.name} has samples of {len(sizes)} sizes; raw features need one"
        )
    train, test = (
        np.frombuffer(b"".join(split.samples), np.uint8)
        .reshape(len(split.samples), -1)  # (n, bytes of a sample)
        .astype(np.float64)
        for split in (dataset.train, dataset.test)
    )
    return train, test


def _log_lengths(dataset: Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    train, test = (
        # log(1 + n): empty samples occur.
        np.log1p([[len(sample)] for sample in split.samples])
        for split in (dataset.train, dataset.test)
    )
    # A constant feature tells nothing: the probe would answer at chance.
    if np.ptp(np.concatenate([train, test])) == 0:
        raise NotApplicableError(f"{dataset.name} has samples of one length only")
    return train, test


def _ngram_landmarks(dataset: Dataset, seed: int) -> Judgement:
    # The defaults of landmark_probe, so that only the distance differs.
    parameters = Parameters()
    rows = draw_candidates(dataset, parameters, seed=seed)
    candidates = dataset.train.take(rows).samples
    landmarks = candidates[: parameters.n_contexts]
    near = neighbourhoods(ngram_distances(candidates, landmarks), parameters.neighbours)
    members = context_samples(dataset, tuple(rows[group] for group in near))
    contexts = tuple(b"".join(context) for context in members)
    outside = dataset.train.take(probe_rows(dataset, parameters, seed=seed))
    train, test = (
        ngram_distances(samples, contexts)
        for samples in (outside.samples, dataset.test.samples)
    )
    return _probed(dataset, train, test, outside.labels, seed=seed)


def ngram_distances(
    samples: tuple[bytes, ...], contexts: tuple[bytes, ...]
) -> NDArray[np.float64]:
    """Return 1 - cosine of byte 3-gram counts of samples and contexts, less the row's mean.

    Damashek 1995, "Gauging similarity with n-grams: language-independent categorization of
    text", Science 267. A sample without a 3-gram is at distance 1 from all.

    Returns:
        Shape (n, m), no unit.
    """
    counts = gram_counts(samples, (GRAM_BYTES,)), gram_counts(contexts, (GRAM_BYTES,))
    products = (counts[0] @ counts[1].T).toarray()  # (n, m)
    norms = [np.sqrt(table.multiply(table).sum(axis=1)) for table in counts]
    # Counts are whole numbers: a norm is 0 or at least 1, and 0 must not divide.
    scale = np.maximum(np.outer(*norms), 1)
    similar = np.asarray(products / scale, np.float64)
    # 1 - cosine less its row mean: the ones cancel.
    centred: NDArray[np.float64] = similar.mean(axis=1, keepdims=True) - similar
    return centred


def _true_source(dataset: Dataset) -> Judgement:
    if dataset.true_bits is None:
        raise NotApplicableError(f"the source of {dataset.name} is not known")
    # A code much shorter than -log2 p of this draw would be a bug of bitprobe.
    value = float(dataset.true_bits.sum() / dataset.test.n_bytes)
    score = Score(
        metric="heldout_bpb",
        value=value,
        unit="bits/byte",
        state="the source itself",
        n=len(dataset.test.samples),
        # The probability is known, but nothing is coded.
        realised="likelihood",
    )
    return Judgement(scores=(score,))
