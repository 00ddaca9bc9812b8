import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

BITPROBE = Path(sys.executable).parent / "bitprobe"


def bitprobe(*args: str, **kwargs) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BITPROBE, *args], capture_output=True, text=True, check=False, **kwargs
    )


def values(folder: Path) -> list[str]:
    """Everything in the records of a run except what the clock and memory decide."""
    found = []
    for path in sorted((folder / "records").glob("*.json")):
        record = json.loads(path.read_text())
        record.pop("cost")
        found.append(json.dumps(record, sort_keys=True))
    return found


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "smoke"
    ran = bitprobe("run", "smoke", "--output", str(folder))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Undecided by design" in ran.stdout
    return folder


def test_importing_the_face_loads_nothing_heavy():
    code = "import harness, sys; print([m for m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    for heavy in ("torch", "pandas", "sklearn", "scipy"):
        assert f"'{heavy}'" not in loaded


def test_a_second_run_does_nothing_and_prints_the_same(smoke: Path):
    before = values(smoke)
    again = bitprobe("run", "smoke", "--output", str(smoke))
    assert again.returncode == 0
    assert " 0 of them new" in again.stdout
    assert values(smoke) == before


def test_every_rate_but_seeded_subsets_was_decoded(smoke: Path):
    scores = [s for text in values(smoke) for s in json.loads(text)["scores"]]
    rates = [s for s in scores if s["name"] == "heldout_bpb"]
    assert len(rates) == 5
    assert all(s["realised"] == "decoded" for s in rates)


def test_store_has_8_bits_per_byte_and_codecs_less(smoke: Path):
    held = {}
    for text in values(smoke):
        record = json.loads(text)
        for score in record["scores"]:
            if score["name"] == "heldout_bpb":
                held[record["job"]["subject"]["name"]] = score["value"]
    assert held.pop("store") == 8
    assert all(0 < value < 8 for value in held.values())


def test_the_csv_has_the_stable_columns(smoke: Path):
    text = bitprobe("report", str(smoke), "--format", "csv").stdout
    assert text.splitlines()[0] == (
        "suite,dataset,compressor,family,task,score,state,route,unit,seed,draw,value,"
        "ci_low,ci_high,n,status,official,key"
    )


def test_a_killed_run_resumes_to_the_same_records(smoke: Path, tmp_path: Path):
    folder = tmp_path / "killed"
    for wait_for in (1, 4):
        run = subprocess.Popen(
            [BITPROBE, "run", "smoke", "--output", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while len(list(folder.glob("records/*.json"))) < wait_for:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        children = psutil.Process(run.pid).children(recursive=True)
        run.kill()
        run.wait()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []
    assert bitprobe("run", "smoke", "--output", str(folder)).returncode == 0
    assert values(folder) == values(smoke)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "smok"), "did you mean smoke?"),
        (("run", "smoke", "--only", "gzpi"), "did you mean gzip?"),
        (("run", "smoke", "--only", "gzip(levle=1)"), "no field 'levle'"),
        (("run", "smoke", "--only", "gzip(level='x')"), "gzip: level='x'"),
        (("run", "smoke", "--only", "gzip(level=99)"), "zlib has 0 to 9"),
        (("run", "smoke", "--only", "gzip(("), "cannot read 'gzip(('"),
        (("run", "smoke", "--datasets", "digit"), "did you mean digits?"),
        (("run", "smoke", "--tasks", "rate"), "did you mean rates?"),
        (("run", "smoke", "--output", "/dev/null"), "is a file"),
        (("run", "smoke", "--plugins-dir", "/nowhere"), "no plugins folder"),
        (("report", "/nowhere"), "no records"),
        (("list", "plugin"), "cannot list"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(args: tuple[str, ...], says: str):
    ran = bitprobe(*args)
    assert ran.returncode == 2, ran.stderr
    assert says in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = 1", "suite.toml: name"),
        ("name = ", "suite.toml: Invalid value"),
        ('name = "x"\nfoo = 1', "suite.toml"),
        (
            (
                'name="x"\ntitle="x"\ncompressors=["gzip","gzip"]\n'
                'datasets=[{name="digits"}]\ntasks=[{name="rates"}]'
            ),
            "'gzip' is listed twice",
        ),
    ],
)
def test_a_bad_suite_file_is_one_line(tmp_path: Path, text: str, says: str):
    path = tmp_path / "suite.toml"
    path.write_text(text)
    ran = bitprobe("run", str(path), cwd=tmp_path, env=dict(os.environ))
    assert ran.returncode == 2
    assert says in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


PLUGIN = """
import os, time
from dataclasses import dataclass
from harness import Codec, hookimpl


@dataclass(frozen=True, kw_only=True)
class Bad(Codec):
    name = "bad"
    family = "test"
    how: str = "crash"

    def pack(self, data):
        if self.how == "crash":
            os.kill(os.getpid(), 11)
        if self.how == "hang":
            time.sleep(1000)
        if self.how == "eat":
            self_eaten = [bytes(1 << 20) * 64 for _ in range(200)]
            [b"".join(self_eaten)]
        return data[:-1] + b"x" if self.how == "lie" else data

    def unpack(self, code, length):
        return code


@hookimpl
def compressors():
    return [Bad]
"""


@pytest.mark.parametrize(
    ("how", "status"), [("crash", "crashed"), ("hang", "timeout"), ("lie", "mismatch")]
)
def test_a_failing_plugin_is_a_record_and_stops_nobody(
    tmp_path: Path, how: str, status: str
):
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "bad.py").write_text(PLUGIN)
    (tmp_path / "plugins" / "broken.py").write_text("def (")
    common = (
        "--plugins-dir",
        str(tmp_path / "plugins"),
        "--output",
        str(tmp_path / "o"),
    )
    spec = f"bad(how={how!r})"
    chosen = ("--only", spec, "--only", "gzip", "--tasks", "rates", "--timeout", "8")
    ran = bitprobe("run", "smoke", *common, *chosen)
    assert ran.returncode == 1, ran.stderr
    records = [json.loads(text) for text in values(tmp_path / "o")]
    got = {
        r["job"]["subject"]["name"]: r["status"]
        for r in records
        if r["job"]["task"] == "rates"
    }
    assert got == {"bad": status, "gzip": "done"}
    listed = bitprobe("list", "compressors", "--plugins-dir", str(tmp_path / "plugins"))
    assert "syntax error in line 1" in listed.stdout
