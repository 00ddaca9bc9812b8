import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
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
        record.pop("date")
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
    rates = [s for s in scores if s["metric"] == "heldout_bpb"]
    assert len(rates) == 5
    assert all(s["realised"] == "decoded" for s in rates)


def test_store_has_8_bits_per_byte_and_codecs_less(smoke: Path):
    held = {}
    for text in values(smoke):
        record = json.loads(text)
        for score in record["scores"]:
            if score["metric"] == "heldout_bpb":
                held[record["job"]["subject"]["name"]] = score["value"]
    assert held.pop("store") == 8
    assert all(0 < value < 8 for value in held.values())


def test_the_csv_has_the_stable_columns(smoke: Path):
    text = bitprobe("report", str(smoke), "--format", "csv").stdout
    assert text.splitlines()[0] == (
        "suite,dataset,compressor,family,task,score,state,route,unit,seed,draw,value,"
        "ci_low,ci_high,n,status,official,key"
    )


def start(folder: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [BITPROBE, "run", "smoke", "--output", str(folder), *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def n_records(folder: Path) -> int:
    return len(list(folder.glob("records/*.json")))


def wait_for_records(folder: Path, n: int) -> None:
    deadline = time.monotonic() + 60
    while n_records(folder) < n:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_killed_ten_times_at_random_resumes_to_the_same_tables(
    smoke: Path, tmp_path: Path
):
    folder = tmp_path / "killed"
    rng = np.random.default_rng(0)
    for _ in range(10):
        run = start(folder)
        until = time.monotonic() + rng.uniform(0.3, 1.6)
        while time.monotonic() < until and run.poll() is None:
            time.sleep(0.01)
        children = psutil.Process(run.pid).children(recursive=True)
        run.kill()
        run.communicate()
        _, alive = psutil.wait_procs(children, timeout=10)
        assert alive == []
    assert bitprobe("run", "smoke", "--output", str(folder)).returncode == 0
    assert values(folder) == values(smoke)
    assert not list(folder.rglob("*.part"))
    assert (
        bitprobe("report", str(folder)).stdout == bitprobe("report", str(smoke)).stdout
    )


def test_ctrl_c_ends_the_children_keeps_records_and_exits_with_130(
    smoke: Path, tmp_path: Path
):
    folder = tmp_path / "interrupted"
    run = start(folder, "-j", "1")
    wait_for_records(folder, 3)
    children = psutil.Process(run.pid).children(recursive=True)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 130
    assert err.strip().splitlines()[-1] == (
        "bitprobe: stopped; what was finished is kept, run again to resume"
    )
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []
    assert 3 <= n_records(folder) < len(values(smoke))
    assert bitprobe("run", "smoke", "--output", str(folder)).returncode == 0
    assert values(folder) == values(smoke)


def test_no_network_and_an_empty_cache_is_one_line(tmp_path: Path):
    offline = {
        **{k: v for k, v in os.environ.items() if not k.startswith("BITPROBE")},
        "BITPROBE_CACHE": str(tmp_path / "cache"),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": "",
    }
    ran = bitprobe(
        "run", "bench", "--output", str(tmp_path / "o"), "--only", "gzip", env=offline
    )
    assert ran.returncode == 2
    last = ran.stderr.strip().splitlines()[-1]
    assert "check the network" in last
    assert "Traceback" not in ran.stderr
    assert not list((tmp_path / "cache").rglob("*.whl"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path):
    tmp_path.chmod(0o500)
    ran = bitprobe("run", "smoke", "--output", str(tmp_path / "o"))
    assert ran.returncode == 2
    assert "cannot write" in ran.stderr


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
        (("list", "plugin"), "'plugin' is not one of"),
        (("report", "/dev/null", "--format", "pdf"), "'pdf' is not one of"),
        (("run", "smoke", "--limit", "0"), "--limit"),
        (("run", "smoke", "--device", "tpu"), "'tpu' is not one of"),
        (("fetch", "digitz"), "did you mean digits?"),
        (("check", "gzpi"), "did you mean gzip?"),
        (("check", "/nowhere/plugin.py"), "/nowhere/plugin.py"),
        (("audit", "digitz"), "did you mean digits?"),
        (("run", "/proc/nosuch.toml"), "there is no file /proc/nosuch.toml"),
        (("run", "smoke", "--output", "/proc/here"), "cannot write"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(args: tuple[str, ...], says: str):
    ran = bitprobe(*args)
    assert ran.returncode == 2, ran.stderr
    assert says in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


SUITE = """name = "x"
title = "x"
compressors = ["gzip"]
datasets = [{name="digits"}]
tasks = [{name="rates"}]
"""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name = 1", "suite.toml: name must be a string, not 1"),
        ("name = ", "suite.toml: not valid TOML: invalid value"),
        ('name = "x"\nfoo = 1', "suite.toml: title is missing"),
        (SUITE + "foo = 1", "suite.toml: no field 'foo'"),
        (SUITE.replace('name="rates"', 'name="rate"'), "did you mean rates?"),
        (
            SUITE.replace('name="rates"', 'name="rates", x=1'),
            "tasks, row 1: no field 'x'",
        ),
        (SUITE.replace("digits", "digitz"), "did you mean digits?"),
        (
            SUITE.replace('name="rates"', 'name="class_scratch", equal_bytes="maybe"'),
            "class_scratch: equal_bytes",
        ),
        (SUITE.replace('["gzip"]', "[]"), "suite.toml: compressors"),
        (SUITE.replace('["gzip"]', "3"), "suite.toml: compressors"),
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
            eaten = []
            while True:
                eaten.append(b"x" * (64 << 20))
                time.sleep(0.02)
        return data[:-1] + b"x" if self.how == "lie" else data

    def unpack(self, code, length):
        return code


@hookimpl
def compressors():
    return [Bad]
"""


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("crash", "crashed"),
        ("hang", "timeout"),
        ("lie", "mismatch"),
        ("eat", "out_of_memory"),
    ],
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


def test_a_plugin_of_another_distribution_comes_by_its_entry_point(tmp_path: Path):
    code = PLUGIN.replace('how: str = "crash"', 'how: str = "no"')
    (tmp_path / "their_codec.py").write_text(code)
    about = tmp_path / "theirs-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n"
    )
    (about / "entry_points.txt").write_text("[bitprobe]\ntheirs = their_codec\n")
    installed = {**os.environ, "PYTHONPATH": str(tmp_path)}
    chosen = ("--only", "bad", "--tasks", "rates", "--output", str(tmp_path / "o"))
    ran = bitprobe("run", "smoke", *chosen, env=installed)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    records = [json.loads(text) for text in values(tmp_path / "o")]
    done = [r for r in records if r["job"]["task"] == "rates" and r["scores"]]
    assert [r["job"]["subject"]["name"] for r in done] == ["bad"]


def report_of_calibration(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "bitprobe", "report", "results/calibration"],
        cwd=Path(__file__).parent.parent,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("width", [60, 120])
def test_a_piped_table_honours_columns_and_has_no_boxes(width: int):
    lines = report_of_calibration(COLUMNS=str(width)).stdout.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("rank "))
    assert max(map(len, lines)) <= width
    assert not set("┃│━─┏└") & set("".join(lines))
    # Every row still has all its numbers.
    assert lines[start + 1].split()[:3] == ["1", "ctw", "4.582"]


def test_an_encoding_without_the_letters_gets_them_in_ascii():
    done = report_of_calibration(PYTHONIOENCODING="ascii", LC_ALL="POSIX")
    assert "1.746 +-.006" in done.stdout
    assert done.stdout.isascii()
