"""Class readouts against loops over zlib and zstd, and against closed cases."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from harness import Compressor, NotApplicableError, Stepwise
from harness.contract.registry import load_registry
from harness.data.dataset import Dataset, Split
from harness.records.job import subject_of
from harness.tasks import class_adapt, class_scratch
from harness.tasks.class_code import (
    Parameters,
    class_judgement,
    measured_codes,
    rounded_up,
)
from harness.tasks.class_text import EQUAL_BYTES, class_texts, pooled_text
from harness.tasks.evaluate import evaluate
from harness.tasks.task import Evidence, Inputs

REGISTRY = load_registry()
VOCABULARY = [b"wheat corn grain crop", b"bank rate loan debt", b"oil well barrel gas"]


def texts(n: int, seed: int) -> Split:
    draw = np.random.default_rng(seed)
    labels = draw.permutation(
        np.repeat([0, 1, 2], [n // 2, n // 3, n - n // 2 - n // 3])
    )
    topics = np.where(draw.random(n) < 0.7, labels, draw.integers(0, 3, n))
    samples = tuple(
        b" ".join(draw.choice(VOCABULARY[topic].split(), 5).tolist())
        for topic in topics
    )
    return Split(samples=samples, labels=labels)


DATA = Dataset(
    name="words",
    kind="text",
    classes=("grain", "money", "crude"),
    train=texts(30, 1),
    test=texts(50, 2),
    separator=b"\n",
)


def inputs(compressor: Compressor, *, fit: bool = False) -> Inputs:
    corpus = [sample + DATA.separator for sample in DATA.train.samples]
    return Inputs(
        unfitted=compressor,
        fitted=compressor.fit(corpus, seed=0) if fit else compressor,
        dataset=DATA,
        seed=0,
    )


def values(outcome) -> dict[str, float]:
    return {score.name: score.value for score in outcome.scores}


def deflated_bits(data: bytes, known: bytes) -> int:
    coder = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=known[-32768:])
    return 8 * len(coder.compress(data) + coder.flush())


def text_of(chosen: Sequence[int]) -> bytes:
    return b"".join(DATA.train.samples[i] + b"\n" for i in chosen)


def zlib_lengths(known: bytes) -> np.ndarray:
    """By loops: bits of each test sample after `known` and then each class's text."""
    members = [np.flatnonzero(DATA.train.labels == c) for c in range(3)]
    return np.array(
        [
            [deflated_bits(x, known + text_of(m)) for m in members]
            for x in DATA.test.samples
        ]
    )


def expected_accuracy(costs: np.ndarray) -> float:
    credit = 0.0
    for row, label in zip(costs, DATA.test.labels, strict=True):
        tied = np.flatnonzero(np.isclose(row, row.min(), atol=1e-9))
        credit += (label in tied) / len(tied)
    return credit / len(costs)


PRIOR_BITS = -np.log2([16 / 33, 11 / 33, 6 / 33])  # 15, 10 and 5 of 30, one more each
EVERYTHING = text_of(range(30))


def test_class_scratch_equals_loops_over_zlib():
    found = evaluate(
        class_scratch.TASK, inputs(REGISTRY.parse("deflate")), Parameters()
    )
    lengths = zlib_lengths(b"")
    assert (found.arrays["code_length_bits"] == lengths).all()
    score = values(found)
    assert score["accuracy"] == pytest.approx(expected_accuracy(lengths + PRIOR_BITS))
    assert score["accuracy_no_prior"] == pytest.approx(expected_accuracy(lengths))
    assert score["accuracy"] != score["accuracy_no_prior"]


def test_class_adapt_puts_the_class_after_all_of_train():
    found = evaluate(
        class_adapt.TASK, inputs(REGISTRY.parse("deflate"), fit=True), Parameters()
    )
    lengths = zlib_lengths(EVERYTHING)
    assert (found.arrays["code_length_bits"] == lengths).all()
    assert (lengths != zlib_lengths(b"")).any()
    expected = expected_accuracy(lengths + PRIOR_BITS)
    assert values(found)["accuracy"] == pytest.approx(expected)
    assert {s.state for s in found.scores} == {"fit(train)+fit(class)"}


