import zlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from harness.contract.compressor import Codec, Compressor
from harness.data.dataset import Dataset, Split
from harness.errors import NotApplicableError, SuiteError
from harness.tasks import landmark_probe
from harness.tasks.evaluate import evaluate
from harness.tasks.landmark_probe import conditional_lengths
from harness.tasks.landmarks import (
    Parameters,
    context_samples,
    draw_candidates,
    draw_shards,
    neighbourhoods,
    probe_rows,
)
from harness.tasks.task import Inputs, without_test_labels

SEPARATOR = b"\n"


@dataclass(frozen=True, kw_only=True)
class RawDeflate(Codec):
    name = "raw_deflate"
    family = "test"
    route = "native"

    def pack(self, data: bytes) -> bytes:
        return self.pack_after(data, b"")

    def unpack(self, code: bytes, length: int) -> bytes:
        raise NotImplementedError

    def pack_after(self, data: bytes, prefix: bytes) -> bytes:
        coder = zlib.compressobj(9, zlib.DEFLATED, -15, 8, 0, prefix)
        return coder.compress(data) + coder.flush()


class Unconditional(RawDeflate):
    route = "none"


@dataclass(frozen=True, kw_only=True)
class Frequencies(Compressor):
    """An order-0 model that knows nothing before `fit` and refuses any context."""

    name = "frequencies"
    family = "test"
    route = "stepwise"
    needs = frozenset({"fit"})

    def fit(self, corpus, *, seed):  # noqa: ARG002  (counting draws nothing)
        counts = np.bincount(np.frombuffer(b"".join(corpus), np.uint8), minlength=256)
        return replace(self, learned={"counts": counts + 1})

    def code_lengths(self, samples, *, context=b""):
        assert not context
        bits = -np.log2(self.learned["counts"] / self.learned["counts"].sum())
        return np.array([bits[np.frombuffer(s, np.uint8)].sum() for s in samples])


def texts(n: int, rng: np.random.Generator) -> Split:
    """Draw texts from two vocabularies that share half of their words."""
    words = [bytes(rng.integers(97, 123, 6).astype(np.uint8)) for _ in range(60)]
    labels = rng.integers(0, 2, n)
    samples = []
    for label in labels:
        chosen = rng.integers(0, 40, rng.integers(3, 12)) + 20 * label
        samples.append(b" ".join(words[i] for i in chosen))
    return Split(samples=tuple(samples), labels=labels.astype(np.int64))


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    whole = texts(260, np.random.default_rng(8))
    return Dataset(
        name="toy",
        kind="text",
        classes=("a", "b"),
        train=whole.take(np.arange(200)),
        test=whole.take(np.arange(200, 260)),
        separator=SEPARATOR,
    )


SMALL = Parameters(contexts="shards", n_contexts=8, shard_bytes=600, extras=False)
NEAR = Parameters(n_contexts=8, neighbours=4, n_candidates=60, extras=False)


def shards_of(dataset: Dataset, parameters=SMALL, seed=1) -> list[list[bytes]]:
    return context_samples(dataset, draw_shards(dataset, parameters, seed=seed))


def outside_of(dataset: Dataset, parameters=SMALL, seed=1) -> Split:
    return dataset.train.take(probe_rows(dataset, parameters, seed=seed))


def members_of(arrays) -> list[list[int]]:
    context = arrays["context_of_member"]
    return [arrays["member"][context == j].tolist() for j in range(context.max() + 1)]


def run(compressor, dataset, parameters=SMALL, seed=1):
    inputs = Inputs(
        unfitted=compressor,
        fitted=compressor,
        dataset=dataset,
        seed=seed,
    )
    return evaluate(landmark_probe.TASK, inputs, parameters)


def test_shards_are_of_equal_size_within_one_sample(dataset):
    shards = shards_of(dataset)
    longest = max(map(len, dataset.train.samples)) + len(SEPARATOR)
    sizes = [sum(map(len, shard)) for shard in shards]
    assert len(shards) == 8
    assert all(600 - longest < size <= 600 for size in sizes)


