from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from harness.data.dataset import Dataset, Split
from harness.errors import NotApplicableError
from harness.tasks import baseline
from harness.tasks.landmarks import Parameters, draw_candidates


@pytest.fixture(scope="module")
def digits() -> Dataset:
    from sklearn.datasets import load_digits

    data = load_digits()
    samples = tuple(row.tobytes() for row in data.data.astype(np.uint8)[:700])
    whole = Split(samples=samples, labels=data.target[:700].astype(np.int64))
    return Dataset(
        name="digits",
        kind="image",
        classes=tuple("0123456789"),
        train=whole.take(np.arange(500)),
        test=whole.take(np.arange(500, 700)),
        shape=(8, 8),
        levels=17,
    )


@pytest.fixture(scope="module")
def texts() -> Dataset:
    """Class 0 has words in a, class 1 words in b and three times the length."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 320)
    samples = []
    for label in labels:
        letters = rng.integers(97, 105, (10 + 20 * label, 4)) + 5 * label
        samples.append(b" ".join(bytes(row.astype(np.uint8)) for row in letters))
    whole = Split(samples=tuple(samples), labels=labels.astype(np.int64))
    return Dataset(
        name="texts",
        kind="text",
        classes=("a", "b"),
        train=whole.take(np.arange(260)),
        test=whole.take(np.arange(260, 320)),
        separator=b"\n",
    )


def values(method, dataset, seed=1):
    return {s.name: s.value for s in baseline.run(method, dataset, seed=seed).scores}


def test_the_majority_has_the_accuracy_of_its_share_and_chance_when_balanced(texts):
    largest = np.bincount(texts.train.labels).argmax()
    got = values("majority", texts)
    assert got["accuracy"] == pytest.approx((texts.test.labels == largest).mean())
    assert got["balanced_accuracy"] == 0.5


def test_raw_bytes_are_read_as_an_independent_pipeline_reads_them(digits):
    train, test = (
        np.array([list(sample) for sample in split.samples], float)
        for split in (digits.train, digits.test)
    )
    accuracies = []
    for strength in (0.01, 0.3, 10.0):
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
        )
        answers = model.fit(train, digits.train.labels).predict(test)
        accuracies.append(accuracy_score(digits.test.labels, answers))
    got = values("raw_logreg", digits)["accuracy"]
    assert any(got == pytest.approx(accuracy) for accuracy in accuracies)


def test_raw_bytes_of_text_are_not_applicable(texts):
    with pytest.raises(NotApplicableError, match="texts is text"):
        baseline.run("raw_logreg", texts, seed=1)


def test_raw_bytes_of_unequal_images_are_not_applicable(texts):
    with pytest.raises(NotApplicableError, match="sizes"):
        baseline.run("raw_logreg", replace(texts, kind="image"), seed=1)


def test_lengths_alone_tell_texts_of_different_length_apart(texts):
    assert values("log_length", texts)["balanced_accuracy"] == 1.0


def test_one_length_tells_nothing(digits):
    with pytest.raises(NotApplicableError, match="one length"):
        baseline.run("log_length", digits, seed=1)


def test_gram_counts_are_those_of_a_slow_loop():
    samples = (b"abcabc", b"", b"ab", bytes([0, 255, 9, 9, 9, 9]))
    table = baseline.gram_counts(samples, (3,)).toarray()
    for row, sample in zip(table, samples, strict=True):
        wanted = Counter(sample[i : i + 3] for i in range(len(sample) - 2))
        found = {int(i).to_bytes(3, "big"): row[i] for i in np.flatnonzero(row)}
        assert found == wanted


def test_ngram_distances_are_one_minus_the_cosine_by_a_slow_loop(texts):
    rows = draw_candidates(texts, Parameters(), seed=1)[:6]
    contexts = texts.train.take(rows).samples
    got = baseline.ngram_distances(texts.test.samples[:5], contexts)

    def grams(text):
        return Counter(text[i : i + 3] for i in range(len(text) - 2))

    def norm(counts):
        return np.sqrt(sum(n * n for n in counts.values()))

    for row, sample in zip(got, texts.test.samples[:5], strict=True):
        own, distances = grams(sample), []
        for context in contexts:
            other = grams(context)
            product = sum(n * other[gram] for gram, n in own.items())
            distances.append(1 - product / norm(own) / norm(other))
        wanted = np.array(distances) - np.mean(distances)
        assert row == pytest.approx(wanted, abs=1e-12)


def test_ngram_landmarks_tell_alphabets_apart(texts):
    got = values("ngram_landmarks", texts)
    assert got["balanced_accuracy"] > 0.9
    assert got["label_bits"] < got["label_prior_bits"]


def test_the_svm_reads_images_by_bytes_that_text_would_call_white_space(digits):
    # Moved to letters, no byte is white space, and scikit-learn's own grams are right.
    moved = [
        ["".join(chr(97 + byte) for byte in sample) for sample in split.samples]
        for split in (digits.train, digits.test)
    ]
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), analyzer="char", lowercase=False),
        LinearSVC(random_state=1),
    )
    wanted = model.fit(moved[0], digits.train.labels).predict(moved[1])
    credit = baseline.run("tfidf_svm", digits, seed=1).arrays["credit"]
    assert (credit.argmax(axis=1) == wanted).mean() > 0.99


def test_every_method_but_the_source_needs_labels(texts):
    unlabelled = replace(texts, classes=())
    for method in baseline.METHODS:
        with pytest.raises(NotApplicableError):
            baseline.run(method, unlabelled, seed=1)


def test_the_true_source_has_the_rate_of_its_bits(texts):
    known = replace(texts, true_bits=np.full(60, 80.0))
    got = values("true_source", known)
    assert got == {"heldout_bpb": pytest.approx(4800 / texts.test.n_bytes)}


def test_a_baseline_is_deterministic(texts):
    assert values("ngram_landmarks", texts) == values("ngram_landmarks", texts)
