"""Text formats. Bytes of a text are unchanged: not decoded, cased or stripped."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from harness.data.formats.rows import Row, Rows, label_of
from harness.data.reading import Reading
from harness.errors import DatasetError

ORANGE_HEADER_LINES = 4  # names, types, flags, and a line that is blank in these files
BASES = re.compile(rb"[ACGTDNRS]+")  # D, N, R, S: one of several bases


def parse_whole(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Return each member as one sample, labelled by its name; its group is the file name."""
    return [
        Row(label_of(name, reading), data, PurePosixPath(name).name)
        for name, data in members.items()
    ]


def parse_lines(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Return each line that is not empty as a sample, labelled by its member's name."""
    return [
        Row(label_of(name, reading), line)
        for name, data in members.items()
        for line in data.split(b"\n")
        if line
    ]


def parse_label_text(members: Mapping[str, bytes], _: Reading) -> Rows:
    """Parse lines of label, tab, text.

    Raises:
        DatasetError: a line has no tab, or the label is empty.
    """
    return _by_line(members, _label_text_row)


def parse_orange_tab(members: Mapping[str, bytes], _: Reading) -> Rows:
    """Parse Orange .tab files: a class column, a text column, quoted as csv needs it.

    Raises:
        DatasetError: the header is not Orange's, or a row lacks its two columns.
    """
    rows: Rows = []
    for name, data in members.items():
        parts = data.split(b"\n", ORANGE_HEADER_LINES)
        header = [part.rstrip(b"\r\t") for part in parts[1:ORANGE_HEADER_LINES]]
        if len(parts) <= ORANGE_HEADER_LINES or header != [b"d\tstring", b"class", b""]:
            raise DatasetError(
                f"{name}: not an Orange .tab file with a class and a text column"
            )
        rows += _by_line({name: parts[-1]}, _label_text_row)
    return rows


def parse_trec(members: Mapping[str, bytes], _: Reading) -> Rows:
    """Parse TREC questions, "COARSE:fine question"; the label is the coarse class."""
    return _by_line(members, _trec_row)


def parse_splice(members: Mapping[str, bytes], _: Reading) -> Rows:
    """Parse UCI's splice junctions: class, name, sequence, commas and blanks between."""
    return _by_line(members, _splice_row)


def parse_peptide_csv(members: Mapping[str, bytes], _: Reading) -> Rows:
    """Parse modlamp's tables: a header of counts and class names, then sequence, class.

    Raises:
        DatasetError: the header or a row is not of this form.
    """
    rows: Rows = []
    for name, data in members.items():
        head, _newline, body = data.partition(b"\n")
        # Replaced, not refused: a wrong header is reported below with its text.
        fields = head.decode("utf-8", "replace").strip().split(",")
        if len(fields) < 3 or not fields[0].isdigit():
            raise DatasetError(f"{name}: not a table of modlamp: {head[:40]!r}")
        classes = fields[2:]  # after the numbers of rows and columns
        for sequence, number in _csv_rows({name: body}, 2):
            # int() would also take -1, which names the last class.
            if number.strip() not in map(str, range(len(classes))):
                raise DatasetError(f"{name}: no class {number!r} in {classes}")
            rows.append(Row(classes[int(number)], sequence.strip().encode()))
    return rows


def _by_line(
    members: Mapping[str, bytes], row_of: Callable[[bytes], Row | None]
) -> Rows:
    rows: Rows = []
    for name, data in members.items():
        lines = data.split(b"\n")
        # A newline at the end ends the last row; it does not begin another.
        if not lines[-1]:
            lines.pop()
        for number, line in enumerate(lines, 1):
            if (row := row_of(line)) is None:
                raise DatasetError(
                    f"{name}, row {number}: expected label and text, got {line[:40]!r}"
                )
            rows.append(row)
    return rows


def _label_text_row(line: bytes) -> Row | None:
    label, tab, text = line.partition(b"\t")
    return Row(label.decode("utf-8", "replace"), text) if tab and label else None


def _trec_row(line: bytes) -> Row | None:
    label, blank, text = line.partition(b" ")
    coarse, colon, _ = label.decode("utf-8", "replace").partition(":")
    return Row(coarse, text) if blank and colon and coarse else None


def _splice_row(line: bytes) -> Row | None:
    columns = [column.strip() for column in line.split(b",")]
    if len(columns) != 3 or not columns[0] or not BASES.fullmatch(columns[2]):
        return None
    return Row(columns[0].decode("utf-8", "replace"), columns[2])


def _csv_rows(members: Mapping[str, bytes], n_columns: int) -> list[list[str]]:
    rows = []
    for name, data in members.items():
        try:
            text = data.decode("utf-8")
            for row in csv.reader(io.StringIO(text, newline="")):
                if len(row) != n_columns:
                    raise DatasetError(
                        f"{name}: expected {n_columns} columns, got {len(row)}: "
                        f"{','.join(row)[:40]!r}"
                    )
                rows.append(row)
        except (UnicodeDecodeError, csv.Error) as error:
            raise DatasetError(f"{name} is not a csv file: {error}") from error
    return rows
