"""Members of containers, read whole into memory; nothing is unpacked to a disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

from harness.errors import DatasetError

DAMAGED = (
    EOFError,
    OSError,  # of gzip and bz2, for wrong bytes
    ValueError,  # of bz2, for a truncated stream
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    NotImplementedError,  # a zip method that Python does not have
    RuntimeError,  # a zip with a password
    zlib.error,
)


def _unzip_one(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        if len(infos) != 1:
            raise zipfile.BadZipFile(f"a zip inside has {len(infos)} files, not one")
        return archive.read(infos[0])


UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
    ".zip": _unzip_one,
}
TAR_SUFFIXES = {".tar.gz": ".gz", ".tgz": ".gz", ".tar.xz": ".xz", ".tar.bz2": ".bz2"}


def read_members(
    path: Path, name: str, patterns: Sequence[str], *, folder: str = ""
) -> dict[str, bytes]:
    """Return the members of a container whose names match a pattern.

    A tar or zip archive has many; any other file is its only member. Members that are
    packed (.gz, .xz, .bz2, a .zip of one file) are unpacked and lose that suffix before
    matching.

    Args:
        path: of the container.
        name: of the container at its source; its suffix gives the kind.
        patterns: shell patterns over whole names; "*" also matches "/".
        folder: written before every name, as if the container lay in it.

    Raises:
        DatasetError: the container is damaged, or a name in it leaves its folder.
    """
    members: dict[str, bytes] = {}
    try:
        for member, read in _open(path, name):
            full_name = folder + _checked(member, name)
            suffix = PurePosixPath(full_name).suffix
            unpack = UNPACKERS.get(suffix)
            base = full_name.removesuffix(suffix) if unpack else full_name
            if any(fnmatchcase(base, pattern) for pattern in patterns):
                data = read()
                members[base] = unpack(data) if unpack else data
    except DAMAGED as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise DatasetError(
            f"{name} is damaged or cut short: {text}; delete {path} and fetch it again"
        ) from error
    return members


def _open(path: Path, name: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    if name.endswith((".zip", ".whl")):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield info.filename, partial(archive.read, info)
    elif name.endswith((".tar", *TAR_SUFFIXES)):
        # Unpacked as a whole first, since tarfile would not read the checksum at the end.
        suffix = next((TAR_SUFFIXES[s] for s in TAR_SUFFIXES if name.endswith(s)), "")
        data = path.read_bytes()
        unpacked = UNPACKERS[suffix](data) if suffix else data
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, partial(_from_tar, archive, member)
    else:
        yield PurePosixPath(name).name, path.read_bytes


def _from_tar(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    data = file.read() if file else b""
    # A truncated archive may give fewer bytes without an error.
    if len(data) != member.size:
        raise EOFError(f"{member.name} has {len(data)} of {member.size} bytes")
    return data


def _checked(member: str, container: str) -> str:
    pure = PurePosixPath(member)
    if pure.is_absolute() or ".." in pure.parts or "\\" in member:
        raise DatasetError(
            f"{container} holds {member!r}, a path that leaves its folder; "
            "do not trust this file"
        )
    return str(pure)