@pytest.mark.parametrize("task", [class_scratch, class_adapt])
def test_class_gain_is_the_bits_that_the_true_class_saves_against_all_pooled(task):
    known = EVERYTHING if task is class_adapt else b""
    pooled = [deflated_bits(x, EVERYTHING) for x in DATA.test.samples]
    true = zlib_lengths(known)[np.arange(50), DATA.test.labels]
    outcome = evaluate(
        task.TASK, inputs(REGISTRY.parse("deflate"), fit=True), Parameters()
    )
    (gain,) = [s for s in outcome.scores if s.name == "class_gain"]
    assert gain.value == pytest.approx((pooled - true).sum() / DATA.test.n_bytes)
    assert gain.ci_low < gain.value < gain.ci_high


def test_a_model_adapts_by_counting_the_class_after_train():
    model = REGISTRY.parse("context_model(order=2)")
    found = evaluate(class_adapt.TASK, inputs(model, fit=True), Parameters())
    money = [
        DATA.train.samples[i] + b"\n" for i in np.flatnonzero(DATA.train.labels == 1)
    ]
    once = model.fit([*(s + b"\n" for s in DATA.train.samples), *money], seed=0)
    expected = once.code_lengths(DATA.test.samples)
    assert found.arrays["code_length_bits"][:, 1] == pytest.approx(expected)


def test_models_are_also_scored_at_the_resolution_of_a_codec():
    outcome = evaluate(
        class_scratch.TASK,
        inputs(REGISTRY.parse("context_model(order=1)")),
        Parameters(),
    )
    lengths, found = outcome.arrays["code_length_bits"], values(outcome)
    whole = 8 * np.ceil(lengths / 8)
    assert found["accuracy_byte_rounded"] == pytest.approx(
        expected_accuracy(whole + PRIOR_BITS)
    )
    codec = evaluate(
        class_scratch.TASK, inputs(REGISTRY.parse("deflate")), Parameters()
    )
    assert not any("byte_rounded" in s.name for s in codec.scores)


def test_what_a_model_knows_below_a_byte_is_lost_by_rounding_up():
    # The true class is 6 bits shorter, inside one byte; then the prior decides: class 0.
    lengths = np.full((50, 3), 103.0)
    lengths[np.arange(50), DATA.test.labels] = 97.0
    evidence = Evidence(
        subject=subject_of(REGISTRY.parse("context_model")),
        dataset=DATA,
        seed=0,
        arrays=measured_codes(lengths, lengths[:, 0]).arrays,
    )
    found = values(class_judgement(evidence, Parameters(), state="fit(class)"))
    assert found["accuracy"] == 1
    assert found["accuracy_byte_rounded"] == (DATA.test.labels == 0).mean()


def test_rounding_up_leaves_whole_bytes_alone_in_spite_of_float_errors():
    assert rounded_up(np.array([0, 0.5, 8, 8 + 1e-12, 8.1])).tolist() == [
        0,
        8,
        8,
        8,
        16,
    ]


def sizes_of(dataset: Dataset, seed: int = 3) -> list[int]:
    texts = class_texts(dataset, seed=seed, equal_bytes=True)
    return [len(b"".join(text.pieces)) for text in texts]


def test_equal_bytes_of_text_are_equal_to_the_byte():
    labels = DATA.train.labels
    smallest = min(len(text_of(np.flatnonzero(labels == c))) for c in range(3))
    assert sizes_of(DATA) == [smallest] * 3
    big = replace(DATA.train, samples=tuple(s * 999 for s in DATA.train.samples))
    assert sizes_of(replace(DATA, train=big)) == [EQUAL_BYTES] * 3


def test_only_the_head_of_the_first_sample_of_a_class_is_missing():
    for label, text in enumerate(class_texts(DATA, seed=3, equal_bytes=True)):
        whole = [DATA.train.samples[i] + b"\n" for i in text.indices]
        assert (DATA.train.labels[text.indices] == label).all()
        assert len(set(text.indices.tolist())) == len(text.indices)
        assert list(text.pieces[1:]) == whole[1:]
        assert text.pieces[0]
        assert whole[0].endswith(text.pieces[0])


def test_a_sample_longer_than_the_common_size_gives_its_end():
    samples = (b"x" * 50 + b"end", b"ab", b"y" * 99, b"cd")
    split = Split(samples=samples, labels=np.array([0, 1, 0, 1]))
    long = replace(DATA, classes=("a", "b"), train=split)
    first, second = class_texts(long, seed=0, equal_bytes=True)
    assert sorted(second.pieces) == [b"ab\n", b"cd\n"]
    assert first.pieces in ((b"xxend\n"[-6:],), (b"yyyyy\n",))


