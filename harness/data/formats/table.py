"""Tables in text (csv and its dialects): columns of text, or of numbers as bytes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.data.formats.rows import Row, Rows, quantised
from harness.data.reading import Column, Columns, Csv, Reading
from harness.errors import DatasetError


def parse_csv(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Parse the columns of a table that the card names.

    Columns of the sample are joined by a blank, in UTF-8; with a rule of quantisation
    they are numbers, each of which becomes a byte.

    Raises:
        DatasetError: a table lacks a column, or a record has other columns than the first.
    """
    if reading.columns is None:
        raise DatasetError("the format csv needs [source.columns]; add it to the card")
    rows: Rows = []
    for name, data in members.items():
        records = _records(name, data, reading.csv)
        names = next(records, []) if reading.csv.header else []
        for _ in range(reading.csv.skip):
            next(records, None)
        rows += _rows(name, list(records), names, reading)
    return rows


def _records(name: str, data: bytes, dialect: Csv) -> Iterator[list[str]]:
    try:
        text = io.StringIO(data.decode(dialect.encoding), newline="")
        yield from csv.reader(
            text,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or None,
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            strict=True,
        )
    except (UnicodeDecodeError, LookupError, csv.Error) as error:
        raise DatasetError(f"{name} is not a csv file: {error}") from error


def _rows(
    name: str, records: Sequence[list[str]], names: list[str], reading: Reading
) -> Rows:
    columns = reading.columns or Columns(label=0)
    n_columns = len(names) or len(records[0] if records else [])
    label = _index(name, columns.label, names, n_columns)
    sample = [_index(name, column, names, n_columns) for column in columns.sample]
    # Without a list of columns, every other column belongs to the sample.
    sample = sample or [i for i in range(n_columns) if i != label]
    equal = {_index(name, c, names, n_columns): v for c, v in columns.equal.items()}
    rows: Rows = []
    for record in records:
        if len(record) != n_columns:
            raise DatasetError(
                f"{name}: expected {n_columns} columns, got {len(record)}: "
                f"{','.join(record)[:40]!r}"
            )
        if all(record[i] == value for i, value in equal.items()):
            fields = [record[i] for i in sample]
            rows.append(Row(record[label], _sample(name, fields, reading)))
    return rows


def _index(name: str, column: Column, names: list[str], n_columns: int) -> int:
    if isinstance(column, str):
        if column in names:
            return names.index(column)
    elif -n_columns <= column < n_columns:
        return column % n_columns
    raise DatasetError(
        f"{name}: no column {column!r} in {names or n_columns}; correct the card"
    )


def _sample(name: str, fields: list[str], reading: Reading) -> bytes:
    if reading.quantise is None:
        return " ".join(fields).encode()
    try:
        values = np.array(fields, np.float64)
    except ValueError as error:
        raise DatasetError(f"{name}: bad number in {fields}") from error
    # A missing number has no byte.
    if not np.isfinite(values).all():
        raise DatasetError(f"{name}: bad number in {fields}")
    return quantised(values, reading.quantise)
