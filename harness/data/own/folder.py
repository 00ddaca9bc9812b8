"""Folders of class folders: images or other files of a user's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.data.own.image import SUFFIXES, one_shape, pixels_of
from harness.data.own.raw import SPLITS, Raw
from harness.data.own.source import FolderSource
from harness.errors import DatasetError


def folder_raw(folder: Path, source: FolderSource, where: str) -> Raw:
    """Return labels, samples and splits of the files below a folder.

    Raises:
        DatasetError: the folder has another layout, or images that cannot be read.
    """
    files = files_of(folder)
    data = [(folder / path).read_bytes() for path in files]
    shape = None
    if source.content == "images":
        names = list(map(str, files))
        images = [pixels_of(*pair) for pair in zip(data, names, strict=True)]
        images = one_shape(images, names)
        data, shape = [image.tobytes() for image in images], images[0].shape
    depth = 1 if source.has_splits else 0
    return Raw(
        where=where,
        labels=[path.parts[depth] for path in files],
        samples=data,
        splits=[path.parts[0] for path in files] if source.has_splits else None,
        shape=shape,
    )


def files_of(folder: Path) -> list[Path]:
    """Return the paths of all files from a folder, sorted; hidden ones are left out.

    Raises:
        DatasetError: there are none, or one stands in no class folder.
    """
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    files = sorted(
        path for path in paths if not any(part.startswith(".") for part in path.parts)
    )
    if not files:
        raise DatasetError(f"{folder} has no files")
    for path in files:
        if len(path.parts) == 1:
            raise DatasetError(
                f"{folder}: {path} stands in no class folder; expected CLASS/FILE"
            )
    return files


def folder_source(folder: Path, *, seed: int) -> FolderSource:
    """Return the source that the layout and the endings of files suggest.

    Raises:
        DatasetError: there are no files in class folders, or images among other files.
    """
    files = files_of(folder)
    others = [path for path in files if path.suffix.lower() not in SUFFIXES]
    if 0 < len(others) < len(files):
        raise DatasetError(f"{folder} has images and other files, such as {others[0]}")
    has_splits = all(
        len(path.parts) > 2 and path.parts[0].lower() in SPLITS for path in files
    )
    return FolderSource(
        type="folder",
        path=str(folder),
        seed=seed,
        has_splits=has_splits,
        content="files" if others else "images",
    )


def sha256_of_folder(folder: Path) -> str:
    """Return the sha256 of the names and contents of all files below a folder."""
    digest = hashlib.sha256()
    for path in files_of(folder):
        content = hashlib.sha256((folder / path).read_bytes()).hexdigest()
        digest.update(f"{content} {path.as_posix()}\n".encode())
    return digest.hexdigest()
