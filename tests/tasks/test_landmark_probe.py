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
from harness.tasks.landmark_probe import Parameters, draw_landmarks, shard_samples
from harness.tasks.task import Inputs

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


SMALL = Parameters(n_shards=8, shard_bytes=600, extras=False)


def run(compressor, dataset, parameters=SMALL, seed=1):
    inputs = Inputs(
        unfitted=compressor,
        fitted=compressor,
        dataset=dataset,
        seed=seed,
    )
    return evaluate(landmark_probe.TASK, inputs, parameters)


def test_shards_are_of_equal_size_within_one_sample(dataset):
    shards = shard_samples(dataset, draw_landmarks(dataset, SMALL, seed=1))
    longest = max(map(len, dataset.train.samples)) + len(SEPARATOR)
    sizes = [sum(map(len, shard)) for shard in shards]
    assert len(shards) == 8
    assert all(600 - longest < size <= 600 for size in sizes)


def test_shards_of_fixed_size_samples_are_exact():
    samples = tuple(bytes([i]) * 64 for i in range(200))
    split = Split(samples=samples, labels=np.arange(200) % 2)
    fixed = Dataset(name="f", kind="image", classes=("a", "b"), train=split, test=split)
    landmarks = draw_landmarks(fixed, Parameters(n_shards=9, shard_bytes=640), seed=0)
    assert [len(chosen) for chosen in landmarks.members] == [10] * 9


def test_shards_are_whole_samples_that_train_no_probe(dataset):
    landmarks = draw_landmarks(dataset, SMALL, seed=1)
    inside = np.concatenate(landmarks.members)
    assert len(set(inside.tolist())) == len(inside)
    wanted = [s + SEPARATOR for s in (dataset.train.samples[i] for i in inside)]
    assert sum(shard_samples(dataset, landmarks), []) == wanted  # noqa: RUF017  (eight short lists)
    left = Counter(dataset.train.samples)
    left.subtract(dataset.train.samples[i] for i in inside)
    assert Counter(landmarks.outside.samples) == +left


def test_shards_do_not_depend_on_the_labels(dataset):
    flipped = replace(dataset.train, labels=1 - dataset.train.labels)
    other = draw_landmarks(replace(dataset, train=flipped), SMALL, seed=1)
    same = draw_landmarks(dataset, SMALL, seed=1)
    assert all(map(np.array_equal, same.members, other.members))


def test_shards_take_at_most_half_of_train(dataset):
    many = Parameters(n_shards=1000, shard_bytes=300)
    shards = shard_samples(dataset, draw_landmarks(dataset, many, seed=1))
    n_bytes = dataset.train.n_bytes + len(dataset.train.samples)
    assert n_bytes / 2 - 900 < sum(sum(map(len, s)) for s in shards) <= n_bytes / 2


def test_samples_longer_than_a_shard_are_left_to_the_probe(dataset):
    long = b"x" * 5000
    train = replace(dataset.train, samples=(long, *dataset.train.samples[1:]))
    landmarks = draw_landmarks(replace(dataset, train=train), SMALL, seed=1)
    assert 0 not in np.concatenate(landmarks.members)
    assert long in landmarks.outside.samples


def test_too_small_a_train_is_not_applicable(dataset):
    with pytest.raises(NotApplicableError, match="raise train or lower shard_bytes"):
        draw_landmarks(dataset, Parameters(shard_bytes=8000), seed=1)


def test_a_single_shard_is_refused():
    with pytest.raises(SuiteError, match="n_shards is 1"):
        Parameters(n_shards=1)


def test_features_are_the_formula_by_a_slow_loop_over_deflate(dataset):
    arrays = run(RawDeflate(), dataset).arrays
    landmarks = draw_landmarks(dataset, SMALL, seed=1)
    shards = [b"".join(shard) for shard in shard_samples(dataset, landmarks)]
    for row, sample in zip(arrays["features_test"], dataset.test.samples, strict=True):
        bits = []
        for shard in shards:
            coder = zlib.compressobj(level=9, wbits=-15, zdict=shard)
            bits.append(8 * len(coder.compress(sample) + coder.flush()))
        mean = sum(bits) / len(bits)
        assert row.tolist() == pytest.approx([(b - mean) / len(sample) for b in bits])
    assert arrays["features_train"].shape == (len(landmarks.outside.samples), 8)
    assert np.array_equal(arrays["labels_train"], landmarks.outside.labels)


def test_the_rate_is_the_mean_over_shards_and_lies_in_its_interval(dataset):
    rate = run(RawDeflate(), dataset).scores[0]
    shards = shard_samples(dataset, draw_landmarks(dataset, SMALL, seed=1))
    n_coded = [
        len(RawDeflate().compress(sample, context=b"".join(shard)))
        for shard in shards
        for sample in dataset.test.samples
    ]
    assert rate.name == "landmark_bpb"
    wanted = 8 * sum(n_coded) / len(shards) / dataset.test.n_bytes
    assert rate.value == pytest.approx(wanted)
    assert rate.ci_low < rate.value < rate.ci_high


def test_two_vocabularies_are_told_apart_and_permuted_labels_are_not(dataset):
    outcome = run(RawDeflate(), dataset, Parameters(n_shards=8, shard_bytes=600))
    values = {score.name: score.value for score in outcome.scores}
    assert values["balanced_accuracy"] > 0.8
    assert values["balanced_accuracy_permuted"] < 0.7
    assert values["label_bits"] < values["label_prior_bits"]


def test_a_model_that_must_be_fitted_is_fitted_on_each_shard(dataset):
    outcome = run(Frequencies(), dataset)
    shard = shard_samples(dataset, draw_landmarks(dataset, SMALL, seed=1))[3]
    seen = Counter(b"".join(shard))
    total = seen.total() + 256
    sample = dataset.test.samples[7]
    bits = -sum(np.log2((seen[byte] + 1) / total) for byte in sample)
    samples = (sample,)
    lengths = landmark_probe.conditional_lengths(
        Frequencies(), [shard], samples, seed=0
    )
    assert lengths[0, 0] == pytest.approx(bits)
    assert {score.state for score in outcome.scores} == {"fit(shard)"}


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
    assert landmark_probe.TASK.complete({"n_shards": 16}) == {
        "n_shards": 16,
        "shard_bytes": 4096,
        "n_probe": None,
        "extras": True,
        "budget": None,
    }


def test_a_capped_probe_trains_on_the_first_of_the_rest(dataset: Dataset):
    whole = draw_landmarks(dataset, SMALL, seed=1)
    capped = draw_landmarks(dataset, replace(SMALL, n_probe=7), seed=1)
    assert capped.outside.samples == whole.outside.samples[:7]
    assert [m.tolist() for m in capped.members] == [m.tolist() for m in whole.members]
