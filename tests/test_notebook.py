"""`import bitprobe`: numbers of the command line, own classes and data, one-line refusals."""

import csv
import json
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bitprobe
from harness import Codec
from harness.errors import UsageError

ROOT = Path(__file__).parent.parent
FRAME = pd.DataFrame(
    {
        "label": ["a", "b"] * 30,
        "text": [f"hello {i} {'x' if i % 2 else 'yyyy'}" for i in range(60)],
    }
)
COLUMNS = ["task", "score", "state", "value", "ci_low", "ci_high"]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("BITPROBE_CACHE", str(tmp_path / "cache"))


@dataclass(frozen=True, kw_only=True)
class Mine(Codec):
    """A class of this file, which is no plugin."""

    name = "mine"
    family = "LZ77 + Huffman"
    requires = ("zlib",)
    level: int = 6

    def pack(self, data: bytes) -> bytes:
        return zlib.compress(data, self.level)

    def unpack(self, code: bytes, length: int) -> bytes:
        return zlib.decompress(code)[:length]


class Broken(Mine):
    name = "broken"

    def unpack(self, code: bytes, length: int) -> bytes:
        return bytes(len(zlib.decompress(code)[:length]))


def test_numbers_are_those_of_the_command_line_isolated_or_not(tmp_path: Path):
    FRAME.to_csv(tmp_path / "data.csv", index=False)
    (tmp_path / "notebook.toml").write_text(
        'name = "notebook"\ntitle = "t"\ncompressors = ["deflate"]\n'
        'datasets = ["./data.csv"]\ntasks = ["rates", "class_scratch"]\n'
    )
    command = [Path(sys.executable).parent / "bitprobe", "run", "notebook.toml"]
    subprocess.run([*command, "--output", "out"], cwd=tmp_path, check=True)
    expected = bitprobe.load_results(tmp_path / "out").to_pandas()[COLUMNS]
    for isolate in (True, False):
        given = FRAME if isolate else (list(FRAME["text"]), list(FRAME["label"]))
        result = bitprobe.evaluate("deflate", given, isolate=isolate)
        table = result.to_pandas()[COLUMNS]
        pd.testing.assert_frame_equal(table, expected)


def test_a_class_of_this_program_runs_in_it_and_is_decoded():
    result = bitprobe.evaluate([Mine(level=9), Broken()], FRAME, isolate=False)
    board = result.leaderboard().set_index("compressor")
    assert float(board.loc["mine(level=9)", "ratio"]) > 1.5
    assert board.loc["broken", "ratio"] == "-"
    (failure,) = result.failures
    assert failure.startswith("rates broken data: ")
    assert "decoded" in failure
    with pytest.raises(UsageError, match="isolate=False, or save it as a plugin"):
        bitprobe.evaluate(Mine(), FRAME)


def test_an_own_class_is_measured_anew_since_nothing_tells_what_it_does(tmp_path: Path):
    for n in (2, 4):
        bitprobe.evaluate(
            Mine(), FRAME, tasks=["rates"], isolate=False, output=tmp_path / "o"
        )
        assert len(list((tmp_path / "o" / "records").iterdir())) == n


def test_images_of_arrays_and_a_resumed_folder(tmp_path: Path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 4, (40, 5, 5), np.uint8)
    for _ in range(2):
        result = bitprobe.evaluate(
            "order0",
            (images, np.arange(40) % 2),
            tasks=["rates"],
            output=tmp_path / "o",
        )
        assert len(list((tmp_path / "o" / "records").iterdir())) == 2
    rate = result.to_pandas().set_index("score").loc["heldout_bpb", "value"]
    # Uniform symbols of four levels have two bits each, and less is impossible.
    assert 1.9 < rate < 2.6


def test_tables_figures_and_comparisons_of_published_results():
    result = bitprobe.load_results(ROOT / "results" / "bench")
    board = result.leaderboard("reuters_r8")
    published = (ROOT / "results" / "bench" / "leaderboard.md").read_text()
    section = published.partition("## reuters_r8")[2]
    first = board.iloc[0]
    assert (
        f"| 1 | {first['compressor']} | {first['family']} | {first['ratio']} |"
        in section
    )
    assert result.figure("digits").to_dict()["layer"]
    assert repr(result).startswith("Result(968 records on digits")
    assert "<table" in result._repr_html_()
    table = bitprobe.compare(
        result, "mix", "ppmd(order=4)", dataset="reuters_r8", task="rates"
    )
    row = table.set_index("measure").loc["heldout_bpb"]
    assert row["difference"] == pytest.approx(row["mix"] - row["ppmd(order=4)"])


@pytest.mark.parametrize(
    ("compressor", "data", "options", "words"),
    [
        ("gzipp", "digits", {}, "did you mean gzip"),
        ("gzip", "digit", {}, "did you mean digits"),
        ("gzip", 3, {}, "cannot read a int as data"),
        ("gzip", "digits", {"tasks": ["ratess"]}, "did you mean rates"),
        ("gzip", "digits", {"draws": 0}, "draws"),
        (Mine().fit([b"x"], seed=0), "digits", {}, "give it unfitted"),
    ],
)
def test_a_mistake_is_one_line(compressor, data, options, words):
    with pytest.raises(UsageError, match=words) as caught:
        bitprobe.evaluate(compressor, data, **options)
    assert "\n" not in str(caught.value)


def test_a_data_set_shows_itself_in_a_line():
    shown = repr(bitprobe.load_dataset("digits"))
    assert shown.startswith("Dataset(digits: image, 10 classes; Split(1,297 samples")
    assert len(shown) < 200


def test_the_import_is_light_and_the_module_is_the_command_line():
    code = (
        "import bitprobe, sys; assert not {'numpy', 'pandas', 'torch'} & {*sys.modules}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    done = subprocess.run(
        [sys.executable, "-m", "bitprobe", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("bitprobe ")


def test_the_example_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    notebook = json.loads((ROOT / "docs" / "examples" / "notebook.ipynb").read_text())
    cells = [
        "".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"
    ]
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "my_texts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([FRAME.columns, *FRAME.to_numpy().tolist()])
    names: dict[str, object] = {"__name__": "__main__"}
    for cell in cells:
        exec(compile(cell, "notebook", "exec"), names)  # noqa: S102  (its cells)
    assert names["own"].failures == ()
