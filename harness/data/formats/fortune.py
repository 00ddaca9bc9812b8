"""Files of fortunes: short texts with a line of a per cent sign between them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.data.formats.rows import Row, Rows, label_of
from harness.data.reading import Reading
from harness.errors import DatasetError

BORDER = re.compile(rb"^%\r?\n", re.MULTILINE)


def parse_fortune(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Return each text without the line breaks around it, labelled by its member's name.

    Raises:
        DatasetError: a file has no line of a per cent sign.
    """
    rows: Rows = []
    for name, data in members.items():
        texts = BORDER.split(data if data.endswith(b"\n") else data + b"\n")
        if len(texts) < 2:
            raise DatasetError(f"{name}: not a file of fortunes: no line is a %")
        label = label_of(name, reading)
        rows += [Row(label, text.strip(b"\r\n")) for text in texts if text.strip()]
    return rows
