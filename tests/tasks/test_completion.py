from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.contract.compressor import FREQUENCY_BITS, Compressor, Generates, Stepwise
from harness.data.dataset import Dataset, Split
from harness.errors import ConformanceError, NotApplicableError, SuiteError
from harness.tasks import completion, image_halves
from harness.tasks.completion import Parameters
from harness.tasks.evaluate import evaluate
from harness.tasks.probing.logistic import STRENGTHS
from harness.tasks.task import Inputs

LEVELS, SHAPE, CUT = 17, (8, 8), 32
QUICK = Parameters(n_prefixes=12, n_samples=2)


@dataclass(frozen=True, kw_only=True)
class Mute(Compressor):
    name = "mute"
    family = "test"

    def fit(self, corpus, *, seed):
        raise NotImplementedError

    def code_lengths(self, samples, *, context=b""):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Chain(Stepwise, Generates):
    """A Markov chain over `size` symbols, its rows given as integers."""

    name = "chain"
    family = "test"

    @property
    def rows(self) -> np.ndarray:  # (1 + size, size), the last row at the start
        return self.learned["rows"]

    def fit(self, corpus, *, seed):
        raise NotImplementedError

    @property
    def alphabet(self):
        return self.rows.shape[1]

    def start(self, n, *, context=b""):
        assert not context
        return n

    def step(self, state, symbols):
        return state, self.rows[symbols]

    def sample(self, prefixes, length, rng):
        found = []
        for prefix in prefixes:
            drawn = list(prefix)
            while len(drawn) < length:
                row = self.rows[drawn[-1]] / (1 << FREQUENCY_BITS)
                drawn.append(int(rng.choice(self.alphabet, p=row)))
            found.append(bytes(drawn))
        return found


def chain(size: int, seed: int = 1) -> Chain:
    rows = np.random.default_rng(seed).integers(1, 1000, (1 + size, size))
    rows = rows * ((1 << FREQUENCY_BITS) // rows.sum(axis=1, keepdims=True))
    rows[:, 0] += (1 << FREQUENCY_BITS) - rows.sum(axis=1)
    return Chain(learned={"rows": rows})


@dataclass(frozen=True, kw_only=True)
class Seer(Mute, Generates):
    """Continues every prefix as the sample that it has seen."""

    known: tuple[bytes, ...] = ()

    def sample(self, prefixes, length, rng):  # noqa: ARG002  (it draws nothing)
        return [next(s for s in self.known if s.startswith(p)) for p in prefixes]


@pytest.fixture(scope="module")
def digits() -> Dataset:
    data = load_digits()
    samples = tuple(row.tobytes() for row in data.data[:500].astype(np.uint8))
    whole = Split(samples=samples, labels=data.target[:500].astype(np.int64))
    return Dataset(
        name="digits",
        kind="image",
        classes=tuple("0123456789"),
        train=whole.take(np.arange(400)),
        test=whole.take(np.arange(400, 500)),
        shape=SHAPE,
        levels=LEVELS,
    )


@pytest.fixture(scope="module")
def letters() -> Dataset:
    texts = (b"ab" * 9, b"short", b"hello, world. again", b"x" * 16)
    whole = Split(samples=texts, labels=np.empty(0, np.int64))
    return Dataset(name="letters", kind="text", classes=(), train=whole, test=whole)


def inputs(model: Compressor, dataset: Dataset) -> Inputs:
    return Inputs(unfitted=model, fitted=model, dataset=dataset, seed=5)


def scores_of(outcome):
    return {score.name: score for score in outcome.scores}


@pytest.fixture(scope="module")
def seen(digits):
    model = Seer(known=digits.test.samples)
    return evaluate(completion.TASK, inputs(model, digits), Parameters(n_prefixes=100))


@pytest.fixture(scope="module")
def drawn(digits):
    return evaluate(completion.TASK, inputs(chain(LEVELS), digits), QUICK)


def test_who_knows_the_truth_reaches_the_ceiling(seen):
    scores = scores_of(seen)
    for view in ("lower", "whole"):
        own = scores[f"completion_accuracy_{view}"]
        ceiling = scores[f"completion_accuracy_{view}_truth"]
        assert own.value == pytest.approx(ceiling.value)
        assert own.value > 0.6
        assert scores[f"completion_accuracy_{view}_over_mean_image"].ci_low > 0
    assert (seen.arrays["completions"] == seen.arrays["truth"][:, None]).all()


def test_a_half_that_does_not_depend_on_what_is_given_is_at_chance(seen):
    scores = scores_of(seen)
    assert scores["completion_accuracy_lower_mean_image"].value == pytest.approx(0.1)
    chance = scores["completion_accuracy_lower_random_half"]
    assert chance.ci_low < 0.12
    assert chance.value < 0.2


def test_differences_are_those_of_the_scores_they_name(drawn):
    scores = scores_of(drawn)
    for view in ("lower", "whole"):
        own = scores[f"completion_accuracy_{view}"].value
        for origin in ("random_half", "nearest_half", "mean_image"):
            other = scores[f"completion_accuracy_{view}_{origin}"].value
            found = scores[f"completion_accuracy_{view}_over_{origin}"]
            assert found.value == pytest.approx(own - other)
            assert found.ci_low <= found.value <= found.ci_high


def test_the_ceiling_is_what_a_scikit_learn_pipeline_says_of_real_lower_halves(
    digits, seen
):
    train, test = (
        np.frombuffer(b"".join(s.samples), np.uint8).reshape(-1, 64)[:, CUT:]
        for s in (digits.train, digits.test)
    )
    wanted = []
    for strength in STRENGTHS:
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=strength, max_iter=1000)
        )
        answers = model.fit(train, digits.train.labels).predict(test)
        wanted.append(balanced_accuracy_score(digits.test.labels, answers))
    found = scores_of(seen)["completion_accuracy_lower_truth"].value
    assert any(found == pytest.approx(value) for value in wanted)