def test_images_stay_whole_and_are_equal_by_their_shape():
    labels = np.repeat([0, 1, 2], [5, 9, 20])
    split = Split(samples=tuple(bytes([i]) * 64 for i in range(34)), labels=labels)
    images = replace(DATA, kind="image", shape=(8, 8), separator=b"", train=split)
    texts = class_texts(images, seed=0, equal_bytes=True)
    assert [len(text.pieces) for text in texts] == [5, 5, 5]
    assert all(len(piece) == 64 for text in texts for piece in text.pieces)


def test_images_of_many_sizes_waste_less_than_the_shortest_that_is_left():
    draw = np.random.default_rng(2)
    samples = tuple(bytes(n) for n in draw.integers(1, 400, 120).tolist())
    split = Split(samples=samples, labels=np.arange(120) % 3)
    images = replace(DATA, kind="image", separator=b"", train=split)
    sizes = sizes_of(images)
    whole = [sum(map(len, samples[c::3])) for c in range(3)]
    assert max(sizes) == min(whole)
    for c, text in enumerate(class_texts(images, seed=3, equal_bytes=True)):
        remainder = set(range(c, 120, 3)) - set(text.indices.tolist())
        assert all(sizes[c] + len(samples[i]) > min(whole) for i in remainder)


@pytest.mark.parametrize("task", [class_scratch, class_adapt])
@pytest.mark.parametrize("equal_bytes", [False, True])
def test_the_spread_of_bytes_over_classes_is_a_score(task, equal_bytes):
    outcome = evaluate(task.TASK, inputs(Spy()), Parameters(equal_bytes=equal_bytes))
    labels = DATA.train.labels
    sizes = [len(text_of(np.flatnonzero(labels == c))) for c in range(3)]
    wanted = 0 if equal_bytes else (max(sizes) - min(sizes)) / max(sizes)
    assert values(outcome)["class_bytes_spread"] == pytest.approx(wanted)


@dataclass(frozen=True, kw_only=True)
class Spy(Compressor):
    """Notes what it was fitted on, in its state, and codes for nothing."""

    name = "spy"
    family = "test"
    route = "native"

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> "Spy":  # noqa: ARG002  (the contract)
        return replace(self, learned={"seen": np.array(corpus)})

    def code_lengths(
        self,
        samples: Sequence[bytes],
        *,
        context: bytes = b"",  # noqa: ARG002  (the contract)
    ) -> np.ndarray:
        seen = b"".join((self.learned or {"seen": np.array([b""])})["seen"].tolist())
        return np.full(len(samples), float(zlib.crc32(seen)))


@pytest.mark.parametrize("task", [class_scratch, class_adapt])
def test_every_compressor_gets_the_same_seeded_draw_of_equal_bytes(task):
    drawn = class_texts(DATA, seed=0, equal_bytes=True)
    found = evaluate(task.TASK, inputs(Spy()), Parameters(equal_bytes=True))
    expected = [float(zlib.crc32(b"".join(text.pieces))) for text in drawn]
    assert found.arrays["code_length_bits"][0].tolist() == expected
    if task is class_scratch:  # pooled: the same samples, in train's order
        indices = np.concatenate([text.indices for text in drawn])
        pieces = [piece for text in drawn for piece in text.pieces]
        every = b"".join(pieces[i] for i in np.argsort(indices))
        assert pooled_text(drawn) == [pieces[i] for i in np.argsort(indices)]
        assert found.arrays["pooled_bits"][0] == float(zlib.crc32(every))


@pytest.mark.parametrize("task", [class_scratch, class_adapt])
def test_without_labels_or_route_there_is_no_class_readout(task):
    with pytest.raises(NotApplicableError, match="route none"):
        evaluate(task.TASK, inputs(REGISTRY.parse("gzip")), Parameters())
    bare = replace(inputs(Spy()), dataset=replace(DATA, classes=()))
    with pytest.raises(NotApplicableError, match="no labels"):
        evaluate(task.TASK, bare, Parameters())


def test_only_class_adapt_reads_the_fit():
    assert class_adapt.TASK.reads_fit
    assert not class_scratch.TASK.reads_fit
    assert issubclass(type(REGISTRY.parse("context_model")), Stepwise)
