import hashlib
from pathlib import Path

import pytest

from harness.data import fetch
from harness.errors import DatasetError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BITPROBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BITPROBE_DATA_MIRROR", raising=False)
    return tmp_path / "cache"


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "f.txt").write_bytes(b"abc")
    monkeypatch.setenv("BITPROBE_DATA_MIRROR", str(tmp_path / "mirror"))


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
def test_a_file_is_served_from_the_mirror(algorithm: str) -> None:
    checksum = f"{algorithm}:{hashlib.new(algorithm, b'abc').hexdigest()}"
    path = fetch.fetch_file("https://no.invalid/f", checksum, "f.txt")
    assert path.read_bytes() == b"abc"


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("checksum", ["sha256:" + "0" * 64, "md5:" + "0" * 32])
def test_a_damaged_file_of_the_mirror_is_refused(checksum: str) -> None:
    with pytest.raises(DatasetError, match="the card says 000"):
        fetch.fetch_file("https://no.invalid/f", checksum, "f.txt")


@pytest.mark.parametrize("path", ["../f.txt", "/etc/passwd", "a/../../f", "a\\b", ""])
@pytest.mark.usefixtures("mirror")
def test_a_path_out_of_the_mirror_is_refused(path: str) -> None:
    with pytest.raises(DatasetError, match="leaves its folder"):
        fetch.mirrored(path)


def test_a_failed_download_is_a_one_line_error(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("first\nno route")

    monkeypatch.setattr("pooch.retrieve", fail)
    with pytest.raises(DatasetError, match="no route; check the network") as caught:
        fetch.fetch_file("https://no.invalid/f", "sha256:" + "0" * 64)
    assert "\n" not in str(caught.value)
    assert not files_of(cache)


def test_a_download_with_another_checksum_leaves_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Copy:
        def __call__(self, _url: str, target: str, *_: object, **__: object) -> None:
            Path(target).write_bytes(b"not what was wanted")

    monkeypatch.setattr("pooch.core.choose_downloader", lambda *_, **__: Copy())
    with pytest.raises(DatasetError, match="cannot fetch"):
        fetch.fetch_file("https://no.invalid/f", "md5:" + "0" * 32)
    assert not files_of(cache)
    assert not files_of(tmp_path)
