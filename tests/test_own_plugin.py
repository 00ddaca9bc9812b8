"""The README's own plugin, in a folder of the user's, by real commands and relative paths."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BITPROBE = Path(sys.executable).parent / "bitprobe"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder but for the README's plugin in my_plugins."""
    (block,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    (tmp_path / "my_plugins").mkdir()
    (tmp_path / "my_plugins" / "my_bz2.py").write_text(block)
    return tmp_path


def bitprobe(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    # The cache too is a relative path, of another process than the one that fills it.
    environment = {**os.environ, "BITPROBE_CACHE": "cache"}
    return subprocess.run(
        [BITPROBE, *args],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_decodes_with_a_plugin_given_by_a_relative_path(folder: Path):
    options = ("--plugins-dir", "my_plugins", "--only", "my_bz2", "--output", "out")
    done = bitprobe(folder, "run", "smoke", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 failed" in done.stdout


COUNTS = """
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness import Compressor, hookimpl


@dataclass(frozen=True, kw_only=True)
class Counts(Compressor):
    name = "counts"
    family = "order-0"
    determinism = "likelihood"
    needs = frozenset({"fit"})

    def fit(self, corpus: Sequence[bytes], *, seed: int):
        seen = np.frombuffer(b"".join(corpus), np.uint8)
        return replace(self, learned={"counts": np.bincount(seen, minlength=256)})

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b""):
        counts = self.learned["counts"] + 1
        bits = -np.log2(counts / counts.sum())
        return np.array([bits[list(sample)].sum() for sample in samples])


@hookimpl
def compressors():
    return [Counts]
"""


def test_a_plugin_that_writes_no_bytes_has_a_likelihood_and_no_rank(tmp_path: Path):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "counts.py").write_text(COUNTS)
    options = ("--plugins-dir", "plugins", "--output", "out", "--also", "counts")
    done = bitprobe(tmp_path, "run", "smoke", *options, "--only", "counts")
    assert done.returncode == 0, done.stdout + done.stderr
    done = bitprobe(tmp_path, "report", "out", "--format", "markdown")
    header, line = (
        next(row for row in done.stdout.splitlines() if word in row).split(" | ")
        for word in ("| compressor |", "| counts |")
    )
    cells = dict(zip(header, line, strict=True))
    assert float(cells["likelihood bpb"].split()[0]) > 1
    assert cells["| rank"] == "| -"
    assert "not ranked: gives likelihoods only" in line[-1]


def test_a_plugin_given_by_a_relative_path_passes_its_checks(folder: Path):
    for target in (
        ("my_plugins/my_bz2.py",),
        ("my_bz2", "--plugins-dir", "my_plugins"),
    ):
        done = bitprobe(folder, "check", *target)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_file_comes_back_by_a_plugin_given_by_a_relative_path(folder: Path):
    (folder / "text").write_bytes(b"the cat sat on the mat. " * 100)
    options = ("--with", "my_bz2", "--plugins-dir", "my_plugins")
    assert bitprobe(folder, "compress", "text", "code", *options).returncode == 0
    assert bitprobe(folder, "decompress", "code", "back", *options).returncode == 0
    assert (folder / "back").read_bytes() == (folder / "text").read_bytes()
    assert (folder / "code").stat().st_size < (folder / "text").stat().st_size


def test_relative_folders_of_data_are_absolute_in_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from harness.data.fetch import cache_folder, mirrored

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BITPROBE_CACHE", "cache")
    monkeypatch.setenv("BITPROBE_DATA_MIRROR", ".")
    (tmp_path / "set").write_bytes(b"x")
    assert cache_folder() == tmp_path / "cache"
    assert mirrored("set") == tmp_path / "set"
