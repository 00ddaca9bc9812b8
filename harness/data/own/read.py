"""Reading of own data, as the source in a card states it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.data.formats.rows import Rows
from harness.data.own.arrays import array_raw, read_arrays
from harness.data.own.folder import folder_raw, sha256_of_folder
from harness.data.own.names import HUB
from harness.data.own.raw import Raw
from harness.data.own.source import ArraysSource, FolderSource, OwnSource
from harness.data.own.table import read_frame, table_raw
from harness.errors import DatasetError


def own_rows(source: OwnSource, n_test: int, name: str) -> tuple[Rows, Rows]:
    """Return the rows of train and of test.

    Raises:
        DatasetError: the file cannot be read, or is not what the source says.
        UnavailableError: a package that reads it is not installed.
    """
    rule = None if isinstance(source, FolderSource) else source.quantise
    return _raw_of(source, name).rows(rule, n_test=n_test, seed=source.seed)


def check_unchanged(source: OwnSource, name: str) -> None:
    """Raise DatasetError if a file is not the one that the card was written for."""
    if source.sha256 and sha256_of(source.path) != source.sha256:
        raise DatasetError(
            f"{name}: {source.path} is not the file of its card; "
            f"write the card anew with bitprobe new dataset {source.path}"
        )


def sha256_of(path: str) -> str:
    """Return the sha256 of a file, or of the names and files of a folder; "" of an address.

    Raises:
        DatasetError: it cannot be read.
    """
    if path.startswith(HUB):
        return ""
    try:
        if Path(path).is_dir():
            return sha256_of_folder(Path(path))
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror}") from error


def _raw_of(source: OwnSource, name: str) -> Raw:
    where = f"{name} ({source.path})"
    if isinstance(source, FolderSource):
        return folder_raw(Path(source.path), source, where)
    if isinstance(source, ArraysSource):
        return array_raw(read_arrays(Path(source.path)), source, where)
    frame = read_frame(source.path)
    return table_raw(frame, source, where, is_numeric=source.quantise is not None)
