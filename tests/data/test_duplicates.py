import numpy as np
import pytest

from harness.data import duplicates
from harness.data.card import Duplicates
from harness.data.duplicates import near_duplicates, nearest_distances
from harness.errors import DatasetError

TEXT13 = Duplicates(rule="text13")


def plain_text13(train: list[bytes], test: list[bytes]) -> list[bool]:
    """The definition, word by word: sets of tuples, no hashes."""

    def words(text: bytes) -> list[tuple[bytes, ...]]:
        w = text.split()
        return [tuple(w[i : i + 13]) for i in range(len(w) - 12)]

    def spans(text: bytes) -> list[bytes]:
        return [text[i : i + 32] for i in range(len(text) - 31)]

    word_grams = {gram for text in train for gram in words(text)}
    byte_grams = {gram for text in train for gram in spans(text)}
    found = []
    for text in test:
        long = len(text.split()) >= 13
        grams = words(text) if long else spans(text)
        hits = sum(gram in (word_grams if long else byte_grams) for gram in grams)
        found.append(text in train or 2 * hits > len(grams))
    return found


def texts(rng: np.random.Generator, n: int) -> list[bytes]:
    vocabulary = [b"a", b"bb", b"ccc", "d\u00e9".encode(), b"e,", b"\xff\xfe"]
    blanks = [b" ", b"  ", b"\n", b"\t"]
    return [
        b"".join(
            vocabulary[rng.integers(6)] + blanks[rng.integers(4)]
            for _ in range(rng.integers(0, 60))
        )
        for _ in range(n)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_text13_is_its_definition(seed: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(duplicates, "BLOCK_BYTES", 200)  # many blocks
    rng = np.random.default_rng(seed)
    train = texts(rng, 40)
    test = texts(rng, 10)
    for text in train[:30]:  # copies with a part cut off, put before, or changed
        cut = int(rng.integers(0, len(text) + 1))
        test += [text[:cut] + b"new " * int(rng.integers(0, 20)), b"x" + text[cut:]]
    expected = plain_text13(train, test)
    assert 5 < sum(expected) < len(test) - 5
    assert near_duplicates(train, test, TEXT13).tolist() == expected


def test_a_text_does_not_find_its_grams_across_two_train_texts():
    words = [b"%d" % i for i in range(20)]
    train = [b" ".join(words[:10]), b" ".join(words[10:])]
    assert not near_duplicates(train, [b" ".join(words)], TEXT13).any()


def test_exactly_half_of_the_grams_is_not_most():
    words = [b"w%d" % i for i in range(16)]
    train = [b" ".join(words[:14])]  # 2 of the 4 grams
    assert not near_duplicates(train, [b" ".join(words)], TEXT13)[0]
    assert near_duplicates(train, [b" ".join(words[:15])], TEXT13)[0]  # 2 of 3


def test_a_short_text_counts_only_if_it_is_equal():
    mask = near_duplicates([b"yes", b"", b"no way"], [b"yes", b"no", b""], TEXT13)
    assert mask.tolist() == [True, False, True]


def test_the_exact_rule_is_equality():
    rule = Duplicates(rule="exact")
    mask = near_duplicates([b"ab", b"cd"], [b"cd", b"ce", b"c"], rule)
    assert mask.tolist() == [True, False, False]


@pytest.mark.parametrize("rule", ["exact", "text13"])
def test_nothing_duplicates_an_empty_train_split(rule: str):
    mask = near_duplicates([], [b"a" * 40, b"b c " * 20], Duplicates(rule=rule))
    assert mask.tolist() == [False, False]


def test_nearest_distances_are_those_of_every_pair():
    rng = np.random.default_rng(0)
    train = [rng.bytes(50) for _ in range(300)] + [rng.bytes(20)]
    test = [rng.bytes(50) for _ in range(30)] + [train[5], rng.bytes(7)]
    found = nearest_distances(train, test)
    for sample, distance in zip(test[:-1], found, strict=False):
        x = np.frombuffer(sample, np.uint8).astype(int)
        pairs = [
            np.sqrt(((x - np.frombuffer(y, np.uint8).astype(int)) ** 2).mean())
            for y in train
            if len(y) == 50
        ]
        assert distance == pytest.approx(min(pairs), abs=1e-9)
    assert found[-2] == 0
    assert np.isinf(found[-1])


def test_an_image_a_little_brighter_is_a_duplicate_below_the_threshold():
    image = np.random.default_rng(0).integers(0, 200, 784).astype(np.uint8)
    test = [(image + 3).tobytes(), (image + 9).tobytes()]
    rule = Duplicates(rule="distance", below=5.0)
    assert near_duplicates([image.tobytes()], test, rule).tolist() == [True, False]


def test_a_rule_of_none_has_no_mask():
    with pytest.raises(DatasetError, match="rule is none"):
        near_duplicates([], [], Duplicates(rule="none"))
