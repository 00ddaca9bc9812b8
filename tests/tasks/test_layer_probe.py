from dataclasses import dataclass, replace

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from harness.contract.compressor import Compressor, Represents
from harness.data.dataset import Dataset, Split
from harness.errors import ConformanceError, NotApplicableError
from harness.tasks import layer_probe, pooling
from harness.tasks.evaluate import evaluate
from harness.tasks.layer_probe import Parameters
from harness.tasks.pooling import pool, pooled_states
from harness.tasks.probing.logistic import STRENGTHS
from harness.tasks.task import Inputs

SIDE, N_CLASSES = 6, 4
QUICK = Parameters(
    few_labels=False, label_code=False, permuted=False, random_init=False
)


@dataclass(frozen=True, kw_only=True)
class Deaf(Compressor):
    """Knows nothing and shows nothing."""

    name = "deaf"
    family = "test"

    def fit(self, corpus, *, seed):
        raise NotImplementedError

    def code_lengths(self, samples, *, context=b""):
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Tables(Deaf, Represents):
    """Three layers, each a table from the last byte read to a state.

    Trained, the second layer tells bright from dark; the others, and all of them after 0
    steps, are numbers that do not depend on what was read.
    """

    name = "tables"
    ladder_field = "steps"
    steps: int = 5
    width: int = 3

    def fit(self, corpus, *, seed):
        assert corpus
        table = np.random.default_rng(seed).normal(size=(3, 1, self.width))
        tables = np.repeat(table, 256, axis=1).astype(np.float32)
        if self.steps:
            brightness = np.arange(256)[:, None] / 255
            tables[1] = (brightness * (1 + np.arange(self.width))).astype(np.float32)
        return replace(self, learned={"tables": tables})

    def hidden_states(self, batch):
        longest = max(map(len, batch))
        padded = b"".join(sample.ljust(longest, b"\xff") for sample in batch)
        read = np.frombuffer(padded, np.uint8).reshape(len(batch), longest)
        names = ("first", "second", "third")
        return {n: t[read] for n, t in zip(names, self.learned["tables"], strict=True)}


@dataclass(frozen=True, kw_only=True)
class Stepless(Tables):
    ladder_field = None


