"""Data set: labelled bytes in two splits, identified by the hash of their content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["text", "image", "series", "symbols", "file"]
Pooling = Literal["mean", "grid2x2"]
Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Split of a data set: samples in order, and their labels.

    Attributes:
        samples: n byte strings.
        labels: shape (n,), indices into `Dataset.classes`; shape (0,) without labels.
    """

    samples: tuple[bytes, ...]
    labels: Labels

    def __repr__(self) -> str:
        return f"Split({len(self.samples):,} samples, {self.n_bytes:,} bytes)"

    @property
    def n_bytes(self) -> int:
        """Number of original bytes, the denominator of every rate."""
        return sum(map(len, self.samples))

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Split:
        """Return the samples at `indices`, in that order."""
        rows = np.asarray(indices, np.int64)
        labels = self.labels[rows] if len(self.labels) else self.labels
        return Split(samples=tuple(self.samples[i] for i in rows), labels=labels)


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Data set of labelled bytes, as its card describes it.

    Attributes:
        classes: names of the labels; empty without labels.
        separator: bytes that end each sample in a stream (empty for fixed-size samples).
        shape: of one sample, (height, width) or (height, width, channels); None for text.
        levels: number of symbols in use, 0 .. levels - 1, as the card says; None is 256.
        pooling: of hidden states, as the card fixed it beforehand: the mean over positions,
            or also the means of the four quarters of an image, by original position.
        names: of the test samples where they are files; otherwise empty.
        true_bits: shape (n_test,), -log2 p_true of each test sample of a generator; None
            where the source is not known.
        duplicated: shape (n_test,), whether a test sample is a (near) duplicate of one in
            the whole train split, by the rule of its card; None where that rule is none.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]
    train: Split
    test: Split
    separator: bytes = b""
    shape: tuple[int, ...] | None = None
    levels: int | None = None
    pooling: Pooling = "mean"
    names: tuple[str, ...] = ()
    true_bits: NDArray[np.float64] | None = None
    duplicated: NDArray[np.bool_] | None = None

    def __repr__(self) -> str:
        # A notebook shows it, and the samples would fill pages.
        classes = f"{len(self.classes)} classes" if self.classes else "no labels"
        return (
            f"Dataset({self.name}: {self.kind}, {classes}; {self.train}, {self.test})"
        )

    @property
    def is_labelled(self) -> bool:
        """True where samples have at least two classes."""
        return len(self.classes) > 1


def content_hash(dataset: Dataset) -> str:
    """Return the sha256 of all samples and labels in order, independent of containers."""
    digest = hashlib.sha256()
    for split in (dataset.train, dataset.test):
        # Numbers first, so that a sample cannot move from train to test unnoticed.
        digest.update(f"{len(split.samples)} {len(split.labels)}\n".encode())
        for sample in split.samples:
            # With its length, so that a byte cannot move to the next sample unnoticed.
            digest.update(len(sample).to_bytes(8, "little") + sample)
        digest.update(
            "".join(f"{dataset.classes[label]}\n" for label in split.labels).encode()
        )
    return digest.hexdigest()


def subset(
    dataset: Dataset,
    *,
    n_train: int | None,
    n_test: int | None,
    seed: int,
    min_per_class: int = 1,
) -> Dataset:
    """Return at most `n_train` and `n_test` samples, stratified, in seeded order.

    The order of the whole splits is shuffled too: it is the class-blind order of
    "train" and "test as one stream".

    Args:
        dataset: data set with both of its whole splits.
        n_train: cap on train; None takes all.
        n_test: cap on test; None takes all.
        seed: of the subset and its order.
        min_per_class: test samples that a class keeps at least, as in `stratified`; train
            stays in proportion, since the priors of classes are read from it.
    """
    # One generator for both splits; other uses of the seed have other second numbers.
    rng = np.random.default_rng([seed, 0])
    train = stratified(dataset.train, n_train, rng)
    test = stratified(dataset.test, n_test, rng, min_per_class=min_per_class)
    true_bits, duplicated = dataset.true_bits, dataset.duplicated
    return replace(
        dataset,
        train=dataset.train.take(train),
        test=dataset.test.take(test),
        names=tuple(dataset.names[i] for i in test) if dataset.names else (),
        true_bits=None if true_bits is None else true_bits[test],
        duplicated=None if duplicated is None else duplicated[test],
    )


def stratified(
    split: Split, n: int | None, rng: np.random.Generator, *, min_per_class: int = 1
) -> NDArray[np.int64]:
    """Return indices of at most `n` samples in random order, classes in proportion.

    Shares are rounded by largest remainder. A class keeps at least `min_per_class` samples,
    as far as it has them and an equal share of `n` allows, so that few samples of a rare
    class do not decide a mean over classes; the largest classes give them up. A class keeps
    at least one sample while `n` allows.
    """
    shuffled = rng.permutation(len(split.samples))
    if n is None or n >= len(shuffled):
        return shuffled
    # Without labels, any subset is in proportion.
    if not len(split.labels):
        return shuffled[:n]
    labels = split.labels[shuffled]
    quota = _quotas(np.bincount(labels), n, min_per_class)
    # The rank of a sample within its class, in shuffled order.
    rank = np.zeros(len(labels), np.int64)
    for label in range(len(quota)):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    indices: NDArray[np.int64] = shuffled[rank < quota[labels]]
    return indices


def _quotas(counts: NDArray[np.int64], n: int, min_per_class: int) -> NDArray[np.int64]:
    """Return how many of n samples each class gives: shape (n_classes,)."""
    exact = n * counts / counts.sum()
    quota: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    # Largest remainder: the sum of the quotas is n, and none is off by a whole sample.
    by_remainder = np.argsort(quota - exact, kind="stable")
    quota[by_remainder[: n - quota.sum()]] += 1
    # At most an equal share, so that all classes can have it at once.
    floor = max(1, min(min_per_class, n // int(np.count_nonzero(counts))))
    for label, count in enumerate(counts):
        least = min(floor, count)
        # A class without a sample could never be answered; the largest class gives one up.
        while quota[label] < least and quota.max() > floor:
            quota[quota.argmax()] -= 1
            quota[label] += 1
    return quota
