"""What needs no compressor: the reference lines of every class table."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.tasks.classify import class_scores
from harness.tasks.outcome import Outcome, Score

VERSION = 1
METHODS = ("majority", "tfidf_svm", "true_source")


def run(method: str, dataset: Dataset, *, seed: int) -> Outcome:
    """Return the scores of one baseline.

    - majority: always the largest class of train.
    - tfidf_svm: TF-IDF of words and word pairs (bytes 1- and 2-grams where there are no
      words) and a linear SVM.
    - true_source: -log2 p_true of this draw, where a generator knows it.

    Raises:
        NotApplicableError: the data set lacks what the method needs.
    """
    if method == "true_source":
        return _true_source(dataset)
    if not dataset.is_labelled:
        raise NotApplicableError(f"{dataset.name} has no labels")
    answers = _majority(dataset) if method == "majority" else _tfidf_svm(dataset, seed)
    credit = np.eye(len(dataset.classes))[answers]
    scores = class_scores(
        dataset.test.labels, credit, state="labels of train", seed=seed
    )
    arrays = {"credit": credit, "labels": dataset.test.labels}
    return Outcome(scores=tuple(scores), arrays=arrays)


def _majority(dataset: Dataset) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    largest = int(np.bincount(dataset.train.labels).argmax())
    return np.full(len(dataset.test.samples), largest)


def _tfidf_svm(
    dataset: Dataset, seed: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    unit = "word" if dataset.kind == "text" else "char"
    vectors = TfidfVectorizer(
        ngram_range=(1, 2), analyzer=unit, lowercase=False, encoding="latin-1"
    )
    model = make_pipeline(vectors, LinearSVC(random_state=seed))
    model.fit(list(dataset.train.samples), dataset.train.labels)
    return np.asarray(model.predict(list(dataset.test.samples)), np.int64)


def _true_source(dataset: Dataset) -> Outcome:
    if dataset.true_bits is None:
        raise NotApplicableError(f"the source of {dataset.name} is not known")
    value = float(dataset.true_bits.sum() / dataset.test.n_bytes)
    score = Score(
        name="heldout_bpb",
        value=value,
        unit="bits/byte",
        state="the source itself",
        n=len(dataset.test.samples),
        realised="likelihood",
    )
    return Outcome(scores=(score,))
