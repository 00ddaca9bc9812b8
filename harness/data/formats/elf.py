"""Machine code of programs: the section .text of ELF files (System V ABI, "Object files")."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from harness.data.formats.rows import Row, Rows, label_of
from harness.data.reading import Reading
from harness.errors import DatasetError


class _Section(NamedTuple):
    name: int
    offset: int
    size: int


def parse_elf_text(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Return the machine code of each program; its group is the name of the member.

    Raises:
        DatasetError: a file is not ELF, or has no section .text.
    """
    return [
        Row(label_of(name, reading), text_section(name, data), name)
        for name, data in members.items()
    ]


def text_section(name: str, data: bytes) -> bytes:
    """Return the bytes of the section .text, of either word size and byte order.

    Raises:
        DatasetError: the file is not ELF, or has no such section.
    """
    try:
        sections, names = _sections(name, data)
        for section in sections:
            if data[names.offset + section.name :].startswith(b".text\0"):
                return data[section.offset : section.offset + section.size]
    except (struct.error, IndexError) as error:
        raise DatasetError(f"{name} is a damaged ELF file: {error}") from error
    raise DatasetError(f"{name}: an ELF file without a section .text")


def _sections(name: str, data: bytes) -> tuple[list[_Section], _Section]:
    """Return all sections, and the one that holds their names."""
    if data[:4] != b"\x7fELF" or data[4] not in (1, 2) or data[5] not in (1, 2):
        raise DatasetError(f"{name}: not an ELF file: {data[:6]!r}")
    is_long = data[4] == 2
    order = "<" if data[5] == 1 else ">"
    # Header: offset of the table; size of an entry, number of entries, index of the names.
    (table,) = struct.unpack_from(
        order + ("Q" if is_long else "I"), data, 40 if is_long else 32
    )
    size, n, i_names = struct.unpack_from(order + "3H", data, 58 if is_long else 46)
    # Entry: name, type, flags, address, offset, size.
    entry = order + ("2I4Q" if is_long else "6I")
    sections = []
    for i in range(n):
        label, _type, _flags, _address, offset, length = struct.unpack_from(
            entry, data, table + i * size
        )
        sections.append(_Section(label, offset, length))
    return sections, sections[i_names]
