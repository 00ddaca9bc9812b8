import subprocess
import sys
from pathlib import Path

import pytest

from harness.atomic import atomic_file, atomic_folder, write_atomic

KILLED_WRITER = """
import os, signal, sys
from pathlib import Path
from harness.atomic import atomic_file
with atomic_file(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_replaces_the_one_before_it(tmp_path: Path):
    path = tmp_path / "file"
    for data in (b"first", b"second", b""):
        write_atomic(path, data)
        assert path.read_bytes() == data
    assert names_in(tmp_path) == ["file"]


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path):
    path = tmp_path / "file"
    path.write_bytes(b"before")

    def fail() -> None:
        with atomic_file(path) as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"before"
    assert names_in(tmp_path) == ["file"]


def test_a_killed_writer_leaves_no_file(tmp_path: Path):
    path = tmp_path / "file"
    command = [sys.executable, "-c", KILLED_WRITER, str(path)]
    assert subprocess.run(command, check=False).returncode < 0
    assert not path.exists()


def test_a_stream_can_be_read_before_the_file_appears(tmp_path: Path):
    path = tmp_path / "file"
    with atomic_file(path) as stream:
        stream.write(b"text")
        stream.seek(0)
        assert stream.read() == b"text"
        assert not path.exists()
    assert path.read_bytes() == b"text"


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "folder"

    def fill(*, fails: bool) -> None:
        with atomic_folder(path) as part:
            (part / "a").write_bytes(b"a")
            assert not path.exists()
            if fails:
                raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        fill(fails=True)
    assert names_in(tmp_path) == []
    fill(fails=False)
    assert names_in(path) == ["a"]


def test_a_folder_that_is_there_is_not_overwritten(tmp_path: Path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "mine").touch()

    def fill() -> None:
        with atomic_folder(path) as part:
            (part / "other").touch()

    with pytest.raises(OSError, match="not empty"):
        fill()
    assert names_in(path) == ["mine"]
    assert names_in(tmp_path) == ["folder"]