def images(n: int, rng: np.random.Generator) -> Split:
    """Draw noise with one bright quarter, the class; the mean says nothing of it."""
    labels = np.arange(n) % N_CLASSES
    pixels = rng.integers(0, 100, (n, SIDE, SIDE))
    half = SIDE // 2
    for image, label in zip(pixels, labels, strict=True):
        row, column = half * (label // 2), half * (label % 2)
        image[row : row + half, column : column + half] += 90
    samples = tuple(image.astype(np.uint8).tobytes() for image in pixels)
    return Split(samples=samples, labels=labels.astype(np.int64))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    rng = np.random.default_rng(4)
    return Dataset(
        name="quarters",
        kind="image",
        classes=tuple("abcd"),
        train=images(80, rng),
        test=images(40, rng),
        shape=(SIDE, SIDE),
        pooling="grid2x2",
    )


def inputs(model: Compressor, dataset: Dataset) -> Inputs:
    return Inputs(
        unfitted=model,
        fitted=model.fit(dataset.train.samples, seed=3),
        dataset=dataset,
        seed=3,
    )


@pytest.fixture(scope="module")
def outcome(dataset):
    return evaluate(layer_probe.TASK, inputs(Tables(), dataset), Parameters())


@pytest.fixture(scope="module")
def found(outcome):
    return {score.name: score for score in outcome.scores}


def texts(rng: np.random.Generator) -> tuple[bytes, ...]:
    lengths = [0, 17, 1, 40, 3, 3, 25, 2, 0, 9]
    return tuple(rng.integers(0, 255, n, np.uint8).tobytes() for n in lengths)


@pytest.mark.parametrize("budget", [1, 2000, 1 << 26])
def test_the_mean_is_over_each_samples_own_positions_whatever_the_batches(
    dataset, monkeypatch, budget
):
    monkeypatch.setattr(pooling, "MAX_STATE_BYTES", budget)
    plain = replace(dataset, pooling="mean", shape=None)
    samples = texts(np.random.default_rng(2))
    model = Tables().fit([b"x"], seed=1)
    pooled = pooled_states(model, samples, plain)
    for sample, row in zip(samples, pooled["second"], strict=True):
        alone = model.learned["tables"][1][list(sample)]
        wanted = alone.mean(axis=0) if sample else np.zeros(3)
        assert row == pytest.approx(wanted, rel=1e-6)


def test_no_batch_of_several_samples_holds_more_states_than_allowed(
    dataset, monkeypatch
):
    sizes = []

    class Watched(Tables):
        def hidden_states(self, batch):
            states = super().hidden_states(batch)
            sizes.append((len(batch), sum(layer.nbytes for layer in states.values())))
            return states

    monkeypatch.setattr(pooling, "MAX_STATE_BYTES", 10_000)
    pooled_states(Watched().fit([b"x"], seed=1), dataset.train.samples, dataset)
    assert sum(n for n, _ in sizes) == len(dataset.train.samples)
    assert 1 < len(sizes) < 30
    assert all(n == 1 or n_bytes <= 10_000 for n, n_bytes in sizes)


@pytest.mark.parametrize("shape", [(4, 4), (5, 7), (2, 3), (4, 6, 3)])
def test_quarters_are_those_of_the_image_by_place(dataset, shape):
    states = np.random.default_rng(1).normal(size=(3, int(np.prod(shape)), 5))
    placed = states.reshape(3, shape[0], shape[1], -1, 5)
    row, column = -(-shape[0] // 2), -(-shape[1] // 2)
    parts = [
        placed,
        placed[:, :row, :column],
        placed[:, :row, column:],
        placed[:, row:, :column],
        placed[:, row:, column:],
    ]
    wanted = np.concatenate([part.mean(axis=(1, 2, 3)) for part in parts], axis=1)
    lengths = np.full(3, states.shape[1])
    pooled = pool(states.astype(np.float32), lengths, replace(dataset, shape=shape))
    assert pooled == pytest.approx(wanted, abs=1e-6)


def test_quarters_tell_what_the_mean_cannot(found):
    assert found["balanced_accuracy_middle"].value > 0.95
    assert found["balanced_accuracy_middle_mean"].value < 0.5


def test_the_layer_that_does_best_on_validation_is_chosen(found):
    values = {
        name: found[f"validation_balanced_accuracy_layer:{name}"].value
        for name in ("first", "second", "third")
    }
    assert max(values, key=values.get) == "second"
    chosen, second = found["balanced_accuracy"], found["balanced_accuracy_layer:second"]
    assert chosen.value == second.value
    assert "layer second, 2 of 3" in chosen.note


def test_the_fixed_layers_are_first_middle_and_last_of_the_models_order(found):
    assert "layer first, 1 of 3" in found["balanced_accuracy_first_pca64"].note
    assert "layer second, 2 of 3" in found["accuracy_middle"].note
    assert "layer third, 3 of 3" in found["accuracy_last"].note
    assert found["balanced_accuracy_last"].value == 1 / N_CLASSES
    # The checks of a registered middle layer read its neighbours by these names.
    for role in ("first", "middle", "last"):
        assert f"balanced_accuracy_{role}_pca64" in found
        assert f"balanced_accuracy_random_init_{role}_pca64" in found
    assert [layer_probe.middle_of(n) for n in (1, 2, 3, 4, 5)] == [0, 0, 1, 1, 2]


def test_a_layers_score_is_that_of_a_scikit_learn_pipeline(dataset):
    rng = np.random.default_rng(9)
    tables = rng.normal(size=(3, 256, 16)).astype(np.float32)
    model = replace(Tables(), learned={"tables": tables})
    given = replace(inputs(Tables(), dataset), fitted=model)
    scores = {s.name: s.value for s in evaluate(layer_probe.TASK, given, QUICK).scores}
    train, test = (
        quarters(tables[2], split.samples) for split in (dataset.train, dataset.test)
    )
    for suffix, steps in (("", []), ("_pca64", [PCA(64, svd_solver="full")])):
        wanted = {
            balanced_accuracy_score(
                dataset.test.labels,
                pipeline(steps, strength)
                .fit(train, dataset.train.labels)
                .predict(test),
            )
            for strength in STRENGTHS
        }
        assert any(
            scores[f"balanced_accuracy_last{suffix}"] == pytest.approx(value)
            for value in wanted
        )


def quarters(table, samples):
    """Return mean and quarter means of a table's states, by slices."""
    read = np.frombuffer(b"".join(samples), np.uint8).reshape(-1, SIDE, SIDE)
    states, half = table[read].astype(np.float64), SIDE // 2
    rows, columns = (slice(half), slice(half, None)), (slice(half), slice(half, None))
    parts = [states, *(states[:, r, c] for r in rows for c in columns)]
    return np.concatenate([part.mean(axis=(1, 2)) for part in parts], axis=1)


def pipeline(steps, strength):
    whiten = [StandardScaler()] if steps else []
    model = LogisticRegression(C=strength, max_iter=1000)
    return make_pipeline(*whiten, *steps, StandardScaler(), model)


@pytest.mark.parametrize("width", [3, 20])
def test_the_common_dimension_has_one_name_for_narrow_and_wide_models(dataset, width):
    given = inputs(Tables(width=width), dataset)
    found = {s.name: s for s in evaluate(layer_probe.TASK, given, QUICK).scores}
    for name in ("balanced_accuracy", "balanced_accuracy_middle"):
        assert found[f"{name}_pca64"].value > 0.9
    narrow = found["balanced_accuracy_middle_pca64"]
    assert ("features as they are" in narrow.note) == (5 * width <= 64)


def test_the_control_is_what_the_same_probe_finds_after_zero_steps(dataset, found):
    untrained = inputs(Tables(steps=0), dataset)
    alone = evaluate(layer_probe.TASK, untrained, QUICK).scores
    wanted = {s.name: s.value for s in alone if s.name.startswith("balanced_accuracy")}
    for role in ("", "_middle", "_last", "_layer:second", "_middle_pca64"):
        control = found[f"balanced_accuracy_random_init{role}"]
        assert control.value == wanted[f"balanced_accuracy{role}"]
        assert control.state == "random weights"


def test_a_model_that_does_not_count_steps_has_no_control_and_says_so(dataset):
    parameters = replace(QUICK, random_init=True)
    scores = evaluate(layer_probe.TASK, inputs(Stepless(), dataset), parameters).scores
    assert not any("random_init" in score.name for score in scores)
    (middle,) = (s for s in scores if s.name == "balanced_accuracy_middle")
    assert "no random-init control" in middle.note


def test_labels_that_chose_a_layer_are_not_coded_with_it(found):
    assert "label_bits_middle_pca64" in found
    assert "balanced_accuracy_at_5_middle_pca64" in found
    chosen_by_labels = ("label_bits_pca64", "balanced_accuracy_at_5_pca64")
    assert not any(name in found for name in chosen_by_labels)


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("few_labels", {"balanced_accuracy_at_5_middle_pca64"}),
        ("label_code", {"label_bits_middle_pca64", "label_prior_bits_middle_pca64"}),
        ("permuted", {"balanced_accuracy_permuted_middle"}),
    ],
)
def test_each_optional_part_is_switched_by_itself(dataset, part, names):
    given = inputs(Tables(), dataset)
    without, only = (
        {
            score.name
            for score in evaluate(
                layer_probe.TASK, given, replace(QUICK, **{part: switched})
            ).scores
        }
        for switched in (False, True)
    )
    assert names <= only - without
    assert not without - only


