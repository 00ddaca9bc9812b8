"""Selection among the rows of a source: pieces, repetitions, and rows of each class."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from harness.data.formats.rows import Row, Rows
from harness.data.reading import Selection


def selected(rows: Rows, rules: Selection) -> Rows:
    """Return the rows that the rules of a card choose, in their order."""
    if rules.min_characters:
        # Bytes that are no UTF-8 count as one character each.
        rows = [row for row in rows if _n_characters(row) >= rules.min_characters]
    rows = [piece for row in rows for piece in _pieces(row, rules)]
    if rules.distinct:
        rows = _distinct(rows)
    return _of_each_class(rows, rules) if rules.per_class else rows


def _pieces(row: Row, rules: Selection) -> Iterator[Row]:
    sample = row.sample[: rules.first_bytes or None]
    size = rules.piece_bytes
    if not size:
        yield row._replace(sample=sample)
        return
    # Whole pieces only: the length of an end would name its file.
    for start in range(0, len(sample) - size + 1, size):
        yield row._replace(sample=sample[start : start + size])


def _n_characters(row: Row) -> int:
    return len(row.sample.decode("utf-8", "replace"))


def _distinct(rows: Rows) -> Rows:
    labels: dict[bytes, set[str]] = defaultdict(set)
    for row in rows:
        labels[row.sample].add(row.label)
    first_rows: dict[bytes, Row] = {}
    for row in rows:
        # No answer to a sample of two labels would be right.
        if len(labels[row.sample]) == 1:
            first_rows.setdefault(row.sample, row)
    return list(first_rows.values())


def _of_each_class(rows: Rows, rules: Selection) -> Rows:
    def rank(i: int) -> bytes:
        # A hash, not a generator: a sample more does not reorder the others.
        return hashlib.sha256(f"{rules.seed}:".encode() + rows[i].sample).digest()

    indices: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        indices[row.label].append(i)
    lowest = [sorted(of, key=rank)[: rules.per_class] for of in indices.values()]
    return [rows[i] for i in sorted(i for of in lowest for i in of)]
