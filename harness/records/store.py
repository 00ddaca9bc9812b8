"""Records, measurements, arrays and artifacts in an output folder; every write is atomic."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.atomic import remove_leftovers, write_atomic
from harness.errors import StoreError
from harness.records.record import RECORD_FORMAT, Record, read_record, record_from_json

PUBLISHED = "records.jsonl.gz"
"""File of all records, one JSON text a line, in a published folder."""
PUBLISHED_ARRAYS = "arrays.zip"
"""Archive of the per-sample arrays of a published folder, KEY.npz for each record."""


@dataclass(frozen=True)
class Store:
    """An output folder.

    records/KEY.json: outcomes of jobs; or all of them in records.jsonl.gz, as published.
    arrays/KEY.npz: per-sample results beside a record: credit, labels, bits.
    measured/KEY/: measurements of a compressor's process, for `bitprobe judge`.
    artifacts/KEY/: artifact of a fit.
    training/KEY.npz: checkpoint of a network in training, deleted afterwards.
    """

    folder: Path

    def open(self) -> None:
        """Make the folders.

        Raises:
            StoreError: the folder is a file, or cannot be written.
        """
        names = ("records", "arrays", "measured", "artifacts", "scratch")
        try:
            for name in names:
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            # Permission bits do not tell of a full or read-only disk; a file does.
            with tempfile.TemporaryFile(dir=self.folder / "scratch"):
                pass
            # Temporary files of a run that was killed between write and rename.
            remove_leftovers(self.folder / "records")
            remove_leftovers(self.folder)
        except (NotADirectoryError, FileExistsError) as error:
            raise StoreError(
                f"{self.folder} is a file; give a folder with --output"
            ) from error
        except OSError as error:
            raise StoreError(
                f"cannot write to {self.folder}: {error.strerror}; give another --output"
            ) from error

    def record_path(self, key: str) -> Path:
        """Return the path of the record of a key."""
        return self.folder / "records" / f"{key}.json"

    def artifact(self, key: str) -> Path:
        """Return the folder of a fitted artifact."""
        return self.folder / "artifacts" / key

    def measured(self, key: str) -> Path:
        """Return the folder of the measurements of a job."""
        return self.folder / "measured" / key

    def arrays_path(self, key: str) -> Path:
        """Return the path of the per-sample arrays of a record."""
        return self.folder / "arrays" / f"{key}.npz"

    def read(self, key: str) -> Record | None:
        """Return a record, or None where there is none of this version."""
        try:
            values = json.loads(self.record_path(key).read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StoreError(
                f"{self.record_path(key)} is damaged: {error}; delete it and run again"
            ) from error
        # A record of another version counts as absent, so that its job runs again.
        if not isinstance(values, dict) or values.get("format") != RECORD_FORMAT:
            return None
        return record_from_json(values, str(self.record_path(key)))

    def read_all(self) -> list[Record]:
        """Return all records, sorted by key; the published ones if there are no single files.

        Raises:
            StoreError: there are none here, one is damaged, or of another version.
        """
        # Sorted, since the order of a folder's listing differs between file systems.
        paths = sorted((self.folder / "records").glob("*.json"))
        records = [read_record(path.read_bytes(), str(path)) for path in paths]
        if not paths:
            records = sorted(self._published(), key=lambda record: record.key)
        if not records:
            raise StoreError(f"no records in {self.folder}; run a suite into it first")
        return records

    def _published(self) -> Iterator[Record]:
        path = self.folder / PUBLISHED
        if not path.is_file():
            return
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    yield read_record(line, f"{path}, line {number},")
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise StoreError(f"{path} is damaged: {error}; get it again") from error

    def read_arrays(self, key: str) -> dict[str, NDArray[Any]]:
        """Return the per-sample arrays beside a record; empty where there are none.

        Raises:
            StoreError: they are damaged.
        """
        path, published = self.arrays_path(key), self.folder / PUBLISHED_ARRAYS
        try:
            if path.is_file():
                return _read_npz(path.read_bytes())
            if published.is_file():
                with zipfile.ZipFile(published) as archive:
                    return _read_npz(archive.read(path.name))
        except KeyError:  # the archive has no arrays of this record
            return {}
        except (
            OSError,
            EOFError,
            ValueError,
            zipfile.BadZipFile,
            lzma.LZMAError,
        ) as error:
            raise StoreError(
                f"the arrays of {key[:12]} in {self.folder} are damaged: {error}; "
                "get them again"
            ) from error
        return {}

    def write(self, record: Record) -> None:
        """Write a record under its key: temporary file, fsync, rename."""
        # Sorted and indented, so that a diff of two folders is a diff of results.
        text = json.dumps(record.to_json(), sort_keys=True, indent=1)
        write_atomic(self.record_path(record.key), text.encode())


def _read_npz(data: bytes) -> dict[str, NDArray[Any]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)
