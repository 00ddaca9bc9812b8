"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file beside its place, flush it to the disk, and rename it into place.

    Raises:
        OSError: the folder cannot be written; no part of the file is left.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove parts of files whose writer was killed; those of living writers stay."""
    for part in folder.glob(".*.part"):
        pid = part.name.split(".")[-2]
        if not Path("/proc", pid).exists():
            part.unlink(missing_ok=True)
