"""Rows in one lot to train and test, by the rule of a card."""

from __future__ import annotations

import hashlib

import numpy as np

from harness.data.card import Divide
from harness.data.dataset import Split, stratified
from harness.data.formats.rows import Row, Rows
from harness.errors import DatasetError


def divided(rows: Rows, rule: Divide, n_test: int, *, name: str) -> tuple[Rows, Rows]:
    """Return the rows of train and of test, each in the order given.

    Raises:
        DatasetError: there are too few rows for the rule.
    """
    match rule.rule:
        case "seeded":
            return _seeded(rows, rule.seed, n_test, name)
        case "group":
            return _by_group(rows, rule)
        case "head":
            return _head_and_tail(rows, rule, name)


def split_of(rows: Rows, classes: tuple[str, ...]) -> Split:
    """Return samples and labels of rows; without classes there are no labels."""
    index = {label: i for i, label in enumerate(classes)}
    labels = np.array([index[row.label] for row in rows] if classes else [], np.int64)
    return Split(samples=tuple(row.sample for row in rows), labels=labels)


def classes_of(rows: Rows) -> tuple[str, ...]:
    """Return the labels that occur, sorted; none if all are empty."""
    labels = {row.label for row in rows}
    return () if labels == {""} else tuple(sorted(labels))


def _seeded(rows: Rows, seed: int, n_test: int, name: str) -> tuple[Rows, Rows]:
    if n_test >= len(rows):
        raise DatasetError(f"{name}: {len(rows)} rows, the card wants {n_test} as test")
    whole = split_of(rows, classes_of(rows))
    chosen = set(stratified(whole, n_test, np.random.default_rng(seed)).tolist())
    train = [row for i, row in enumerate(rows) if i not in chosen]
    return train, [rows[i] for i in sorted(chosen)]


def _by_group(rows: Rows, rule: Divide) -> tuple[Rows, Rows]:
    def rank(group: str) -> bytes:
        return hashlib.sha256(f"{rule.seed}:{group}".encode()).digest()

    groups = sorted({row.group for row in rows}, key=rank)
    chosen = set(groups[: round(rule.test * len(groups))])
    train = [row for row in rows if row.group not in chosen]
    return train, [row for row in rows if row.group in chosen]


def _head_and_tail(rows: Rows, rule: Divide, name: str) -> tuple[Rows, Rows]:
    if len(rows) != 1:
        raise DatasetError(f"{name}: head divides one text, got {len(rows)}")
    text = rows[0].sample
    cut = len(text) - round(rule.test * len(text))
    return [Row("", text[:cut])], [Row("", text[cut:])]
