import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness.data.archive import read_members
from harness.errors import DatasetError

FILES = {"d/a.txt": b"alpha " * 900, "d/b.bin": b"beta", "d/c.txt": b""}


def tar(path: Path, files: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def container(folder: Path, kind: str, files: dict[str, bytes]) -> Path:
    path = folder / f"x.{kind}"
    if kind == "zip":
        return zipped(path, files)
    return tar(path, files, "w:" + {"tar": ""}.get(kind, kind[4:]))


KINDS = ["tar", "tar.gz", "tar.xz", "tar.bz2", "zip"]


@pytest.mark.parametrize("kind", KINDS)
def test_members_come_by_pattern(tmp_path: Path, kind: str):
    path = container(tmp_path, kind, FILES)
    assert read_members(path, path.name, ["d/*.txt"]) == {
        name: data for name, data in FILES.items() if name.endswith(".txt")
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["../x", "/etc/x", "d/../../x", "d\\..\\x"])
def test_a_member_that_leaves_its_folder_is_refused(
    tmp_path: Path, kind: str, name: str
):
    path = container(tmp_path, kind, {"d/a": b"", name: b""})
    with pytest.raises(DatasetError, match="leaves its folder"):
        read_members(path, path.name, ["*"])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_cut_short_is_refused(tmp_path: Path, kind: str):
    path = container(
        tmp_path, kind, {"d/a": bytes(range(256)) * 40, "d/b": b"b" * 9000}
    )
    whole = path.read_bytes()
    late = 0.6 if kind == "tar" else 0.99  # a tar ends with padding that may go
    for share in (0.02, 0.3, late):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(DatasetError, match="damaged or cut short") as caught:
            read_members(path, path.name, ["*"])
        assert "\n" not in str(caught.value)


PACKERS = {"gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_file_loses_its_suffix(tmp_path: Path, kind: str):
    path = tmp_path / "cached-under-another-name"
    path.write_bytes(PACKERS[kind](b"text"))
    assert read_members(path, f"at/far/f.idx.{kind}", ["f.*"]) == {"f.idx": b"text"}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("damage", ["cut", "flip", "other"])
def test_a_damaged_packed_file_is_refused(tmp_path: Path, kind: str, damage: str):
    data = bytearray(PACKERS[kind](bytes(range(256)) * 4))
    if damage == "flip":
        data[len(data) // 2] ^= 0x55
    path = tmp_path / f"f.{kind}"
    path.write_bytes({"cut": data[:-6], "flip": data, "other": b"text"}[damage])
    with pytest.raises(DatasetError, match="damaged or cut short"):
        read_members(path, path.name, ["*"])


def test_a_packed_member_of_an_archive_is_unpacked(tmp_path: Path):
    path = zipped(tmp_path / "x.whl", {"p/t.csv.gz": gzip.compress(b"1,2")})
    assert read_members(path, "p.whl", ["p/t.csv"]) == {"p/t.csv": b"1,2"}


def test_a_flipped_bit_inside_a_zip_is_found(tmp_path: Path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"A" * 1000)
    path.write_bytes(path.read_bytes().replace(b"A" * 500, b"A" * 499 + b"B", 1))
    with pytest.raises(DatasetError, match="CRC"):
        read_members(path, path.name, ["*"])
