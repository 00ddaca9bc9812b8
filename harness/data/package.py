"""Files of packages, fetched by pip and verified; nothing is installed or imported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.data.fetch import cache_folder, verify
from harness.data.reading import Sha256, Strict
from harness.errors import DatasetError

PIP_TIMEOUT_SECONDS = 600
PackageKind = Literal["wheel", "sdist"]
OTHER_SHA256 = re.compile(r"^\s*Got\s+([0-9a-f]{64})\b", re.MULTILINE)


class PackageFile(Strict):
    """File of one version of a package, by its hash.

    Attributes:
        platform: of a wheel for other machines too, as in its name
            (manylinux_2_17_aarch64); empty for any platform.
        python: version of Python that the wheel is for (3.11); empty for this one.
    """

    package: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    version: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+!]*$")
    sha256: Sha256
    platform: str = Field(default="", pattern=r"^[a-z0-9_]*$")
    python: str = Field(default="", pattern=r"^[0-9.]*$")

    @property
    def requirement(self) -> str:
        """Requirement of exactly this version, as pip reads it."""
        return f"{self.package}=={self.version}"


def fetch_package(file: PackageFile, kind: PackageKind) -> Path:
    """Return the path of a wheel or source archive in the cache.

    pip compares the hash before it looks into a file. Of a source archive, it then asks
    the build system that the archive names for its metadata, in an environment apart.

    Raises:
        DatasetError: the file cannot be fetched, or has another checksum.
    """
    suffix = ".whl" if kind == "wheel" else ".tar.gz"
    path = cache_folder() / f"{kind}s" / f"{file.sha256}{suffix}"
    if path.is_file():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Verified in a folder beside its place, so that the cache never has a wrong file.
        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            archive = _download(file, kind, Path(scratch))
            verify(
                archive, f"sha256:{file.sha256}", f"the {kind} of {file.requirement}"
            )
            archive.replace(path)
    except OSError as error:
        raise DatasetError(
            f"cannot write to {path.parent}: {error}; set BITPROBE_CACHE"
        ) from error
    return path


def _download(file: PackageFile, kind: PackageKind, scratch: Path) -> Path:
    folder = scratch / "files"
    requirements = scratch / "requirements.txt"
    # With its hash: pip refuses another file before any of its code could run.
    requirements.write_text(f"{file.requirement} --hash=sha256:{file.sha256}\n")
    command = [*_command(file, kind), "--dest", str(folder), "-r", str(requirements)]
    try:
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=PIP_TIMEOUT_SECONDS,
            # Notices of new versions would hide the reason of a failure.
            env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )
    except subprocess.TimeoutExpired as error:
        raise DatasetError(
            f"pip download {file.requirement} took over {PIP_TIMEOUT_SECONDS} s; "
            "check the network"
        ) from error
    archives = list(folder.glob("*")) if folder.is_dir() else []
    if result.returncode or len(archives) != 1:
        raise _failure(file, kind, result.stderr)
    return archives[0]


def _command(file: PackageFile, kind: PackageKind) -> list[str]:
    command = [sys.executable, "-m", "pip", "download", "--no-deps"]
    if kind == "sdist":
        return [*command, "--no-binary=:all:"]
    # Never a source archive in place of a wheel: pip would run its build system.
    command.append("--only-binary=:all:")
    if file.platform:
        command += ["--platform", file.platform]
    if file.python:
        command += ["--implementation", "cp", "--python-version", file.python]
    return command


def _failure(file: PackageFile, kind: PackageKind, message: str) -> DatasetError:
    if match := OTHER_SHA256.search(message):
        return DatasetError(
            f"the {kind} of {file.requirement}: sha256 is {match[1]}, "
            f"the card says {file.sha256}; check pip's index, then run again"
        )
    # pip's last line of error, since warnings of other places may follow it.
    lines = message.strip().splitlines() or ["no message"]
    errors = [line for line in lines if line.startswith("ERROR")]
    return DatasetError(
        f"pip cannot download {file.requirement}: {(errors or lines)[-1]}; "
        "check the network and pip's index, then run again"
    )