def test_shards_of_fixed_size_samples_are_exact():
    samples = tuple(bytes([i]) * 64 for i in range(200))
    split = Split(samples=samples, labels=np.arange(200) % 2)
    fixed = Dataset(name="f", kind="image", classes=("a", "b"), train=split, test=split)
    parameters = Parameters(contexts="shards", n_contexts=9, shard_bytes=640)
    assert [len(m) for m in draw_shards(fixed, parameters, seed=0)] == [10] * 9


def test_shards_are_whole_samples_that_train_no_probe(dataset):
    inside = np.concatenate(draw_shards(dataset, SMALL, seed=1))
    assert len(set(inside.tolist())) == len(inside)
    wanted = [s + SEPARATOR for s in (dataset.train.samples[i] for i in inside)]
    assert sum(shards_of(dataset), []) == wanted  # noqa: RUF017  (eight short lists)
    left = Counter(dataset.train.samples)
    left.subtract(dataset.train.samples[i] for i in inside)
    assert Counter(outside_of(dataset).samples) == +left


def test_shards_do_not_depend_on_the_labels(dataset):
    flipped = replace(dataset.train, labels=1 - dataset.train.labels)
    other = draw_shards(replace(dataset, train=flipped), SMALL, seed=1)
    same = draw_shards(dataset, SMALL, seed=1)
    assert all(map(np.array_equal, same, other))


def test_shards_take_at_most_half_of_train(dataset):
    shards = shards_of(dataset, replace(SMALL, n_contexts=300, shard_bytes=300))
    n_bytes = dataset.train.n_bytes + len(dataset.train.samples)
    assert n_bytes / 2 - 900 < sum(sum(map(len, s)) for s in shards) <= n_bytes / 2


def test_samples_longer_than_a_shard_are_left_to_the_probe(dataset):
    long = b"x" * 5000
    train = replace(dataset.train, samples=(long, *dataset.train.samples[1:]))
    changed = replace(dataset, train=train)
    assert 0 not in np.concatenate(draw_shards(changed, SMALL, seed=1))
    assert long in outside_of(changed).samples
    assert 0 not in draw_candidates(changed, NEAR, seed=1)
    assert long in outside_of(changed, NEAR).samples


def test_too_small_a_train_is_not_applicable(dataset):
    with pytest.raises(NotApplicableError, match="raise train or lower shard_bytes"):
        draw_shards(dataset, Parameters(contexts="shards", shard_bytes=8000), seed=1)
    few = replace(dataset, train=dataset.train.take(np.arange(14)))
    with pytest.raises(NotApplicableError, match="half of which are 7"):
        run(RawDeflate(), few, Parameters())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n_contexts": 1}, "n_contexts is 1; give at least 2"),
        ({"neighbours": 0}, "neighbours is 0"),
        ({"n_candidates": 63}, "n_candidates is 63"),
    ],
)
def test_parameters_that_make_no_contexts_are_refused(values, message):
    with pytest.raises(SuiteError, match=message):
        Parameters(**values)


def test_features_are_the_formula_by_a_slow_loop_over_deflate(dataset):
    arrays = run(RawDeflate(), dataset).arrays
    outside = outside_of(dataset)
    shards = [b"".join(shard) for shard in shards_of(dataset)]
    for row, sample in zip(arrays["features_test"], dataset.test.samples, strict=True):
        bits = []
        for shard in shards:
            coder = zlib.compressobj(level=9, wbits=-15, zdict=shard)
            bits.append(8 * len(coder.compress(sample) + coder.flush()))
        mean = sum(bits) / len(bits)
        assert row.tolist() == pytest.approx([(b - mean) / len(sample) for b in bits])
    assert arrays["features_train"].shape == (len(outside.samples), 8)
    assert np.array_equal(arrays["labels_train"], outside.labels)


def test_the_rate_is_the_mean_over_shards_and_lies_in_its_interval(dataset):
    rate = run(RawDeflate(), dataset).scores[0]
    shards = shards_of(dataset)
    n_coded = [
        len(RawDeflate().compress(sample, context=b"".join(shard)))
        for shard in shards
        for sample in dataset.test.samples
    ]
    assert rate.name == "landmark_bpb"
    wanted = 8 * sum(n_coded) / len(shards) / dataset.test.n_bytes
    assert rate.value == pytest.approx(wanted)
    assert rate.ci_low < rate.value < rate.ci_high


