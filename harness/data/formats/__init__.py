"""File formats: parsers of members of containers into rows of (label, sample)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.data.card import Reading
from harness.data.formats.catalogue import parse_gettext_mo
from harness.data.formats.image import parse_cifar_binary, parse_idx, parse_mnist_csv
from harness.data.formats.rows import Rows
from harness.data.formats.series import parse_ts, parse_wav
from harness.data.formats.text import (
    parse_ag_news_csv,
    parse_label_text,
    parse_lines,
    parse_orange_tab,
    parse_peptide_csv,
    parse_splice,
    parse_trec,
    parse_whole,
)
from harness.errors import DatasetError

Parser = Callable[[Mapping[str, bytes], Reading], Rows]

PARSERS: dict[str, Parser] = {
    "ag_news_csv": parse_ag_news_csv,
    "cifar_binary": parse_cifar_binary,
    "gettext_mo": parse_gettext_mo,
    "idx": parse_idx,
    "label_text": parse_label_text,
    "lines": parse_lines,
    "mnist_csv": parse_mnist_csv,
    "orange_tab": parse_orange_tab,
    "peptide_csv": parse_peptide_csv,
    "splice": parse_splice,
    "trec": parse_trec,
    "ts": parse_ts,
    "wav": parse_wav,
    "whole": parse_whole,
}


def parse(members: Mapping[str, bytes], reading: Reading, *, name: str) -> Rows:
    """Return the rows of all members, in the order of the members' names.

    Raises:
        DatasetError: there is nothing to parse, or a member has another format.
    """
    # Sorted: the order of rows must not depend on the order inside an archive.
    ordered = {member: members[member] for member in sorted(members)}
    rows = PARSERS[reading.format](ordered, reading)
    if reading.labels:
        rows = [row for row in rows if row.label in reading.labels]
    if not rows:
        raise DatasetError(
            f"{name}: no rows in {len(ordered)} files; correct the patterns of the card"
        )
    return rows
