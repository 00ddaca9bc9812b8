"""NCD nearest neighbours against loops over zlib, drawn tie-breaks and closed cases."""

import gzip
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Codec, NotApplicableError
from harness.contract.registry import load_registry
from harness.data.dataset import Dataset, Split
from harness.errors import SuiteError
from harness.tasks import votes
from harness.tasks.evaluate import evaluate
from harness.tasks.ncd_knn import TASK, Parameters, ncd
from harness.tasks.task import Inputs

REGISTRY = load_registry()
GZIP = REGISTRY.parse("gzip")
WORDS = [b"wheat corn grain ", b"bank rate loan ", b"oil crude barrel "]


@dataclass(frozen=True, kw_only=True)
class Broken(Codec):
    """Claims one byte for any non-empty input, so that joining costs nothing."""

    name = "broken"
    family = "test"

    def pack(self, data: bytes) -> bytes:
        return data[:1]

    def unpack(self, code: bytes, length: int) -> bytes:
        return code * length


def texts(n: int, seed: int) -> Split:
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    topics = np.where(draw.random(n) < 0.6, labels, draw.integers(0, 3, n))
    samples = tuple(
        b"".join(draw.permutation(WORDS[topic].split()).tolist())
        + draw.integers(97, 103, draw.integers(2, 12), np.uint8).tobytes()
        for topic in topics
    )
    return Split(samples=samples, labels=labels)


DATA = Dataset(
    name="words",
    kind="text",
    classes=("grain", "money", "crude"),
    train=texts(20, 1),
    test=texts(70, 2),
)


def inputs(compressor: object, dataset: Dataset = DATA) -> Inputs:
    return Inputs(
        unfitted=compressor,
        fitted=compressor,
        dataset=dataset,
        seed=0,
    )


def values(compressor: object, dataset: Dataset = DATA, **given: object) -> dict:
    outcome = evaluate(TASK, inputs(compressor, dataset), Parameters(**given))
    return {score.name: score.value for score in outcome.scores}


def digits(n_train: int, n_test: int) -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    samples = [image.astype(np.uint8).tobytes() for image in bunch.images]
    cut = n_train + n_test
    return Dataset(
        name="digits",
        kind="image",
        classes=tuple("0123456789"),
        train=Split(samples=tuple(samples[:n_train]), labels=bunch.target[:n_train]),
        test=Split(
            samples=tuple(samples[n_train:cut]), labels=bunch.target[n_train:cut]
        ),
    )


def exact_distances(dataset: Dataset, orders: int, joiner: bytes) -> list[list]:
    """By loops over zlib (gzip is 12 bytes more), in exact fractions."""

    def size(data: bytes) -> int:
        return len(zlib.compress(data, 9)) + 12

    rows = []
    for x in dataset.test.samples:
        row = []
        for y in dataset.train.samples:
            joint = Fraction(size(x + joiner + y))
            if orders == 2:
                joint = (joint + size(y + joiner + x)) / 2
            row.append((joint - min(size(x), size(y))) / max(size(x), size(y)))
        rows.append(row)
    return rows


def exact_credit(row: list, labels: np.ndarray, k: int, label: int) -> Fraction:
    """Average over every set of k nearest samples, then over the most voted classes."""
    kth = sorted(row)[k - 1]
    nearer = [i for i, d in enumerate(row) if d < kth]
    tied = [i for i, d in enumerate(row) if d == kth]
    credits_ = []
    for chosen in combinations(tied, k - len(nearer)):
        count = Counter(labels[i] for i in [*nearer, *chosen])
        top = [c for c, n in count.items() if n == max(count.values())]
        credits_.append(Fraction(label in top, len(top)))
    return sum(credits_) / len(credits_)


