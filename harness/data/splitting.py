"""Splits of rows into train and test, by the rule of a card."""

from __future__ import annotations

import hashlib

import numpy as np

from harness.data.dataset import Split, stratified
from harness.data.formats.rows import Row, Rows
from harness.data.reading import SplitRule
from harness.errors import DatasetError


def split_rows(
    rows: Rows, rule: SplitRule, n_test: int, *, name: str
) -> tuple[Rows, Rows]:
    """Return the rows of train and of test, each in the order given.

    Raises:
        DatasetError: there are too few rows for the rule.
    """
    match rule.rule:
        case "seeded":
            return _seeded(rows, rule.seed, n_test, name)
        case "group":
            return _by_group(rows, rule)
        case "class_group":
            return _by_group_of_class(rows, rule, name)
        case "head":
            return _head_and_tail(rows, rule, name)


def split_of(rows: Rows, classes: tuple[str, ...]) -> Split:
    """Return the samples and labels of rows; no labels where there are no classes."""
    index = {label: i for i, label in enumerate(classes)}
    labels = np.array([index[row.label] for row in rows] if classes else [], np.int64)
    return Split(samples=tuple(row.sample for row in rows), labels=labels)


def classes_of(rows: Rows) -> tuple[str, ...]:
    """Return the labels that occur, sorted; none if all are empty."""
    labels = {row.label for row in rows}
    # Sorted, since the index of a class must not depend on the order of rows.
    return () if labels == {""} else tuple(sorted(labels))


def _seeded(rows: Rows, seed: int, n_test: int, name: str) -> tuple[Rows, Rows]:
    if n_test >= len(rows):
        raise DatasetError(
            f"{name}: {len(rows)} rows, the card wants {n_test} as test; correct n_test"
        )
    whole = split_of(rows, classes_of(rows))
    test_indices = set(stratified(whole, n_test, np.random.default_rng(seed)).tolist())
    train = [row for i, row in enumerate(rows) if i not in test_indices]
    return train, [rows[i] for i in sorted(test_indices)]


def _by_group(rows: Rows, rule: SplitRule) -> tuple[Rows, Rows]:
    groups = _ranked({row.group for row in rows}, rule.seed)
    test_groups = set(groups[: round(rule.test * len(groups))])
    train = [row for row in rows if row.group not in test_groups]
    return train, [row for row in rows if row.group in test_groups]


def _by_group_of_class(rows: Rows, rule: SplitRule, name: str) -> tuple[Rows, Rows]:
    test_groups: set[str] = set()
    for label in classes_of(rows):
        groups = _ranked({row.group for row in rows if row.label == label}, rule.seed)
        if len(groups) < 2:
            raise DatasetError(
                f"{name}: all rows of {label!r} are of one group; leave the label out"
            )
        # One group at least on each side, however few a class has.
        n_test = min(max(round(rule.test * len(groups)), 1), len(groups) - 1)
        test_groups |= set(groups[:n_test])
    train = [row for row in rows if row.group not in test_groups]
    return train, [row for row in rows if row.group in test_groups]


def _ranked(groups: set[str], seed: int) -> list[str]:
    # A hash, not a generator: a new group does not reorder the others.
    return sorted(
        groups, key=lambda group: hashlib.sha256(f"{seed}:{group}".encode()).digest()
    )


def _head_and_tail(rows: Rows, rule: SplitRule, name: str) -> tuple[Rows, Rows]:
    if len(rows) != 1:
        raise DatasetError(
            f"{name}: the rule head splits one text, got {len(rows)}; correct the card"
        )
    text = rows[0].sample
    # Test at the end, so that train is what a reader has read before it.
    cut = len(text) - round(rule.test * len(text))
    return [Row("", text[:cut])], [Row("", text[cut:])]