def test_labels_cost_little_given_a_layer_that_knows_and_all_of_it_when_permuted(found):
    bits, prior = (
        found[f"{name}_middle_pca64"].value
        for name in ("label_bits", "label_prior_bits")
    )
    assert bits < prior / 2
    assert found["balanced_accuracy_permuted_middle"].value < 0.5


def test_the_pooled_states_of_the_middle_layer_are_kept_in_order(dataset, outcome):
    model = Tables().fit(dataset.train.samples, seed=3)
    for split, name in ((dataset.train, "train"), (dataset.test, "test")):
        wanted = quarters(model.learned["tables"][1], split.samples)
        assert outcome.arrays[f"features_{name}"] == pytest.approx(wanted, abs=1e-6)
    assert (outcome.arrays["labels_train"] == dataset.train.labels).all()


def test_what_shows_no_hidden_states_or_has_no_labels_is_not_applicable(dataset):
    deaf = replace(inputs(Tables(), dataset), fitted=Deaf())
    with pytest.raises(NotApplicableError, match="no hidden states"):
        evaluate(layer_probe.TASK, deaf, QUICK)
    nameless = replace(dataset, classes=())
    with pytest.raises(NotApplicableError, match="no labels"):
        evaluate(layer_probe.TASK, inputs(Tables(), nameless), QUICK)


def test_pooling_by_place_needs_images_of_the_cards_shape(dataset):
    wrong = replace(dataset, shape=(SIDE, SIDE + 1))
    with pytest.raises(NotApplicableError, match="images of shape"):
        evaluate(layer_probe.TASK, inputs(Tables(), wrong), QUICK)


def test_states_of_another_shape_break_the_contract(dataset):
    class Short(Tables):
        def hidden_states(self, batch):
            return {"only": super().hidden_states(batch)["first"][:, 1:]}

    with pytest.raises(ConformanceError, match=r"return \(n, T, d\)"):
        evaluate(layer_probe.TASK, inputs(Short(), dataset), QUICK)