@pytest.mark.parametrize(("orders", "joiner"), [(2, ""), (1, " ")])
@pytest.mark.parametrize("k", [1, 3, 4])
def test_accuracy_equals_exact_loops_over_zlib_and_all_tie_breaks(
    orders: int, joiner: str, k: int
):
    labels = DATA.train.labels
    rows = exact_distances(DATA, orders, joiner.encode())
    expected = [
        exact_credit(row, labels, k, label)
        for row, label in zip(rows, DATA.test.labels, strict=True)
    ]
    found = values(GZIP, k=(k,), orders=orders, joiner=joiner)
    assert found[f"accuracy_k{k}"] == pytest.approx(float(sum(expected) / 70))
    tied = sum(row.count(min(row)) > 1 for row in rows) / 70
    assert found["tie_rate"] == pytest.approx(tied)
    assert tied > 0.05  # or the comparison would have tested nothing


def test_digits_equal_exact_loops_over_zlib():
    data = digits(40, 12)
    rows = exact_distances(data, 2, b"")
    expected = [
        exact_credit(row, data.train.labels, 3, label)
        for row, label in zip(rows, data.test.labels, strict=True)
    ]
    found = values(GZIP, data)
    assert found["accuracy_k3"] == pytest.approx(float(sum(expected) / 12))


def test_the_vote_is_what_random_tie_breaking_gives_on_average():
    nearer, tied = np.array([[1, 0, 0, 0]]), np.array([[0, 3, 2, 1]])
    found = votes.vote_credit(votes.Neighbours(nearer=nearer, tied=tied), 4)
    draw, pool = np.random.default_rng(3), np.repeat(np.arange(4), tied[0])
    shares = np.zeros(4)
    for _ in range(4000):
        count = nearer[0] + np.bincount(draw.permutation(pool)[:3], minlength=4)
        top = np.flatnonzero(count == count.max())
        shares[draw.choice(top)] += 1 / 4000
    assert found[0] == pytest.approx(shares, abs=0.025)


small_distances = st.lists(st.integers(0, 3), min_size=5, max_size=9)


