"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file beside its place, flush it to the disk, and rename it into place.

    Raises:
        OSError: the folder cannot be written; no part of the file is left.
    """
    with atomic_file(path) as stream:
        stream.write(data)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a stream to write and read; it becomes the file `path` if no error is raised.

    Raises:
        OSError: the folder cannot be written; no part of the file is left.
    """
    part = _part_of(path)
    try:
        with part.open("w+b") as stream:
            yield stream
            stream.flush()
            # Without this, a crash after the rename can leave an empty file at `path`.
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove parts of files whose writer was killed; those of living writers stay."""
    for part in folder.glob(".*.part"):
        pid = part.name.split(".")[-2]
        if not Path("/proc", pid).exists():
            part.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder to fill; it becomes the folder `path` if no error is raised.

    Raises:
        OSError: the parent cannot be written, or `path` exists and is not empty.
    """
    part = _part_of(path)
    part.mkdir()
    try:
        yield part
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _part_of(path: Path) -> Path:
    # In the same folder, since a rename is atomic within one file system only; with the
    # process id, since two processes may write the same file.
    return path.with_name(f".{path.name}.{os.getpid()}.part")
