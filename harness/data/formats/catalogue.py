"""Message catalogues: the same sentences in many languages, to classify languages."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from harness.data.formats.rows import Row, Rows, label_of
from harness.data.reading import Reading
from harness.errors import DatasetError

MAGIC = 0x950412DE
MIN_CHARACTERS = 40
# %(name)s, %5.1f, %%, {name}, {0!r:>4}, <a href="...">: parts that are not language.
PLACEHOLDER = re.compile(
    r"%\([^)]*\)[-#0 +.\d]*[a-zA-Z]|%[-#0+.\d]*[diouxXeEfFgGcrsa%]|\{[^{}]*\}|<[^<>]*>"
)


def parse_gettext_mo(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Return the translations of 40 or more characters, placeholders and tags removed.

    The label is the language, from the member's name; the group is the message's id, so
    that all translations of one message can be on one side of a split. Messages that
    several catalogues of a language share count once; only the first plural form counts.

    Raises:
        DatasetError: a member is not a compiled catalogue (GNU gettext manual, "The Format
            of GNU MO Files").
    """
    rows: dict[tuple[str, str], Row] = {}
    for name, data in members.items():
        label = label_of(name, reading)
        for message, translation in read_mo(name, data).items():
            text = plain_text(translation)
            # An equal text is one that nobody translated: its language is English.
            if len(text) >= MIN_CHARACTERS and translation != message:
                row = Row(label, text.encode(), message)
                rows.setdefault((label, message), row)
    return list(rows.values())


def plain_text(translation: str) -> str:
    """Return the text without placeholders and tags, each run of blanks as one blank."""
    return " ".join(PLACEHOLDER.sub(" ", translation).split())


def read_mo(name: str, data: bytes) -> dict[str, str]:
    """Return message id -> translation, first plural forms only, without the header.

    Raises:
        DatasetError: the bytes are not a compiled catalogue in UTF-8.
    """
    try:
        # Little-endian files only: a .mo file has the byte order of its writer.
        magic, version, n, ids, texts = struct.unpack_from("<5I", data)
        if magic != MAGIC or version >> 16:
            raise DatasetError(f"{name}: not a compiled gettext catalogue")
        pairs = [
            (_text(data, ids + 8 * i), _text(data, texts + 8 * i)) for i in range(n)
        ]
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise DatasetError(f"{name} is a damaged catalogue: {error}") from error
    return {message: text for message, text in pairs if message}


def _text(data: bytes, entry: int) -> str:
    length, start = struct.unpack_from("<2I", data, entry)
    if data[start + length] != 0:
        raise IndexError("a string does not end with a zero byte")
    return data[start : start + length].split(b"\0")[0].decode("utf-8")