@given(row=small_distances, k=st.integers(1, 5), seed=st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_credit_equals_enumeration_and_sums_to_one(row: list, k: int, seed: int):
    labels = np.random.default_rng(seed).integers(0, 3, len(row))
    found = votes.vote_credit(
        votes.neighbours(np.array([row], float), np.eye(3)[labels], k), k
    )
    expected = [float(exact_credit(row, labels, k, c)) for c in range(3)]
    assert found[0] == pytest.approx(expected)
    assert found.sum() == pytest.approx(1)


@given(row=small_distances, seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_the_shown_error_is_the_chance_that_two_nearest_hold_the_label(
    row: list, seed: int
):
    labels = np.random.default_rng(seed).integers(0, 3, len(row))
    around = votes.neighbours(np.array([row], float), np.eye(3)[labels], 2)
    kth = sorted(row)[1]
    nearer = [i for i, d in enumerate(row) if d < kth]
    tied = [i for i, d in enumerate(row) if d == kth]
    sets = [[*nearer, *some] for some in combinations(tied, 2 - len(nearer))]
    expected = np.mean([1 in labels[one] for one in sets])
    assert votes.either_of_two(around, np.array([1]))[0] == pytest.approx(expected)


def test_the_error_is_shown_only_on_request_and_beats_the_honest_score():
    assert "accuracy_top2_error_k2" not in values(GZIP)
    found = values(GZIP, show_error=True)
    assert found["accuracy_top2_error_k2"] > found["accuracy_k1"] + 0.02


def test_the_order_of_the_training_samples_changes_nothing():
    order = np.random.default_rng(4).permutation(20)
    shuffled = replace(DATA, train=DATA.train.take(order))
    assert values(GZIP, shuffled) == pytest.approx(values(GZIP))


def test_a_text_is_near_itself_and_the_score_says_how_near():
    found = values(GZIP)
    expected = [
        (len(gzip.compress(x + x, 9)) - len(gzip.compress(x, 9)))
        / len(gzip.compress(x, 9))
        for x in DATA.test.samples[:32]
    ]
    assert found["ncd_self"] == pytest.approx(np.mean(expected))
    assert 0 < found["ncd_self"] < 0.2


def test_the_fitted_state_is_not_read():
    fitted = REGISTRY.parse("deflate").fit([b"".join(WORDS)], seed=0)
    plain = replace(fitted, learned=None)
    given = replace(inputs(plain), fitted=fitted)
    first, second = (
        evaluate(TASK, given, Parameters()),
        evaluate(TASK, inputs(plain), Parameters()),
    )
    assert [s.value for s in first.scores] == [s.value for s in second.scores]
    assert not TASK.reads_fit


def test_two_samples_that_cost_nothing_are_not_told_apart():
    zeros = np.zeros(2)
    assert ncd(np.zeros((2, 2)), zeros, zeros).tolist() == [[0, 0], [0, 0]]


def test_lengths_that_joining_never_raises_are_marked_invalid():
    scores = {s.name: s for s in evaluate(TASK, inputs(Broken()), Parameters()).scores}
    assert scores["nonpositive_rate"].value == 1
    assert scores["balanced_accuracy_k1"].note.startswith("invalid")
    honest = {s.name: s for s in evaluate(TASK, inputs(GZIP), Parameters()).scores}
    assert honest["nonpositive_rate"].value == 0
    assert not honest["balanced_accuracy_k1"].note.startswith("invalid")
    assert honest["balanced_accuracy_k1"].route == "difference"


def test_ncd_cond_reads_both_conditional_codes_of_a_model():
    model = REGISTRY.parse("context_model(order=2)")
    data = replace(DATA, train=DATA.train.take(range(9)), test=texts(5, 7))
    right = 0
    for x, label in zip(data.test.samples, data.test.labels, strict=True):
        row = []
        for y in data.train.samples:
            (x_after,) = model.fit([y], seed=0).code_lengths([x])
            (y_after,) = model.fit([x], seed=0).code_lengths([y])
            row.append((x_after + y_after) / model.code_lengths([x, y]).sum())
        right += data.train.labels[int(np.argmin(row))] == label
    found = values(model, data, variant="ncd_cond", k=(1,))
    assert found["accuracy_k1"] == pytest.approx(right / 5)
    assert "nonpositive_rate" not in found


def test_ncd_cond_of_a_codec_or_of_too_short_a_window_has_no_meaning():
    with pytest.raises(NotApplicableError, match="no model"):
        values(GZIP, variant="ncd_cond")

    class Short(type(REGISTRY.parse("context_model"))):
        window = 40

    with pytest.raises(NotApplicableError, match="sees 40 bytes; ncd_cond needs"):
        values(Short(), variant="ncd_cond")


@pytest.mark.parametrize(
    ("dataset", "given", "reason"),
    [
        (replace(DATA, classes=()), {}, "no labels"),
        (DATA, {"k": (21,)}, "20 training samples, fewer than k=21"),
        (replace(DATA, train=texts(1, 1)), {"k": (1,), "show_error": True}, "k=2"),
    ],
)
def test_what_cannot_be_classified_is_not_applicable(
    dataset: Dataset, given: dict, reason: str
):
    with pytest.raises(NotApplicableError, match=reason):
        values(GZIP, dataset, **given)


def test_a_model_that_must_be_fitted_is_not_applicable():
    @dataclass(frozen=True, kw_only=True)
    class Needy(Broken):
        name = "needy"
        needs = frozenset({"fit"})

    with pytest.raises(NotApplicableError, match="needy must be fitted"):
        values(Needy())


@pytest.mark.parametrize(
    "given", [{"k": []}, {"k": [0]}, {"orders": 3}, {"variant": "ncd2"}]
)
def test_a_parameter_that_has_no_meaning_is_refused(given: dict):
    with pytest.raises(SuiteError, match="ncd_knn: "):
        TASK.complete(given)


def test_a_list_from_a_suite_file_and_the_default_are_the_same_parameters():
    assert TASK.complete({"k": [1, 3]}) == TASK.complete({})