def test_bits_of_the_true_half_are_the_sum_over_its_symbols(digits, drawn):
    rows = chain(LEVELS).rows / (1 << FREQUENCY_BITS)
    wanted = [
        sum(-np.log2(rows[s[t - 1], s[t]]) for t in range(CUT, 64))
        for s in digits.test.samples[: QUICK.n_prefixes]
    ]
    assert drawn.arrays["true_half_bits"] == pytest.approx(np.array(wanted))
    scores = scores_of(drawn)
    assert scores["true_half_bits"].value == pytest.approx(np.mean(wanted))
    assert scores["true_half_bpb"].value == pytest.approx(np.mean(wanted) / 32)
    assert scores["true_half_bpb"].realised == "likelihood"


def test_a_model_without_probabilities_has_no_bits_of_the_true_half(seen):
    assert not any(name.startswith("true_half") for name in scores_of(seen))


def test_the_nearest_image_is_the_one_that_scipy_finds(digits):
    images = np.frombuffer(b"".join(digits.train.samples), np.uint8).reshape(-1, 64)
    found, distances = image_halves.nearest_images(images[:150], images[150:])
    apart = cdist(images[:150].astype(float), images[150:].astype(float))
    assert distances == pytest.approx(apart.min(axis=1) / 8)
    assert (found == apart.argmin(axis=1)).all()


def test_references_come_from_train_and_nearest_goes_by_the_given_half(digits, drawn):
    train = np.frombuffer(b"".join(digits.train.samples), np.uint8).reshape(-1, 64)
    halves = image_halves.image_halves(digits, 12)
    rests, nearest = image_halves.references(digits, halves, 2, seed=5)
    by_given = cdist(halves.prefixes.astype(float), train[:, :CUT].astype(float))
    wanted = train[by_given.argmin(axis=1)]
    assert (nearest == wanted).all()
    assert (rests["nearest_half"][:, 0] == wanted[:, CUT:]).all()
    known = {row[CUT:].tobytes() for row in train}
    assert {row.tobytes() for row in rests["random_half"].reshape(-1, CUT)} <= known
    mean = np.rint(train.mean(axis=0))[CUT:]
    assert (rests["mean_image"] == mean).all()
    assert (drawn.arrays["nearest"] == wanted).all()


def test_copies_of_train_are_at_distance_zero(digits):
    copied = replace(digits, test=digits.train.take(np.arange(30)))
    model = Seer(known=copied.test.samples)
    outcome = evaluate(
        completion.TASK, inputs(model, replace(copied, classes=())), QUICK
    )
    scores = scores_of(outcome)
    assert scores["nearest_train_distance"].value == 0
    assert scores["nearest_train_distance_random_half"].value > 0.5
    assert not any("accuracy" in name for name in scores)


