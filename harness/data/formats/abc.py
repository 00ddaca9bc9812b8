"""Tunes in abc, a notation of music in letters (the abc standard 2.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.data.formats.rows import Row, Rows
from harness.data.reading import Reading
from harness.errors import DatasetError

FIELD = re.compile(rb"([A-Za-z]):(.*)")
TUNE = re.compile(rb"^(?=X:)", re.MULTILINE)


def parse_abc(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Parse tunes, labelled by the field that the card names; the group is the member.

    Labels are in lower case, since collections write both reel and REEL. All lines of
    fields are left out, since rhythm and metre would give the label away.
    Tunes without the field are no rows.

    Raises:
        DatasetError: the card names no field, or a file has no tune.
    """
    if reading.columns is None:
        raise DatasetError("the format abc needs [source.columns]; add it to the card")
    rows: Rows = []
    for name, data in members.items():
        # Text before the first X: is a header of the file.
        tunes = TUNE.split(data.replace(b"\r\n", b"\n"))[1:]
        if not tunes:
            raise DatasetError(f"{name}: not a file of abc tunes: {data[:40]!r}")
        for tune in tunes:
            label, notes = _tune(tune, str(reading.columns.label))
            if label and notes:
                rows.append(Row(label, notes, name))
    return rows


def _tune(tune: bytes, field: str) -> tuple[str, bytes]:
    """Return the value of a field, and the notes without any field or comment."""
    label, lines = "", []
    for line in tune.split(b"\n"):
        if match := FIELD.match(line):
            if match[1] == field.encode() and not label:
                label = match[2].strip().decode("utf-8", "replace").lower()
        elif line.strip() and not line.startswith(b"%"):
            lines.append(line)
    return label, b"\n".join(lines)
