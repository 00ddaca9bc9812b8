"""Audit of a data set: sizes, classes, lengths, bytes and duplicates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.card import Card
from harness.data.dataset import Dataset, Split
from harness.data.load import load_anew

N_COMMON_BYTES = 8


@dataclass(frozen=True, kw_only=True)
class SplitAudit:
    """Audit of one split in plain values.

    Attributes:
        class_counts: samples of each class; empty without labels.
        lengths: least, median and largest number of bytes of a sample; zeros if empty.
        repeated: samples that equal an earlier one of the split.
        conflicting: samples whose bytes also occur in the split with another label.
    """

    n_samples: int
    n_bytes: int
    class_counts: dict[str, int]
    lengths: tuple[int, float, int]
    repeated: int
    conflicting: int


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Audit of a data set in plain values, for a table or JSON.

    Attributes:
        exact_across: test samples that equal a train sample.
        near_across: test samples that duplicate train by the card's rule, including exact
            duplicates; None where the card's rule is none.
        rule: the card's duplicate rule.
        n_levels: number of different byte values that occur.
        common_bytes: the most frequent byte values and their share of all bytes.
    """

    name: str
    title: str
    kind: str
    licence: str
    citation: str
    content_sha256: str
    train: SplitAudit
    test: SplitAudit
    exact_across: int
    near_across: int | None
    rule: str
    n_levels: int
    common_bytes: dict[int, float]


def audit(card: Card) -> Audit:
    """Return the audit of a data set, which is fetched unless it is cached.

    Raises:
        DatasetError: it cannot be fetched, or differs from its card.
    """
    return audit_of(load_anew(card), card)


def audit_of(dataset: Dataset, card: Card) -> Audit:
    """Return the audit of a loaded data set."""
    train_samples = set(dataset.train.samples)
    duplicated = dataset.duplicated
    # Both splits: the alphabet of a model must hold every byte of test too.
    shares = _byte_shares(dataset)
    common = np.argsort(-shares, kind="stable")[:N_COMMON_BYTES].tolist()
    return Audit(
        name=card.name,
        title=card.title,
        kind=card.kind,
        licence=card.licence,
        citation=card.citation,
        content_sha256=card.content_sha256 or card.identity,
        train=_split_audit(dataset.train, dataset.classes),
        test=_split_audit(dataset.test, dataset.classes),
        exact_across=sum(sample in train_samples for sample in dataset.test.samples),
        near_across=None if duplicated is None else int(duplicated.sum()),
        rule=card.duplicates.rule,
        n_levels=int(np.count_nonzero(shares)),
        common_bytes={i: float(shares[i]) for i in common if shares[i]},
    )


def _split_audit(split: Split, classes: tuple[str, ...]) -> SplitAudit:
    counts = np.bincount(split.labels, minlength=len(classes)).tolist()
    # A split may be empty: generators and files can have no train split.
    lengths = [len(sample) for sample in split.samples] or [0]
    # A sample with two labels cannot be classified rightly every time: it bounds accuracy.
    labels_of: dict[bytes, set[int]] = {}
    for sample, label in zip(split.samples, split.labels.tolist(), strict=False):
        labels_of.setdefault(sample, set()).add(label)
    occurrences = Counter(split.samples)
    return SplitAudit(
        n_samples=len(split.samples),
        n_bytes=split.n_bytes,
        class_counts=dict(zip(classes, counts, strict=True)),
        lengths=(min(lengths), float(np.median(lengths)), max(lengths)),
        repeated=len(split.samples) - len(occurrences),
        conflicting=sum(
            occurrences[sample]
            for sample, labels in labels_of.items()
            if len(labels) > 1
        ),
    )


def _byte_shares(dataset: Dataset) -> NDArray[np.float64]:
    counts = np.zeros(256)
    for split in (dataset.train, dataset.test):
        joined = np.frombuffer(b"".join(split.samples), np.uint8)
        counts += np.bincount(joined, minlength=256)
    return np.asarray(counts / max(counts.sum(), 1.0), np.float64)
