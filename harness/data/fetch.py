"""Fetching of files from mirrors and addresses, each verified by its checksum."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath

from harness.errors import DatasetError


def cache_folder() -> Path:
    """Return the folder of fetched and parsed data, as an absolute path."""
    # Absolute, since a decoding process works in another folder.
    if folder := os.environ.get("BITPROBE_CACHE"):
        return Path(folder).resolve()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base).resolve() / "bitprobe"


def fetch_file(url: str, checksum: str | None, mirror_path: str | None = None) -> Path:
    """Return a file of BITPROBE_DATA_MIRROR, or fetch it from its address.

    Args:
        url: the official address.
        checksum: "sha256:..." or "md5:..."; None where none is published, and the content
            parsed from the file must be verified.
        mirror_path: path of the same file below the mirror.

    Raises:
        DatasetError: the file cannot be fetched, or its checksum is wrong.
    """
    # The mirror first: it works without a network.
    if mirror_path and (path := mirrored(mirror_path)):
        if checksum:
            verify(path, checksum, str(path))
        return path
    import pooch

    # Errors reach the user as one line; progress has a bar of its own.
    pooch.get_logger().setLevel("ERROR")
    # Named by checksum, so that two cards that share a file fetch it once.
    name = (checksum or hashlib.sha256(url.encode()).hexdigest()).replace(":", "-")
    try:
        path = pooch.retrieve(url, checksum, fname=name, path=cache_folder() / "files")
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"cannot fetch {url}: {_reason(error)}; "
            "check the network, or set BITPROBE_DATA_MIRROR to a folder that has it"
        ) from error
    return Path(path)


def mirrored(mirror_path: str) -> Path | None:
    """Return the path of a file below BITPROBE_DATA_MIRROR; None if it is not there.

    Raises:
        DatasetError: the path leaves the mirror.
    """
    # Cards come from others: a path must not reach outside the mirror.
    pure = PurePosixPath(mirror_path)
    outside = pure.is_absolute() or ".." in pure.parts or not pure.parts
    if outside or "\\" in mirror_path:
        raise DatasetError(
            f"{mirror_path!r} leaves its folder; give a path without '..'"
        )
    mirror = os.environ.get("BITPROBE_DATA_MIRROR")
    if not mirror or not (path := Path(mirror).resolve() / pure).is_file():
        return None
    return path


def verify(path: Path, checksum: str, what: str) -> None:
    """Raise DatasetError unless a file has the checksum "sha256:..." or "md5:..."."""
    algorithm, _, digest = checksum.partition(":")
    with path.open("rb") as file:
        actual = hashlib.file_digest(file, algorithm).hexdigest()
    if actual != digest:
        raise DatasetError(
            f"{what}: {algorithm} is {actual}, the card says {digest}; fetch it again"
        )


def _reason(error: Exception) -> str:
    """Return the innermost cause in the message of a failed download."""
    line = _last_line(str(error))
    return line.rpartition("Caused by ")[2].rstrip(")")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