def test_completions_keep_what_is_given_and_repeat_with_the_seed(digits, drawn):
    again = evaluate(completion.TASK, inputs(chain(LEVELS), digits), QUICK)
    assert (again.arrays["completions"] == drawn.arrays["completions"]).all()
    assert drawn.arrays["completions"].shape == (12, 2, 32)
    first, second = drawn.arrays["completions"].swapaxes(0, 1)
    assert (first != second).any(axis=1).all()
    given = [sample[:CUT] for sample in digits.test.samples[:12]]
    assert [row.tobytes() for row in drawn.arrays["prefixes"]] == given


def test_samples_of_a_chain_follow_its_probabilities_across_batches(monkeypatch):
    monkeypatch.setattr(completion, "N_STREAMS", 7)
    given = np.array([[0], [1], [2]], np.uint8)
    halves = image_halves.Halves(prefixes=given, remainders=given, indices=np.arange(3))
    model = chain(3, seed=8)
    found = completion.complete(model, halves, 500, np.random.default_rng(0))
    shares = np.stack([np.bincount(row.ravel(), minlength=3) for row in found]) / 500
    wanted = model.rows[:3] / (1 << FREQUENCY_BITS)
    assert shares == pytest.approx(wanted, abs=0.09)  # four standard deviations


def test_a_colour_image_is_cut_after_the_upper_half_of_its_rows(digits):
    pixels = np.arange(2 * 5 * 4 * 3, dtype=np.uint8).reshape(2, 5, 4, 3)
    split = Split(
        samples=tuple(image.tobytes() for image in pixels), labels=np.empty(0, np.int64)
    )
    coloured = replace(digits, shape=(5, 4, 3), test=split)
    halves = image_halves.image_halves(coloured, 2)
    assert (halves.prefixes == pixels[:, :2].reshape(2, -1)).all()
    assert (halves.remainders == pixels[:, 2:].reshape(2, -1)).all()


def test_of_texts_so_many_bytes_are_given_and_short_ones_passed_over(letters):
    parameters = Parameters(text_bytes=8, n_samples=3)
    outcome = evaluate(completion.TASK, inputs(chain(256), letters), parameters)
    given = [row.tobytes() for row in outcome.arrays["prefixes"]]
    assert given == [b"abababab", b"hello, w", b"xxxxxxxx"]
    assert [row.tobytes() for row in outcome.arrays["truth"]] == [
        b"abababab",
        b"orld. ag",
        b"xxxxxxxx",
    ]
    assert outcome.arrays["completions"].shape == (3, 3, 8)
    assert outcome.arrays["indices"].tolist() == [0, 2, 3]
    assert {score.name for score in outcome.scores} == {
        "true_half_bits",
        "true_half_bpb",
    }


def test_texts_that_are_all_too_short_are_not_applicable(letters):
    with pytest.raises(NotApplicableError, match="no test sample has 128 bytes"):
        evaluate(completion.TASK, inputs(chain(256), letters), Parameters())


def test_what_cannot_generate_or_is_no_image_of_the_shape_is_not_applicable(digits):
    with pytest.raises(NotApplicableError, match="does not generate"):
        evaluate(completion.TASK, inputs(Mute(), digits), QUICK)
    wrong = replace(digits, shape=(4, 8))
    with pytest.raises(NotApplicableError, match="not all images of shape"):
        evaluate(completion.TASK, inputs(chain(LEVELS), wrong), QUICK)


@pytest.mark.parametrize("fault", [lambda s: s[:-1], lambda s: s[::-1]])
def test_a_model_that_does_not_continue_what_is_given_breaks_the_contract(
    digits, fault
):
    model = chain(LEVELS)

    class Faulty(Chain):
        def sample(self, prefixes, length, rng):
            return [fault(s) for s in super().sample(prefixes, length, rng)]

    with pytest.raises(ConformanceError, match="return each prefix"):
        evaluate(completion.TASK, inputs(Faulty(learned=model.learned), digits), QUICK)


def test_less_than_one_sample_is_refused():
    with pytest.raises(SuiteError, match="n_samples is 0"):
        Parameters(n_samples=0)
