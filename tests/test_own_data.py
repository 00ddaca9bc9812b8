"""Data of a user's own by real commands: files, cards and suites in another folder."""

import csv
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

BITPROBE = Path(sys.executable).parent / "bitprobe"
WORDS = {
    "sport": ["ball", "goal", "team", "player", "match", "win", "coach", "league"],
    "food, drink": ["bread", "soup", "cook", "salt", "pan", "taste", "oven", "spice"],
    "<b>law</b>\n|tax|": [
        "court",
        "judge",
        "tax",
        "law",
        "state",
        "rule",
        "sue",
        "act",
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with data/my texts.csv, of three classes with awkward names."""
    rng = random.Random(0)  # noqa: S311  (texts of a test)
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "my texts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "topic", "body"])
        for i in range(150):
            topic = rng.choice(sorted(WORDS))
            text = " ".join(rng.choices([*WORDS[topic], "the", "of"], k=15))
            writer.writerow([i, topic, f'{text}\n"quoted", \0 and 🙂'])
    return tmp_path


def bitprobe(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BITPROBE, *args],
        cwd=folder,
        env={**os.environ, "BITPROBE_CACHE": "cache", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def accuracies(folder: Path, output: str) -> dict[str, float]:
    """Return the class readout of each compressor, from the report of a folder."""
    report = bitprobe(folder, "report", output, "--format", "csv")
    assert report.returncode == 0, report.stderr
    return {
        row["compressor"]: float(row["value"])
        for row in csv.DictReader(report.stdout.splitlines())
        if row["score"] == "balanced_accuracy" and row["task"] == "class_scratch"
    }


def test_a_suite_runs_on_a_file_resumes_and_is_read_back(folder: Path):
    command = ("run", "smoke", "--data", "data/my texts.csv", "--output", "out")
    done = bitprobe(folder, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "my_texts: text, label 'topic', text of body; 3 classes; 120 train and 30 test"
    ) in done.stdout
    assert ", 0 failed" in done.stdout
    # The classes have words of their own, which every compressor finds.
    assert min(accuracies(folder, "out").values()) > 0.9
    assert "0 of them new" in bitprobe(folder, *command).stdout
    judged = bitprobe(folder, "judge", "out")
    assert "0 with other scores, 0 failed" in judged.stdout, judged.stderr
    for output_format in ("html", "markdown", "latex", "csv"):
        report = bitprobe(folder, "report", "out", "--format", output_format)
        assert report.returncode == 0, report.stderr


def test_a_suite_names_files_from_its_own_folder(folder: Path):
    (folder / "data" / "mine.toml").write_text(
        'name = "mine"\ntitle = "Own"\ncompressors = ["deflate"]\ntasks = ["rates"]\n'
        'datasets = [{ name = "./my texts.csv", train = 50, test = 20 }, '
        '{ name = "digits", train = 50, test = 20 }]\n'
    )
    done = bitprobe(folder, "run", "data/mine.toml", "--output", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"my_texts", "digits"} <= set(done.stdout.split())


def test_a_card_is_written_audited_and_run_and_a_change_of_its_file_noticed(
    folder: Path,
):
    new = bitprobe(folder, "new", "dataset", "data/my texts.csv", "--label", "topic")
    assert new.returncode == 0, new.stderr
    audit = bitprobe(folder, "audit", "my_cards/my_texts.toml")
    assert "150" not in audit.stdout
    assert "120" in audit.stdout
    options = ("--cards-dir", "my_cards", "--only", "deflate", "--output", "out")
    done = bitprobe(folder, "run", "smoke", "--data", "my_texts", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    with (folder / "data" / "my texts.csv").open("a") as file:
        file.write("151,sport,one more\n")
    again = bitprobe(
        folder, "run", "smoke", "--data", "my_texts", *options, "--limit", "9"
    )
    assert again.returncode == 2
    assert "is not the file of its card" in again.stderr
    assert "\n" not in again.stderr.strip()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("run", "smoke", "--data", "none.csv"), "there is no file or folder"),
        (("run", "smoke", "--data", "digit"), "did you mean digits?"),
        (("audit", "./none.toml"), "there is no file"),
        (("run", "smoke", "--cards-dir", "none"), "no cards folder at none"),
        (
            ("new", "dataset", "data/my texts.csv", "--label", "nope"),
            "no column 'nope'; there are: id, topic, body",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    folder: Path, args: tuple[str, ...], words: str
):
    done = bitprobe(folder, *args)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert words in done.stderr
