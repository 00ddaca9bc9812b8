"""Subsets of a data set, against counts worked out by hand."""

import numpy as np
import pytest

from harness.data.dataset import Dataset, Split, stratified, subset

SIZES = (64, 11, 99, 1, 7, 8, 3, 7)
"""Test documents of each class of Reuters R8 among 200, in proportion."""


def split_of(sizes: tuple[int, ...], scale: int = 1) -> Split:
    labels = np.repeat(np.arange(len(sizes)), [scale * size for size in sizes])
    return Split(samples=tuple(b"%d" % i for i in range(len(labels))), labels=labels)


def counts(split: Split, n: int, min_per_class: int, seed: int = 0) -> list[int]:
    rows = stratified(
        split, n, np.random.default_rng(seed), min_per_class=min_per_class
    )
    assert len(set(rows.tolist())) == len(rows) == min(n, len(split.samples))
    return np.bincount(split.labels[rows], minlength=split.labels.max() + 1).tolist()


def test_a_rare_class_keeps_ten_test_samples_and_the_largest_class_gives_them():
    # Ten times the documents: each class has ten at least; 23 are short of ten in 200.
    got = counts(split_of(SIZES, 10), 200, 10)
    assert got == [64, 11, 75, 10, 10, 10, 10, 10]
    assert counts(split_of(SIZES, 10), 200, 1) == list(SIZES)


def test_a_class_keeps_all_where_it_has_fewer_than_the_floor():
    assert counts(split_of(SIZES, 2), 200, 10) == [64, 11, 87, 2, 10, 10, 6, 10]


@pytest.mark.parametrize("n", [8, 20, 81, 150, 250])
def test_no_class_is_below_the_floor_while_another_is_above(n: int):
    sizes = np.array(SIZES) * 3
    got = np.array(counts(split_of(SIZES, 3), n, 10))
    assert got.sum() == n
    assert (got >= np.minimum(sizes, min(10, n // 8))).all()


def test_fewer_samples_than_classes_are_one_of_each_of_the_largest():
    assert counts(split_of((5, 1, 9, 2)), 2, 10) == [1, 0, 1, 0]


def test_a_floor_of_test_leaves_train_as_it_is():
    train, test = split_of(SIZES, 5), split_of(SIZES, 5)
    names = tuple("abcdefgh")
    dataset = Dataset(name="d", kind="text", classes=names, train=train, test=test)
    plain, floored = (
        subset(dataset, n_train=200, n_test=200, seed=4, min_per_class=least)
        for least in (1, 10)
    )
    assert plain.train.samples == floored.train.samples
    assert np.bincount(floored.train.labels).tolist() == list(SIZES)
    assert np.bincount(plain.test.labels).min() == 1
    assert np.bincount(floored.test.labels).min() == 5
