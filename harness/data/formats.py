"""File formats: bytes of a file to rows of (label, sample)."""

from __future__ import annotations

from harness.errors import DatasetError

Rows = list[tuple[str, bytes]]
ORANGE_HEADER_LINES = 4  # names, types, flags, and an empty line in the R8 files


def parse_label_text(data: bytes, *, name: str) -> Rows:
    """Parse lines of label, tab, text; nothing is stripped from the text.

    Raises:
        DatasetError: a line has no tab, or the label is empty.
    """
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [_row(line, f"{name}, row {i + 1}") for i, line in enumerate(lines)]


def parse_orange_tab(data: bytes, *, name: str) -> Rows:
    """Parse an Orange .tab file with one class column and one text column.

    Raises:
        DatasetError: the header is not Orange's, or a row has no tab.
    """
    parts = data.split(b"\n", ORANGE_HEADER_LINES)
    header = [part.rstrip(b"\r") for part in parts[:ORANGE_HEADER_LINES]]
    if len(parts) <= ORANGE_HEADER_LINES or header[1:] != [
        b"d\tstring",
        b"class\t",
        b"",
    ]:
        raise DatasetError(
            f"{name}: not an Orange .tab file with a class and a text column"
        )
    return parse_label_text(parts[-1], name=name)


def _row(line: bytes, where: str) -> tuple[str, bytes]:
    label, tab, text = line.partition(b"\t")
    if not tab or not label:
        raise DatasetError(f"{where}: expected label, tab, text, got {line[:40]!r}")
    return label.decode("utf-8", "replace"), text


PARSERS = {"label_text": parse_label_text, "orange_tab": parse_orange_tab}
