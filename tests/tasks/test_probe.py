from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.data.dataset import Dataset, Split
from harness.errors import DatasetError
from harness.records.score import Variant
from harness.tasks.probing import logistic
from harness.tasks.probing import scores as probe
from harness.tasks.probing.label_code import (
    block_ends,
    label_bits,
    prior_entropy,
    probabilities,
)
from harness.tasks.probing.logistic import STRENGTHS, common_dimension, fit_probe
from harness.tasks.probing.scores import Features, probe_scores

N_TRAIN, N_TEST = 600, 300


def digits() -> tuple[Dataset, Features]:
    data = load_digits()
    pixels = data.data[: N_TRAIN + N_TEST]
    samples = tuple(row.tobytes() for row in pixels.astype(np.uint8))
    labels = data.target[: len(pixels)].astype(np.int64)
    dataset = Dataset(
        name="digits",
        kind="image",
        classes=tuple("0123456789"),
        train=Split(samples=samples[:N_TRAIN], labels=labels[:N_TRAIN]),
        test=Split(samples=samples[N_TRAIN:], labels=labels[N_TRAIN:]),
    )
    features = Features(
        train=pixels[:N_TRAIN],
        labels=labels[:N_TRAIN],
        test=pixels[N_TRAIN:],
        state="raw",
    )
    return dataset, features


@pytest.fixture(scope="module")
def given() -> tuple[Dataset, Features]:
    return digits()


@pytest.fixture(scope="module")
def found(given):
    scores, _ = probe_scores(*given, seed=1)
    return {score.name: score for score in scores}


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_a_probe_gives_the_probabilities_of_a_scikit_learn_pipeline(
    given, strength, n_classes
):
    _, features = given
    kept = features.labels < n_classes
    x, y = features.train[kept], features.labels[kept]
    pipeline = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
    )
    wanted = pipeline.fit(x, y).predict_proba(features.test)
    own = logistic.fit_logistic(x, y, n_classes, strength)
    assert softmax(own.logits(features.test)) == pytest.approx(wanted, abs=1e-6)


def test_the_strength_is_the_best_of_three_on_the_validation_part(given):
    _, features = given
    fitted = fit_probe(features.train, features.labels, 10, seed=3)
    held = logistic.validation_part(features.labels, np.random.default_rng([3, 5]))
    values = []
    for strength in STRENGTHS:
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
        )
        model.fit(features.train[~held], features.labels[~held])
        answers = model.predict(features.train[held])
        values.append(balanced_accuracy_score(features.labels[held], answers))
    assert fitted.validation == pytest.approx(max(values))
    assert fitted.strength == STRENGTHS[int(np.argmax(values))]


def test_the_validation_part_is_a_fifth_of_each_class_and_spares_tiny_ones():
    labels = np.repeat([0, 1, 2], [100, 50, 2])
    held = logistic.validation_part(labels, np.random.default_rng(0))
    assert np.bincount(labels[held], minlength=3).tolist() == [20, 10, 0]


def test_one_label_for_each_of_many_classes_is_enough_and_warns_of_nothing():
    labels = np.arange(30)
    fitted = logistic.fit_logistic(np.eye(30), labels, 30, strength=1.0)
    assert fitted.credit(np.eye(30)) == pytest.approx(np.eye(30))


def test_a_class_without_a_label_is_never_the_answer(given):
    _, features = given
    kept = features.labels != 4
    fitted = fit_probe(features.train[kept], features.labels[kept], 10, seed=0)
    assert fitted.credit(features.test)[:, 4].max() == 0


def test_a_train_of_one_class_always_answers_it():
    fitted = fit_probe(np.ones((5, 2)), np.full(5, 2), 3, seed=0)
    assert fitted.credit(np.zeros((4, 2))).tolist() == [[0, 0, 1]] * 4


def test_features_that_tell_nothing_share_the_answer():
    labels = np.arange(40) % 4
    fitted = fit_probe(np.ones((40, 3)), labels, 4, seed=0)
    assert fitted.credit(np.ones((2, 3))) == pytest.approx(np.full((2, 4), 0.25))


@pytest.mark.parametrize(
    ("features", "fault"),
    [
        (np.full((6, 2), np.nan), "finite"),
        (np.zeros((6, 0)), "feature"),
        (np.zeros((5, 2)), "5"),
    ],
)
def test_impossible_features_are_refused(features, fault):
    with pytest.raises(DatasetError, match=fault):
        fit_probe(features, np.arange(6) % 2, 2, seed=0)


def test_a_probe_that_did_not_converge_says_so_in_every_note(given, monkeypatch):
    monkeypatch.setattr(logistic, "MAX_ITERATIONS", 1)
    scores, _ = probe_scores(*given, seed=1, extras=False)
    assert all("stopped at" in score.note for score in scores)


def test_a_probe_that_converged_does_not(found):
    assert not any("stopped at" in score.note for score in found.values())


