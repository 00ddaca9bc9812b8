"""A run folder that holds records of several runs reports one complete set, the newest."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest

BITPROBE = Path(sys.executable).parent / "bitprobe"
SUITE = """
name = "mine"
title = "A suite of one's own"
compressors = ["deflate", "zstd(level=9)"]
datasets = [{ name = "digits", train = 100, test = 40 }]
tasks = ["rates", { name = "class_scratch", equal_bytes = true }]
"""
PLUGIN = """
from dataclasses import dataclass
from harness import Codec, hookimpl


@dataclass(frozen=True, kw_only=True)
class Padded(Codec):
    name = "padded"
    family = "test"

    def pack(self, data: bytes) -> bytes:
        return data + bytes(N_PADDING)

    def unpack(self, code: bytes, length: int) -> bytes:
        return code[:length]


@hookimpl
def compressors():
    return [Padded]
"""


def bitprobe(folder: Path, *args: str) -> str:
    ran = subprocess.run(
        [BITPROBE, *args], capture_output=True, text=True, check=False, cwd=folder
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def scores(folder: Path, run: str) -> dict[tuple[str, str], list[float]]:
    """Values in the CSV of a run folder by compressor and score; a list for each cell."""
    found: dict[tuple[str, str], list[float]] = {}
    text = bitprobe(folder, "report", run, "--format", "csv")
    for row in csv.DictReader(io.StringIO(text)):
        if row["value"]:
            cell = (row["compressor"], row["score"])
            found.setdefault(cell, []).append(float(row["value"]))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.toml").write_text(SUITE)
    return tmp_path


def test_a_limited_run_before_the_whole_one_does_not_enter_its_report(folder: Path):
    bitprobe(folder, "run", "mine.toml", "--output", "alone")
    bitprobe(folder, "run", "mine.toml", "--output", "both", "--limit", "20")
    bitprobe(folder, "run", "mine.toml", "--output", "both")
    assert scores(folder, "both") == scores(folder, "alone")
    said = bitprobe(folder, "report", "both")
    assert "records are of other caps or another seed (--limit, --seed)" in said
    paired = [
        bitprobe(folder, "compare", *PAIR, "--run", run) for run in ("both", "alone")
    ]
    assert paired[0] == paired[1]


PAIR = ("deflate", "zstd(level=9)", "--dataset", "digits")


def test_an_edited_plugin_replaces_its_own_records_and_no_others(folder: Path):
    plugin = folder / "plugins" / "padded.py"
    plugin.parent.mkdir()
    asked = ("--plugins-dir", "plugins", "--only", "padded", "--only", "deflate")
    bits = {}
    for n_padding in (100, 7):
        plugin.write_text(PLUGIN.replace("N_PADDING", str(n_padding)))
        bitprobe(folder, "run", "mine.toml", "--output", "out", *asked)
        bits[n_padding] = scores(folder, "out")["padded", "cold_bpb"]
    # 64 bytes an image, each code padded.
    assert bits == {100: [8 * 164 / 64], 7: [8 * 71 / 64]}
    assert len(scores(folder, "out")["deflate", "cold_bpb"]) == 1
    assert "of another version of their plugin" in bitprobe(folder, "report", "out")


def test_a_run_folder_is_read_without_its_suite_file_from_another_folder(folder: Path):
    bitprobe(folder, "run", "mine.toml", "--output", "out")
    (folder / "mine.toml").unlink()
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    for output_format in ("table", "markdown", "csv", "json", "html", "latex"):
        text = bitprobe(elsewhere, "report", "../out", "--format", output_format)
        assert "deflate" in text
    bitprobe(elsewhere, "figures", "../out", "--output", "drawn")
    assert (elsewhere / "drawn" / "accuracy-digits.svg").is_file()
