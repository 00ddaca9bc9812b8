"""Reading of a card's source: containers, members, rows, splits; content unchecked."""

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
    FilesSource,
    GeneratorSource,
    PackageSource,
    WheelsSource,
    dataset_of,
)
from harness.data.dataset import Dataset
from harness.data.fetch import fetch_file, mirrored, verify
from harness.data.formats import parse
from harness.data.formats.image import shrunk
from harness.data.formats.rows import Row, Rows
from harness.data.generators import generate
from harness.data.own.read import own_rows
from harness.data.own.source import MemorySource, OwnSource
from harness.data.package import PackageFile, PackageKind, fetch_package
from harness.data.reading import Reading, SplitRule
from harness.data.selection import selected
from harness.data.splitting import classes_of, split_of, split_rows
from harness.errors import DatasetError

MembersSource = PackageSource | WheelsSource | FilesSource


def read_source(card: Card) -> Dataset:
    """Return the data set read from a card's source; its content is not checked yet.

    Raises:
        DatasetError: the source cannot be fetched, verified or parsed.
    """
    source = card.source
    if isinstance(source, GeneratorSource):
        return _generated(card, source)
    if isinstance(source, MemorySource):
        raise DatasetError(
            f"{card.name} was in the memory of another program; give it again"
        )
    if isinstance(source, PackageSource | WheelsSource | FilesSource):
        train, test = _rows(card, source)
    elif isinstance(source, OwnSource):
        train, test = own_rows(source, card.n_test, card.name)
    else:
        rule = SplitRule(rule="seeded", seed=source.seed)
        train, test = split_rows(_digits(), rule, card.n_test, name=card.name)
    classes = classes_of(train + test)
    return dataset_of(
        card,
        split_of(train, classes),
        split_of(test, classes),
        classes=classes,
        names=tuple(row.group for row in test) if card.kind == "file" else (),
    )


def _rows(card: Card, source: MembersSource) -> tuple[Rows, Rows]:
    # All patterns in one pass, since an archive is read whole each time.
    members = _members(source, [*source.train, *source.test, *source.members])
    _check_members(members, source, card.name)
    for member in _matching(members, source.exclude):
        del members[member]
    if source.split:
        rows = _parsed(members, source, card)
        return split_rows(rows, source.split, card.n_test, name=card.name)
    train, test = (
        _parsed(_matching(members, patterns), source, card) if patterns else []
        for patterns in (source.train, source.test)
    )
    return train, test


def _parsed(members: dict[str, bytes], reading: Reading, card: Card) -> Rows:
    rows = selected(parse(members, reading, name=card.name), reading.select)
    return shrunk(rows, card.shape, reading.shrink) if reading.shrink else rows


def _members(source: MembersSource, patterns: list[str]) -> dict[str, bytes]:
    if isinstance(source, PackageSource):
        return _package_members(source, source.type, patterns)
    if isinstance(source, WheelsSource):
        return _wheels_members(source, patterns)
    members: dict[str, bytes] = {}
    for path, name in _containers(source):
        members |= read_members(path, name, patterns)
    return members


def _package_members(
    file: PackageFile, kind: PackageKind, patterns: list[str], folder: str = ""
) -> dict[str, bytes]:
    path = fetch_package(file, kind)
    return read_members(path, path.name, patterns, folder=folder)


def _wheels_members(source: WheelsSource, patterns: list[str]) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    for file in source.wheels:
        # Wheels of several platforms have members of the same names.
        folder = f"{file.package}/{file.platform or 'any'}/"
        members |= _package_members(file, "wheel", patterns, folder)
    return members


def _containers(source: FilesSource) -> list[tuple[Path, str]]:
    """Return the path and the name of each container.

    Repacked containers of the mirror are used only if all of them are there.
    """
    # Half repacked and half original could give a sample twice.
    packs = [(mirrored(pack.mirror), pack) for pack in source.repacked]
    present = [(path, pack) for path, pack in packs if path]
    if present and len(present) == len(packs):
        for path, pack in present:
            verify(path, f"sha256:{pack.sha256}", str(path))
        return [(path, pack.mirror) for path, pack in present]
    return [
        (fetch_file(file.url, file.checksum, file.mirror), file.name or file.url)
        for file in source.files
    ]


def _check_members(members: Mapping[str, bytes], reading: Reading, name: str) -> None:
    """Raise DatasetError unless members have the checksums that their authors publish."""
    # Authors publish file names, not paths inside a container.
    by_name = {PurePosixPath(member).name: data for member, data in members.items()}
    for member, checksum in reading.checksums.items():
        if member not in by_name:
            raise DatasetError(
                f"{name}: {member} is missing from the files fetched; correct the card"
            )
        if (got := hashlib.sha256(by_name[member]).hexdigest()) != checksum:
            raise DatasetError(
                f"{name}: sha256 of {member} is {got}, the card says {checksum}; "
                "fetch it again"
            )


def _matching(members: Mapping[str, bytes], patterns: list[str]) -> dict[str, bytes]:
    return {
        member: data
        for member, data in members.items()
        if any(fnmatchcase(member, pattern) for pattern in patterns)
    }


def _digits() -> Rows:
    from sklearn.datasets import load_digits  # slow to import, and few cards need it

    digits = load_digits()
    pairs = zip(digits.target, digits.data.astype(np.uint8), strict=True)
    return [Row(str(label), pixels.tobytes()) for label, pixels in pairs]


def _generated(card: Card, source: GeneratorSource) -> Dataset:
    shape = (card.n_train + card.n_test, source.length)
    symbols, bits = generate(source.process, source.parameters, shape, source.seed)
    # One draw for both splits, so that test continues train.
    rows = [Row("", symbols_of_row.tobytes()) for symbols_of_row in symbols]
    train, test = (
        split_of(part, ()) for part in (rows[: card.n_train], rows[card.n_train :])
    )
    dataset = dataset_of(card, train, test, classes=())
    return replace(dataset, true_bits=bits[card.n_train :])
