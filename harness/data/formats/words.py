"""Lists of words with their counts, in JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

from harness.data.formats.rows import Row, Rows, label_of
from harness.data.reading import Reading
from harness.errors import DatasetError


def parse_word_counts(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Parse objects of word and count: each word of letters alone is a sample.

    Raises:
        DatasetError: a file is not such an object.
    """
    rows: Rows = []
    for name, data in members.items():
        try:
            counts = json.loads(data)
        except ValueError as error:
            raise DatasetError(f"{name} is not JSON: {error}") from error
        if not isinstance(counts, dict):
            raise DatasetError(f"{name}: expected an object of words and counts")
        label = label_of(name, reading)
        # Numbers, hyphens and apostrophes belong to tokens of no language.
        rows += [Row(label, word.encode()) for word in counts if word.isalpha()]
    return rows