@pytest.mark.parametrize("parameters", [SMALL, NEAR])
def test_two_vocabularies_are_told_apart_and_permuted_labels_are_not(
    dataset, parameters
):
    outcome = run(RawDeflate(), dataset, replace(parameters, extras=True))
    values = {score.name: score.value for score in outcome.scores}
    assert values["balanced_accuracy"] > 0.8
    assert values["balanced_accuracy_permuted"] < 0.7
    assert values["label_bits"] < values["label_prior_bits"]


def test_a_model_that_must_be_fitted_is_fitted_on_each_shard(dataset):
    outcome = run(Frequencies(), dataset)
    shard = shards_of(dataset)[3]
    seen = Counter(b"".join(shard))
    total = seen.total() + 256
    sample = dataset.test.samples[7]
    bits = -sum(np.log2((seen[byte] + 1) / total) for byte in sample)
    samples = (sample,)
    lengths = conditional_lengths(Frequencies(), [shard], samples, seed=0)
    assert lengths[0, 0] == pytest.approx(bits)
    assert {score.state for score in outcome.scores} == {"fit(s_j)"}


def test_a_compressor_without_a_route_is_not_applicable(dataset):
    with pytest.raises(NotApplicableError, match="route none"):
        run(Unconditional(), dataset)


def test_data_without_labels_are_not_applicable(dataset):
    with pytest.raises(NotApplicableError, match="no labels"):
        run(RawDeflate(), replace(dataset, classes=()))


def test_an_empty_sample_is_coded_like_any_other(dataset):
    test = replace(dataset.test, samples=(b"", *dataset.test.samples[1:]))
    row = run(RawDeflate(), replace(dataset, test=test)).arrays["features_test"][0]
    assert row.tolist() == [0.0] * 8


def test_the_same_seed_gives_the_same_outcome_and_another_other_shards(dataset):
    first, again = (run(RawDeflate(), dataset) for _ in range(2))
    assert first.scores == again.scores
    assert np.array_equal(first.arrays["member"], again.arrays["member"])
    other = run(RawDeflate(), dataset, seed=2)
    assert not np.array_equal(first.arrays["member"], other.arrays["member"])


def test_duplicates_add_scores(dataset):
    duplicated = np.arange(len(dataset.test.samples)) < 10
    outcome = run(RawDeflate(), replace(dataset, duplicated=duplicated))
    by_name = {score.name: score for score in outcome.scores}
    assert by_name["balanced_accuracy_dedup"].n == 50


def test_the_task_completes_its_parameters():
    assert landmark_probe.TASK.complete({"n_contexts": 16}) == {
        "contexts": "neighbourhoods",
        "n_contexts": 16,
        "neighbours": 8,
        "n_candidates": 300,
        "shard_bytes": 4096,
        "n_probe": None,
        "extras": True,
        "budget": None,
    }
    with pytest.raises(SuiteError, match="contexts"):
        landmark_probe.TASK.complete({"contexts": "classes"})


@pytest.mark.parametrize("parameters", [SMALL, NEAR])
def test_a_capped_probe_trains_on_the_first_of_the_rest(dataset, parameters):
    whole = outside_of(dataset, parameters)
    capped = outside_of(dataset, replace(parameters, n_probe=7))
    assert capped.samples == whole.samples[:7]


def slow_neighbourhoods(dataset: Dataset, parameters=NEAR, seed=1) -> list[list[int]]:
    """By loops over zlib: per landmark, the nearest candidates, the landmark last."""
    rows = draw_candidates(dataset, parameters, seed=seed).tolist()
    landmarks = rows[: parameters.n_contexts]
    text = dataset.train.samples

    def cost(i, j):
        coder = zlib.compressobj(level=9, wbits=-15, zdict=text[j] + SEPARATOR)
        return 8 * len(coder.compress(text[i]) + coder.flush()) / len(text[i])

    mean = {i: np.mean([cost(i, j) for j in landmarks if j != i]) for i in rows}
    groups = []
    for j in landmarks:
        # Ties go to the earlier candidate, as in a stable sort.
        near = sorted((i for i in rows if i != j), key=lambda i: cost(i, j) - mean[i])
        groups.append([*near[: parameters.neighbours - 1][::-1], j])
    return groups


