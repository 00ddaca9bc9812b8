"""Records, arrays and artifacts in an output folder; every write is atomic."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import StoreError

RECORD_FORMAT = 2


@dataclass(frozen=True)
class Store:
    """An output folder: records/KEY.json, arrays/KEY.npz, artifacts/KEY/.

    training/KEY.npz is where a network in training goes on from, gone when it is trained.
    """

    folder: Path

    def open(self) -> None:
        """Make the folders.

        Raises:
            StoreError: the folder is a file, or cannot be written.
        """
        try:
            for name in ("records", "arrays", "artifacts", "scratch"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder / "scratch"):
                pass
        except (NotADirectoryError, FileExistsError) as error:
            raise StoreError(
                f"{self.folder} is a file; give a folder with --output"
            ) from error
        except OSError as error:
            raise StoreError(
                f"cannot write to {self.folder}: {error.strerror}; give another --output"
            ) from error

    def record_path(self, key: str) -> Path:
        """Return where the record of a key stands."""
        return self.folder / "records" / f"{key}.json"

    def artifact(self, key: str) -> Path:
        """Return the folder of a fitted artifact."""
        return self.folder / "artifacts" / key

    def read(self, key: str) -> dict[str, Any] | None:
        """Return a record, or None where there is none of this version."""
        path = self.record_path(key)
        if not path.exists():
            return None
        record = dict(json.loads(path.read_text()))
        return record if record.get("format") == RECORD_FORMAT else None

    def read_all(self) -> list[dict[str, Any]]:
        """Return all records, sorted by key.

        Raises:
            StoreError: there are none here, or another version wrote one.
        """
        paths = sorted((self.folder / "records").glob("*.json"))
        if not paths:
            raise StoreError(f"no records in {self.folder}; run a suite into it first")
        records = [json.loads(path.read_text()) for path in paths]
        if any(record.get("format") != RECORD_FORMAT for record in records):
            raise StoreError(
                f"{self.folder} holds records of another version of bitprobe; "
                "run its suite again"
            )
        return records

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        """Write a record: temporary file, fsync, rename."""
        whole = {**record, "format": RECORD_FORMAT}
        text = json.dumps(whole, sort_keys=True, indent=1)
        target = self.record_path(key)
        temporary = self.folder / "scratch" / f"{key}.{os.getpid()}.json"
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
