"""Registry of file formats: parsers of members of containers into rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harness.data.formats.abc import parse_abc
from harness.data.formats.catalogue import parse_gettext_mo
from harness.data.formats.elf import parse_elf_text
from harness.data.formats.figlet import parse_figlet
from harness.data.formats.fortune import parse_fortune
from harness.data.formats.image import parse_cifar_binary, parse_idx, parse_mnist_csv
from harness.data.formats.rows import Rows
from harness.data.formats.sdf import parse_sdf
from harness.data.formats.series import parse_ts, parse_wav
from harness.data.formats.table import parse_csv
from harness.data.formats.text import (
    parse_label_text,
    parse_lines,
    parse_orange_tab,
    parse_peptide_csv,
    parse_splice,
    parse_trec,
    parse_whole,
)
from harness.data.formats.words import parse_word_counts
from harness.data.reading import Reading
from harness.errors import DatasetError

Parser = Callable[[Mapping[str, bytes], Reading], Rows]

FORMATS: Mapping[str, Parser] = MappingProxyType(
    {
        "abc": parse_abc,
        "cifar_binary": parse_cifar_binary,
        "csv": parse_csv,
        "elf_text": parse_elf_text,
        "figlet": parse_figlet,
        "fortune": parse_fortune,
        "gettext_mo": parse_gettext_mo,
        "idx": parse_idx,
        "label_text": parse_label_text,
        "lines": parse_lines,
        "mnist_csv": parse_mnist_csv,
        "orange_tab": parse_orange_tab,
        "peptide_csv": parse_peptide_csv,
        "sdf": parse_sdf,
        "splice": parse_splice,
        "trec": parse_trec,
        "ts": parse_ts,
        "wav": parse_wav,
        "whole": parse_whole,
        "word_counts": parse_word_counts,
    }
)


def parse(members: Mapping[str, bytes], reading: Reading, *, name: str) -> Rows:
    """Return the rows of all members, in the order of the members' names.

    Raises:
        DatasetError: there is nothing to parse, or a member has another format.
    """
    # Sorted: the order of rows must not depend on the order inside an archive.
    ordered = {member: members[member] for member in sorted(members)}
    rows = FORMATS[reading.format](ordered, reading)
    if reading.labels:
        rows = [row for row in rows if row.label in reading.labels]
    if not rows:
        raise DatasetError(
            f"{name}: no rows in {len(ordered)} files; correct the patterns of the card"
        )
    return rows
