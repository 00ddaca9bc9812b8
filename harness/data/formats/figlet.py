"""FIGlet fonts: letters drawn with characters, several rows high."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from harness.data.formats.rows import Row, Rows
from harness.data.reading import Reading
from harness.errors import DatasetError

# Signature, hard blank, height, baseline, width, layout, number of comment lines.
HEADER = re.compile(rb"[ft]lf2a(.) (\d+) +\d+ +\d+ +-?\d+ +(\d+)")
FIRST = 32  # the code of a font's first character, the blank


def parse_figlet(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Parse fonts of a height in the card's range; a letter is its rows, a line each.

    The group of a letter is its font. Letters of blanks alone are no rows.

    Raises:
        DatasetError: a file is not a FIGlet font, or is cut short.
    """
    rule = reading.glyphs
    if rule is None:
        raise DatasetError("the format figlet needs source.glyphs; add it to the card")
    rows: Rows = []
    for name, data in members.items():
        lines = data.replace(b"\r\n", b"\n").split(b"\n")
        if not (header := HEADER.match(lines[0])):
            raise DatasetError(f"{name}: not a FIGlet font: {lines[0][:40]!r}")
        height, start = int(header[2]), 1 + int(header[3])
        if not rule.lowest <= height <= rule.highest:
            continue
        font = PurePosixPath(name).stem
        for letter in rule.letters:
            at = start + (ord(letter) - FIRST) * height
            glyph = _glyph(name, lines[at : at + height], height, header[1])
            if glyph.strip():
                rows.append(Row(letter, glyph, font))
    return rows


def _glyph(name: str, lines: list[bytes], height: int, hard_blank: bytes) -> bytes:
    # The last character of each line marks its end, twice in the last line.
    if len(lines) != height or not all(line.strip() for line in lines):
        raise DatasetError(f"{name}: the font is cut short; fetch it again")
    ends = [line.rstrip()[-1:] for line in lines]
    rows = [line.rstrip().rstrip(end) for line, end in zip(lines, ends, strict=True)]
    return b"\n".join(rows).replace(hard_blank, b" ")
