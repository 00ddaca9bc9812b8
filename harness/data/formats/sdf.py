"""Structure data files of chemistry (SDF): tagged values after each molecule."""

from __future__ import annotations

import re
from collections.abc import Mapping

from harness.data.formats.rows import Row, Rows
from harness.data.reading import Reading
from harness.errors import DatasetError

END = re.compile(r"^\$\$\$\$[ \t]*\n", re.MULTILINE)
TAG = re.compile(r"^>[^<\n]*<([^>\n]+)>.*\n(.*)\n", re.MULTILINE)


def parse_sdf(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Parse the values of tags; files of one source write their names in either case.

    Raises:
        DatasetError: the card names no tags, or a record lacks one.
    """
    if reading.columns is None or not reading.columns.sample:
        raise DatasetError(
            "the format sdf needs [source.columns] with label and sample"
        )
    label = str(reading.columns.label).lower()
    sample = [str(tag).lower() for tag in reading.columns.sample]
    rows: Rows = []
    for name, data in members.items():
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        *records, tail = END.split(text)
        if tail.strip() or not records:
            raise DatasetError(f"{name}: not an SDF file: no $$$$ at its end")
        for number, record in enumerate(records, 1):
            values = {tag.lower(): value for tag, value in TAG.findall(record)}
            if missing_tags := {label, *sample} - set(values):
                raise DatasetError(
                    f"{name}, record {number}: no tag {min(missing_tags)!r}; "
                    "correct the card"
                )
            joined = " ".join(values[tag] for tag in sample)
            rows.append(Row(values[label], joined.encode()))
    return rows