def test_neighbourhoods_are_those_of_a_slow_loop_over_deflate(dataset):
    got = members_of(run(RawDeflate(), dataset, NEAR).arrays)
    wanted = slow_neighbourhoods(dataset)
    assert [set(group) for group in got] == [set(group) for group in wanted]
    assert [group[-1] for group in got] == [group[-1] for group in wanted]


def test_features_are_bits_after_the_joined_neighbourhoods(dataset):
    arrays = run(RawDeflate(), dataset, NEAR).arrays
    sample = dataset.test.samples[5]
    bits = []
    for group in members_of(arrays):
        text = b"".join(dataset.train.samples[i] + SEPARATOR for i in group)
        coder = zlib.compressobj(level=9, wbits=-15, zdict=text)
        bits.append(8 * len(coder.compress(sample) + coder.flush()))
    wanted = [(b - np.mean(bits)) / len(sample) for b in bits]
    assert arrays["features_test"][5] == pytest.approx(wanted)


def test_no_sample_of_a_neighbourhood_trains_the_probe(dataset):
    members = {
        i for g in members_of(run(RawDeflate(), dataset, NEAR).arrays) for i in g
    }
    outside = probe_rows(dataset, NEAR, seed=1)
    assert members.isdisjoint(outside.tolist())
    # All candidates stay outside, so that every compressor has the same probe samples.
    assert len(outside) == len(dataset.train.samples) - NEAR.n_candidates


def test_candidates_take_at_most_half_of_train(dataset):
    many = replace(NEAR, n_candidates=5000)
    assert len(draw_candidates(dataset, many, seed=1)) == 100


def test_neighbourhoods_read_no_label(dataset):
    """Whatever the labels of train are, and without those of test."""
    draw = np.random.default_rng(3)
    other = replace(dataset.train, labels=draw.permutation(dataset.train.labels))
    contexts = [
        landmark_probe.measure(
            Inputs(unfitted=RawDeflate(), fitted=RawDeflate(), dataset=data, seed=1),
            NEAR,
        ).arrays["member"]
        for data in (
            without_test_labels(dataset),
            without_test_labels(replace(dataset, train=other)),
        )
    ]
    assert np.array_equal(*contexts)


def test_a_sample_that_is_cheap_after_anything_is_near_to_nothing():
    # Candidate 3 costs least after both landmarks; 2 and 4 are each like one of them.
    costs = np.array([[0.1, 4], [4, 0.1], [2, 4], [1, 1], [4, 2], [4, 4.0]])
    assert [group.tolist() for group in neighbourhoods(costs, 2)] == [[2, 0], [4, 1]]


def test_neighbourhoods_gather_samples_of_one_vocabulary(dataset):
    groups = members_of(run(RawDeflate(), dataset, NEAR).arrays)
    labels = dataset.train.labels
    shares = [np.mean(labels[group[:-1]] == labels[group[-1]]) for group in groups]
    assert np.mean(shares) > 0.65


def test_a_model_that_must_be_fitted_is_fitted_on_landmarks_and_neighbourhoods(dataset):
    arrays = run(Frequencies(), dataset, NEAR).arrays
    group = members_of(arrays)[2]
    text = [dataset.train.samples[i] + SEPARATOR for i in group]
    alone = Frequencies().fit(text, seed=1).code_lengths(dataset.test.samples)
    # One column less another is free of the row's mean.
    other = [dataset.train.samples[i] + SEPARATOR for i in members_of(arrays)[0]]
    first = Frequencies().fit(other, seed=1).code_lengths(dataset.test.samples)
    n_bytes = np.array([len(sample) for sample in dataset.test.samples])
    features = arrays["features_test"]
    assert features[:, 2] - features[:, 0] == pytest.approx((alone - first) / n_bytes)
