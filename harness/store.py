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


@dataclass(frozen=True)
class Store:
    """An output folder: records/KEY.json, arrays/KEY.npz, artifacts/KEY/."""

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
        """Return a record, or None where there is none."""
        path = self.record_path(key)
        return dict(json.loads(path.read_text())) if path.exists() else None

    def read_all(self) -> list[dict[str, Any]]:
        """Return all records, sorted by key.

        Raises:
            StoreError: there are none here.
        """
        paths = sorted((self.folder / "records").glob("*.json"))
        if not paths:
            raise StoreError(f"no records in {self.folder}; run a suite into it first")
        return [json.loads(path.read_text()) for path in paths]

    def write(self, key: str, record: Mapping[str, Any]) -> None:
        """Write a record: temporary file, fsync, rename."""
        text = json.dumps(record, sort_keys=True, indent=1)
        target = self.record_path(key)
        temporary = self.folder / "scratch" / f"{key}.{os.getpid()}.json"
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
