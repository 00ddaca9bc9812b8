import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness.cli.app import app

BITPROBE = Path(sys.executable).parent / "bitprobe"
COMMANDS = [command.name for command in app.registered_commands]


def bitprobe(*args: str) -> str:
    done = subprocess.run([BITPROBE, *args], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_version_is_that_of_the_package():
    assert bitprobe("--version") == f"bitprobe {harness.__version__}\n"


def test_every_command_has_a_summary_that_is_a_whole_sentence():
    _, _, listing = bitprobe("--help").partition("Commands:\n")
    summaries = dict(line.split(maxsplit=1) for line in listing.splitlines())
    assert list(summaries) == COMMANDS
    cut = [text for text in summaries.values() if not text.rstrip().endswith(".")]
    assert cut == []
    assert not [text for text in summaries.values() if text.endswith("...")]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_says_what_it_is(command: str):
    def is_row(line: str) -> bool:
        return line.startswith("  ") and "  " in line.strip()

    _, _, options = bitprobe(command, "--help").partition("Options:\n")
    lines = options.splitlines()
    # Long rows have their help on the next line, indented as deep as the column.
    bare = [
        line
        for line, after in zip(lines, [*lines[1:], ""], strict=True)
        if line.startswith("  -") and not is_row(line) and not after.startswith(" " * 8)
    ]
    assert lines
    assert bare == []
