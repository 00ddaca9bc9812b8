"""Stages of a job: measure, decode, judge; each status says which of them failed."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.records.record import Record
from harness.records.store import Store

BITPROBE = Path(sys.executable).parent / "bitprobe"

PLUGIN = """
import gc, os, sys, time
from dataclasses import dataclass
from harness import Codec, hookimpl
import needed_by_bad


@dataclass(frozen=True, kw_only=True)
class Bad(Codec):
    name = "bad"
    family = "test"
    route = "suffix"
    how: str = ""

    def pack(self, data):
        if self.how == "look":
            look_for_test_labels()
        return data

    def unpack(self, code, length):
        if self.how == "hang":
            time.sleep(1000)
        if self.how == "raise":
            raise KeyError("lost")
        if self.how == "exit":
            os._exit(3)
        if self.how == "eat":
            eaten = []
            while True:
                eaten.append(b"x" * (64 << 20))
                time.sleep(0.02)
        return code[:-1] + b"x" if self.how == "lie" else code


def look_for_test_labels():
    from harness.data.dataset import Dataset
    from harness.tasks.task import Evidence
    frame, objects = sys._getframe(), gc.get_objects()
    while frame:
        objects += list(frame.f_locals.values())
        frame = frame.f_back
    for thing in objects:
        if isinstance(thing, Evidence):
            raise RuntimeError("evidence is at hand")
        if isinstance(thing, Dataset) and len(thing.test.labels):
            raise RuntimeError("labels of the test split are at hand")


@hookimpl
def compressors():
    return [Bad]
"""
SUITE = """
name = "tiny"
title = "a few samples of digits"
compressors = ["store"]
datasets = [{ name = "digits", train = 60, test = 20 }]

[[tasks]]
name = "rates"

[[tasks]]
name = "class_scratch"

[[tasks]]
name = "joint"
n_bytes = 512
scales = [1.0]
n_classes = 1

[limits]
memory_bytes = 1_000_000_000
timeout_seconds = 8
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "bad.py").write_text(PLUGIN)
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "needed_by_bad.py").write_text("")
    (tmp_path / "tiny.toml").write_text(SUITE)
    return tmp_path


def run(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BITPROBE, *args],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(Path.home()),
            "PYTHONPATH": "library",
        },
    )


def run_bad(folder: Path, how: str, task: str = "rates") -> Record:
    spec = f"bad(how={how!r})"
    asked = ("--plugins-dir", "plugins", "--only", spec, "--tasks", task)
    run(folder, "run", "tiny.toml", "--output", "out", *asked)
    (record,) = [r for r in Store(folder / "out").read_all() if r.job.task == task]
    return record


@pytest.mark.parametrize(
    ("how", "status", "stage"),
    [
        ("lie", "mismatch", "judge"),
        ("hang", "timeout", "decode"),
        ("eat", "out_of_memory", "decode"),
        ("raise", "crashed", "decode"),
        ("exit", "crashed", "decode"),
        ("", "done", ""),
    ],
)
def test_a_decoder_that_fails_keeps_its_own_status_and_mismatch_is_other_bytes(
    folder: Path, how: str, status: str, stage: str
):
    record = run_bad(folder, how)
    assert (record.status, record.stage) == (status, stage), record.reason
    assert bool(record.scores) == (status == "done")
    assert record.reason.startswith("decoding: ") == (stage == "decode")
    if how == "lie":
        assert record.reason.endswith("decoded to other bytes")


def test_a_decoder_that_cannot_load_its_plugin_is_unavailable_not_a_mismatch(
    folder: Path,
):
    record = run_bad(folder, "")
    assert record.is_done, record.reason  # relative paths mean the same in every child
    library = folder / "library" / "needed_by_bad.py"
    library.write_text(
        "import sys\n"
        "frame = sys._getframe()\n"
        "while frame and frame.f_code.co_name != '_decode': frame = frame.f_back\n"
        "if frame: raise ImportError('only for measuring')\n"
    )
    shutil.rmtree(folder / "out")
    record = run_bad(folder, "")
    assert (record.status, record.stage) == ("unavailable", "decode")
    assert "only for measuring" in record.reason


@pytest.mark.parametrize("task", ["rates", "class_scratch", "joint"])
def test_no_label_of_the_test_split_is_in_the_process_of_a_plugin(
    folder: Path, task: str
):
    record = run_bad(folder, "look", task)
    assert record.status == "done", record.reason


def test_files_in_the_folder_of_the_user_are_not_imported(folder: Path):
    for name in ("random.py", "json.py", "numpy.py"):
        (folder / name).write_text("raise RuntimeError('imported from here')")
    (folder / "harness").mkdir()
    (folder / "harness" / "__init__.py").write_text("raise RuntimeError('mine')")
    ran = run(folder, "run", "tiny.toml", "--tasks", "rates", "--output", "out")
    assert ran.returncode == 0, ran.stderr
    assert all(record.is_done for record in Store(folder / "out").read_all())


@pytest.fixture
def measured(folder: Path) -> Path:
    """A run whose plugin is gone: judging must not need it."""
    asked = ("--plugins-dir", "plugins", "--only", "bad", "--only", "store")
    ran = run(folder, "run", "tiny.toml", "--output", "out", *asked)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    shutil.rmtree(folder / "plugins")
    shutil.rmtree(folder / "library")
    return folder


def test_judging_again_gives_the_same_scores_without_plugin_or_artifact(measured: Path):
    store = Store(measured / "out")
    before = {r.key: r for r in store.read_all()}
    shutil.rmtree(measured / "out" / "artifacts")
    for key, record in before.items():
        if not record.is_fit and record.is_done:
            path = store.record_path(key)
            path.write_text(json.dumps(record.to_json() | {"scores": []}))
    ran = run(measured, "judge", "out")
    assert ran.returncode == 0, ran.stderr
    n_judged = sum(r.is_done and not r.is_fit for r in before.values())
    assert f"{n_judged} with other scores" in ran.stdout
    for record in store.read_all():
        assert record.scores == before[record.key].scores
        assert record.date == before[record.key].date


def test_a_measurement_that_was_changed_to_other_bytes_is_a_mismatch(measured: Path):
    store = Store(measured / "out")
    (record,) = [
        r for r in store.read_all() if r.job.task == "rates" and "bad" in r.spec
    ]
    path = store.measured(record.key) / "codes.json"
    text = path.read_text()
    files = json.loads(text)
    files["heldout"]["sha256"] = "0" * 64
    path.write_text(json.dumps(files))
    ran = run(measured, "judge", "out")
    assert ran.returncode == 1
    again = store.read(record.key)
    assert again is not None
    assert (again.status, again.stage, again.scores) == ("mismatch", "judge", ())
    # Nothing is lost by a judging that failed: mended, it gives the scores back.
    path.write_text(text)
    assert run(measured, "judge", "out").returncode == 0
    assert store.read(record.key) == replace(record, cost=store.read(record.key).cost)


def test_a_folder_without_measurements_says_so(tmp_path: Path):
    (tmp_path / "out" / "records").mkdir(parents=True)
    ran = run(tmp_path, "judge", "out")
    assert ran.returncode == 2
    assert "no records in out" in ran.stderr