def test_the_common_dimension_spans_what_scikit_learns_pca_spans():
    rng = np.random.default_rng(2)
    train = rng.normal(size=(150, 5)) @ rng.normal(size=(5, 90))
    train += 0.3 * rng.normal(size=(150, 90)) * np.linspace(1, 3, 90)
    test = train[:20] + 0.1
    pipeline = make_pipeline(StandardScaler(), PCA(64, svd_solver="full"))
    wanted = pipeline.fit_transform(train), pipeline.transform(test)
    own = common_dimension(train, test)
    assert own[0].shape == (150, 64)
    for ours, theirs in zip(own, wanted, strict=True):
        assert np.abs(ours) == pytest.approx(np.abs(theirs), abs=1e-8)


def test_more_than_64_features_add_scores_in_the_common_dimension(given):
    dataset, features = given
    wide = Features(
        train=np.tile(features.train, 2),
        labels=features.labels,
        test=np.tile(features.test, 2),
        state="raw",
        variant=Variant(layer="h1"),
    )
    scores, arrays = probe_scores(dataset, wide, seed=1)
    names = {score.name for score in scores}
    assert {
        "balanced_accuracy_layer:h1",
        "balanced_accuracy_layer:h1_pca64",
        "balanced_accuracy_permuted_layer:h1",
        "label_bits_layer:h1_pca64",
        "balanced_accuracy_at_5_layer:h1_pca64",
    } <= names
    assert len(names) == len(scores)
    assert arrays["credit_layer:h1"].shape == (N_TEST, 10)


def test_blocks_end_at_the_shares_of_voita_and_titov():
    assert block_ends(1000) == [1, 2, 4, 8, 16, 32, 62, 125, 250, 500, 1000]
    assert block_ends(3) == [1, 2, 3]
    assert block_ends(1) == [1]


def test_the_label_code_of_two_equal_labels_is_worked_out_by_hand():
    # log2 4 for the first; then the only class seen has 2 of 1 + 4 by Laplace.
    bits = label_bits(np.zeros((2, 1)), np.array([3, 3]), 4, seed=0)
    assert bits == pytest.approx((2 + np.log2(5 / 2)) / 2)


def test_the_label_code_of_two_different_labels_is_worked_out_by_hand():
    bits = label_bits(np.zeros((2, 1)), np.array([3, 0]), 4, seed=0)
    assert bits == pytest.approx((2 + np.log2(5)) / 2)


def slow_online_bits(x, y, n_classes):
    """Code labels block by block with scikit-learn's own probabilities."""
    temperatures = (1, 0.125, 0.25, 0.5, 2, 4, 8)
    total, past = block_ends(len(y))[0] * np.log2(n_classes), {}
    for start, stop in zip(block_ends(len(y)), block_ends(len(y))[1:], strict=False):
        bits = {}
        for strength in STRENGTHS:
            for t in temperatures:
                p = np.full((stop - start, n_classes), 1 / (start + n_classes))
                seen = np.unique(y[:start])
                mass = 1 - (n_classes - len(seen)) / (start + n_classes)
                if len(seen) == 1:
                    p[:, seen] = mass
                else:
                    model = LogisticRegression(C=strength, max_iter=1000)
                    model.fit(x[:start], y[:start])
                    sharp = model.predict_proba(x[start:stop]) ** (1 / t)
                    p[:, seen] = mass * sharp / sharp.sum(axis=1, keepdims=True)
                p = np.maximum(p, 1 / (1000 * n_classes))
                p /= p.sum(axis=1, keepdims=True)
                chosen = p[np.arange(stop - start), y[start:stop]]
                bits[strength, t] = -np.log2(chosen).sum()
        # The first of the best, as nothing is past at first.
        best = min(bits, key=lambda pair: past.get(pair, 0.0))
        total += bits[best]
        past = {pair: past.get(pair, 0.0) + bits[pair] for pair in bits}
    return total


def test_the_label_code_is_that_of_a_slow_second_implementation():
    rng = np.random.default_rng(9)
    labels = rng.integers(0, 3, 90)
    features = rng.normal(size=(90, 4)) + 0.9 * np.eye(4)[labels]
    scaled = StandardScaler().fit_transform(features)
    totals = []
    for order in range(3):
        chosen = np.random.default_rng([2, 6, order]).permutation(90)
        totals.append(slow_online_bits(scaled[chosen], labels[chosen], 3))
    wanted = np.mean(totals) / 90
    assert label_bits(features, labels, 3, seed=2) == pytest.approx(wanted, rel=1e-6)


def test_labels_that_the_features_give_away_cost_little_more_than_the_first_blocks():
    labels = np.random.default_rng(4).integers(0, 4, 1000)
    bits = label_bits(np.eye(4)[labels], labels, 4, seed=0)
    n_unseen = 3  # each costs at most log2(1000 K) bits once
    assert 2 / 1000 < bits < (2 + n_unseen * np.log2(4000)) / 1000 + 0.02


@pytest.mark.parametrize("seed", [0, 1])
def test_labels_that_the_features_say_nothing_about_cost_their_entropy(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, 600, p=[0.4, 0.3, 0.2, 0.1])
    bits = label_bits(rng.normal(size=(600, 40)), labels, 4, seed)
    entropy = prior_entropy(labels)
    assert entropy - 0.02 < bits < entropy + 0.25


