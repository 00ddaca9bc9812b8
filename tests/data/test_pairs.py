"""X and Y never share a sample, are of equal length, and are what their kind says."""

from collections import Counter

import numpy as np
import pytest

from harness import NotApplicableError
from harness.data.dataset import Dataset, Split
from harness.tasks.pairs import (
    WHOLE,
    Half,
    PairPlan,
    distinct,
    draw_pairs,
    halves_of,
    random_bytes,
    rule_of,
    text,
)

CLASSES = ("ash", "birch", "cedar", "dogwood")
PER_CLASS = 40
PLAN = PairPlan(
    n_bytes=200, least_bytes=64, n_classes=4, siblings=(("ash", "birch"), ("x", "y"))
)


def made(name: str = "trees", classes: tuple[str, ...] = CLASSES) -> Dataset:
    """Every sample says its class and its own number: 12 bytes with the separator."""
    samples = [
        f"{label[:3]} {name[:2]} {i:04d}".encode()
        for label in classes
        for i in range(PER_CLASS)
    ]
    labels = np.repeat(np.arange(len(classes)), PER_CLASS)
    n = len(samples) - PER_CLASS
    order = np.random.default_rng(1).permutation(len(samples))
    split = [order[:n], order[n:]]
    train, test = (
        Split(samples=tuple(samples[i] for i in part), labels=labels[part])
        for part in split
    )
    return Dataset(
        name=name,
        kind="text",
        classes=classes if len(classes) > 1 else (),
        train=train,
        test=test,
        separator=b"\n",
    )


def whole_samples(data: bytes) -> set[bytes]:
    """The last sample may be cut."""
    return set(data.split(b"\n")[:-1])


def test_x_and_y_have_equal_bytes_and_share_no_sample():
    pairs = draw_pairs(made(), {"stars": made("stars")}, PLAN, seed=3)
    assert len(pairs) > 20
    for pair in pairs:
        assert len(pair.x) == len(pair.y) == 200
        if pair.kind not in ("random", "shuffled"):
            shared = whole_samples(pair.x) & whole_samples(pair.y)
            assert shared == set(), pair


def test_the_texts_are_of_the_classes_that_the_kind_promises():
    pairs = draw_pairs(made(), {"stars": made("stars")}, PLAN, seed=3)
    seen = Counter(pair.kind for pair in pairs)
    assert seen["same_class"] == seen["other_class"] == 4
    assert seen["sibling"] == 2  # ash after birch, birch after ash
    assert seen["same_data"] == 1
    assert seen["other_data"] == seen["random"] == seen["shuffled"] == 5

    def names(data: bytes) -> set[bytes]:
        return {sample.split(b" ")[0] for sample in whole_samples(data)}

    for pair in pairs:
        if pair.y_name != WHOLE:
            assert names(pair.y) == {pair.y_name[:3].encode()}
        if pair.kind == "same_class":
            assert names(pair.x) == names(pair.y)
        if pair.kind == "sibling":
            assert {pair.x_name, pair.y_name} == {"ash", "birch"}
            assert names(pair.x) == {pair.x_name[:3].encode()}
        if pair.kind == "other_class":
            assert not names(pair.x) & names(pair.y)
            assert {pair.x_name, pair.y_name} != {"ash", "birch"}
        if pair.kind == "other_data":
            assert {s.split(b" ")[1] for s in whole_samples(pair.x)} == {b"st"}
        if pair.kind == "same_data":
            assert len(names(pair.x)) == len(CLASSES)


def test_shuffled_bytes_are_those_of_y_at_every_size():
    pairs = draw_pairs(made(), {}, PLAN, seed=3)
    for pair in (p for p in pairs if p.kind == "shuffled"):
        short = pair.cut(100, seed=3)
        assert Counter(short.x) == Counter(short.y) == Counter(pair.y[:100])
        assert short.x != short.y


def test_the_seed_decides_the_pairs():
    first, again, other = (draw_pairs(made(), {}, PLAN, seed=s) for s in (3, 3, 4))
    assert first == again
    assert first != other


def test_relatives_come_first_when_only_some_classes_are_taken():
    plan = PairPlan(
        n_bytes=64, least_bytes=64, n_classes=2, siblings=(("dogwood", "birch"),)
    )
    for seed in range(4):
        found = {p.y_name for p in draw_pairs(made(), {}, plan, seed=seed)}
        assert found == {WHOLE, "birch", "dogwood"}


def test_an_unlabelled_set_gives_pairs_of_its_two_halves():
    dataset = made(classes=("ash",))
    kinds = {p.kind for p in draw_pairs(dataset, {}, PLAN, seed=0)}
    assert kinds == {"same_data", "random", "shuffled"}


def test_a_set_too_small_for_a_pair_says_what_it_has():
    plan = PairPlan(n_bytes=10**6, least_bytes=10**6, n_classes=1)
    with pytest.raises(NotApplicableError, match=r"trees: .* has 960 bytes"):
        draw_pairs(made(), {}, plan, seed=0)


def test_halves_part_every_class_evenly():
    halves = halves_of(made(), np.random.default_rng(0))
    assert set(halves) == {WHOLE, *CLASSES}
    for name in CLASSES:
        half = halves[name]
        assert len(half.ys) == len(half.xs) == PER_CLASS // 2
        assert not set(half.ys) & set(half.xs)
    whole = halves[WHOLE]
    assert whole == Half(ys=whole.ys, xs=whole.xs)
    assert set(whole.xs) == set().union(*(halves[name].xs for name in CLASSES))


def test_near_duplicates_are_left_out_in_either_direction():
    words = [f"word{i}" for i in range(60)]
    long, part = " ".join(words).encode(), " ".join(words[:20]).encode()
    other = b"nothing of this kind occurs in the other half at all"
    rule = rule_of(made())
    # All of `part` occurs in `long`; a third of `long` occurs in `part`.
    assert distinct([part, other], [long], rule) == [other]
    assert distinct([long, other], [part], rule) == [other]
    assert distinct([other], [long, part], rule) == [other]
    assert distinct([], [long], rule) == []


def test_texts_are_cut_to_the_byte_and_random_bytes_keep_to_the_levels():
    assert text([b"abc", b"defg", b"hi"], 5) == b"abcde"
    assert text([b"abc"], 5) == b"abc"
    drawn = np.frombuffer(random_bytes(4000, 17, 0), np.uint8)
    assert set(drawn.tolist()) == set(range(17))