def test_the_entropy_of_the_prior_is_that_of_the_frequencies():
    assert prior_entropy(np.array([0, 0, 1, 3])) == pytest.approx(1.5)


def test_the_code_gives_every_class_a_floor_and_rows_sum_to_one():
    logits = np.array([[0.0, -np.inf, 500.0], [0.0, -np.inf, 0.0]])
    p = probabilities(logits, np.array([3, 0, 4]))
    assert p.sum(axis=1) == pytest.approx(1)
    assert p.min() >= 1 / 3000 / (1 + 1 / 3000)
    assert p[1] == pytest.approx([0.45, 0.1, 0.45])


def test_digits_cost_far_less_than_their_prior(found):
    assert found["label_prior_bits"].value == pytest.approx(np.log2(10), abs=0.01)
    assert found["label_bits"].value < 1.2


def test_a_probe_on_permuted_labels_is_near_chance(found):
    assert 0 <= found["balanced_accuracy_permuted"].value < 0.25
    assert found["balanced_accuracy"].value > 0.85


def test_more_labels_per_class_read_digits_better(found):
    values = [found[f"balanced_accuracy_at_{k}"].value for k in (1, 5, 10, 50)]
    assert 0.3 < values[0] < values[1] < values[2] < values[3]
    assert values[3] > 0.88


def test_a_few_label_accuracy_is_the_mean_of_ten_fits_of_scikit_learn(given, found):
    dataset, features = given
    scaled = StandardScaler().fit(features.train)
    values = []
    for draw in range(10):
        shuffled = np.random.default_rng([1, 7, draw]).permutation(len(features.labels))
        rows = [
            i for c in range(10) for i in shuffled[features.labels[shuffled] == c][:5]
        ]
        model = LogisticRegression(C=0.3, max_iter=1000)
        model.fit(scaled.transform(features.train[rows]), features.labels[rows])
        answers = model.predict(scaled.transform(features.test))
        values.append(balanced_accuracy_score(dataset.test.labels, answers))
    score = found["balanced_accuracy_at_5"]
    assert score.value == pytest.approx(np.mean(values))
    # Wider than the draws' part alone, since test samples vary too.
    half = (score.ci_high - score.ci_low) / 2
    assert half > 2 * np.std(values, ddof=1) / np.sqrt(10)
    assert half < 0.1


def test_few_labels_are_scored_once_more_on_what_duplicates_nothing(given, found):
    dataset, features = given
    marked = replace(dataset, duplicated=np.arange(N_TEST) < 100)
    unique = replace(dataset, test=dataset.test.take(np.arange(100, N_TEST)))
    scores = {s.name: s for s in probe.few_label_scores(marked, features, seed=1)}
    alone = probe.few_label_scores(
        unique, replace(features, test=features.test[100:]), seed=1
    )
    for score in alone:
        assert scores[f"{score.name}_dedup"].value == pytest.approx(score.value)
        assert scores[score.name].value == found[score.name].value


def test_few_labels_say_which_classes_have_fewer(given):
    dataset, features = given
    kept = np.flatnonzero(features.labels)  # no zero at all
    kept = np.append(kept, np.flatnonzero(features.labels == 0)[:7])
    short = Features(
        train=features.train[kept],
        labels=features.labels[kept],
        test=features.test,
        state="raw",
    )
    notes = {s.name: s.note for s in probe.few_label_scores(dataset, short, seed=0)}
    assert "fewer" not in notes["balanced_accuracy_at_5"]
    assert "1 of 10 classes have fewer" in notes["balanced_accuracy_at_10"]


def test_a_number_of_labels_that_no_class_has_is_left_out(given):
    dataset, features = given
    few = Features(
        train=features.train[:60],
        labels=features.labels[:60],
        test=features.test,
        state="raw",
    )
    names = {score.name for score in probe.few_label_scores(dataset, few, seed=0)}
    assert names == {"balanced_accuracy_at_1", "balanced_accuracy_at_5"}


def test_duplicates_add_the_scores_of_the_other_samples():
    dataset, features = digits()
    duplicated = np.arange(N_TEST) < 100
    marked = Dataset(**{**vars(dataset), "duplicated": duplicated})
    scores, arrays = probe_scores(marked, features, seed=1, extras=False)
    by_name = {score.name: score for score in scores}
    right = arrays["credit"][np.arange(N_TEST), dataset.test.labels]
    assert by_name["accuracy_dedup"].value == pytest.approx(right[100:].mean())
    assert by_name["accuracy_dedup"].n == 200


def test_the_same_seed_gives_the_same_scores_and_another_does_not(given, found):
    again, _ = probe_scores(*given, seed=1)
    assert {score.name: score for score in again} == found
    other, _ = probe_scores(*given, seed=2)
    changed = {s.name for s in other if s.value != found[s.name].value}
    assert {"label_bits", "balanced_accuracy_at_1"} <= changed
