"""Documents as a reader uses them: every command block runs as it stands.

A `bash` block, or an indented one, is run in the document's own empty folder. A block below
a paragraph that says "save as `PATH`" becomes that file; other `python` blocks are run, other
`toml` blocks are parsed. A `text` block below a command block is its promised output, in
which `...` stands for anything. A comment `<!-- not run: REASON -->` excludes the next block.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from harness.cli.app import app
from harness.planning.suite import suite_names

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "results" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMANDS = ("bash", "python")
MAX_EXCLUDED = 20
"""Ceiling of excluded blocks; whoever raises it says why in the commit."""
MAX_WIDTH = 100


@dataclass(frozen=True, kw_only=True)
class Block:
    """One code block of a document.

    Attributes:
        document, line: where it stands.
        path: file that the reader is told to save it as; "" for other blocks.
        reason: why it is not run; "" for blocks that are.
    """

    document: Path
    line: int
    language: str
    text: str
    path: str = ""
    reason: str = ""

    @property
    def name(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def lines(self) -> list[list[str]]:
        """Commands as lists of words, with continuation lines joined."""
        joined = self.text.replace("\\\n", " ").splitlines()
        commands = [shlex.split(line, comments=True) for line in joined]
        return [words for words in commands if words]


def blocks_of(document: Path) -> list[Block]:
    """Return the code blocks of a Markdown file, in order."""
    blocks: list[Block] = []
    paragraph = reason = ""
    for token in MarkdownIt().parse(document.read_text()):
        if token.type == "inline":
            paragraph = token.content
        elif token.type == "html_block":
            comment = re.search(r"<!-- not run: (.+?) -->", token.content, re.DOTALL)
            reason = comment[1] if comment else ""
        elif token.type in ("fence", "code_block"):
            target = re.search(
                r"\bsave(?:d)? (?:it )?as\s+`([^`]+)`", paragraph, re.IGNORECASE
            )
            blocks.append(
                Block(
                    document=document,
                    line=token.map[0] + 1,
                    language=token.info or "bash",  # indented blocks are commands
                    text=token.content,
                    path=target[1] if target else "",
                    reason=reason,
                )
            )
            paragraph = reason = ""
    return blocks


BLOCKS = {document: blocks_of(document) for document in DOCUMENTS}
EXCLUDED = [block for blocks in BLOCKS.values() for block in blocks if block.reason]
SHELL = [
    block for blocks in BLOCKS.values() for block in blocks if block.language == "bash"
]


def run_block(block: Block, folder: Path) -> str:
    """Run a block of commands or Python in a folder; return what it printed."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
    }
    if block.language == "python":
        command = [sys.executable, "-c", block.text]
    else:
        # Targets of make are checked by name: they would set up a machine.
        is_run = [
            line for line in block.text.splitlines() if line.split()[:1] != ["make"]
        ]
        command = ["bash", "-euo", "pipefail", "-c", "\n".join(is_run)]
    completed = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,  # seconds on a busy machine
    )
    printed = completed.stdout + completed.stderr
    assert completed.returncode == 0, f"{block.name}:\n{block.text}\n{printed}"
    return printed


def missing_lines(promised: str, printed: str) -> list[str]:
    """Return the lines of a promised output that nothing printed matches."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    missing = []
    for line in filter(str.strip, promised.splitlines()):
        parts = (
            re.escape(part.strip()) for part in " ".join(line.split()).split("...")
        )
        pattern = ".*".join(parts)
        if not any(re.search(pattern, candidate) for candidate in lines):
            missing.append(line)
    return missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_a_document_does_what_it_says_in_an_empty_folder(
    document: Path, tmp_path: Path
):
    if document.parent.name == "examples":  # its commands are about the files beside it
        shutil.copytree(document.parent, tmp_path, dirs_exist_ok=True)
    printed = None
    for block in BLOCKS[document]:
        if block.path:
            path = tmp_path / block.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.language in COMMANDS:
            printed = None if block.reason else run_block(block, tmp_path)
        elif block.language == "text" and printed is not None and not block.reason:
            assert missing_lines(block.text, printed) == [], f"{block.name}\n{printed}"
        elif block.language == "toml":
            tomllib.loads(block.text)


def unknown_names(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return the targets, suites, commands and scripts that do not exist."""
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([a-z]+):", makefile, re.MULTILINE)
    subcommands = {command.name for command in app.registered_commands}
    unknown = []
    for program, *words in commands:
        if program == "make":
            unknown += [
                word for word in words if "=" not in word and word not in targets
            ]
            suites = [word[6:] for word in words if word.startswith("SUITE=")]
            unknown += [suite for suite in suites if suite not in suite_names()]
        elif Path(program).name == "bitprobe":
            unknown += [word for word in words[:1] if word not in subcommands]
            suites = [word for word in words[1:2] if words[0] == "run"]
            suites = [suite for suite in suites if not suite.endswith(".toml")]
            unknown += [suite for suite in suites if suite not in suite_names()]
        scripts = [word for word in words if word.startswith("benchmarks/")]
        unknown += [script for script in scripts if not (ROOT / script).is_file()]
    return unknown


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.name)
def test_commands_name_targets_suites_and_scripts_that_exist(block: Block):
    assert unknown_names(block.lines) == []


@pytest.mark.parametrize("block", EXCLUDED, ids=lambda b: f"{b.name} ({b.reason})")
def test_an_excluded_block_has_commands_and_a_reason(block: Block):
    assert block.language in (*COMMANDS, "text")
    assert len(block.reason.split()) >= 2


def test_few_blocks_are_excluded():
    names = "\n".join(f"{block.name}: {block.reason}" for block in EXCLUDED)
    assert len(EXCLUDED) <= MAX_EXCLUDED, names


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_lines_of_prose_fit_into_100_characters(document: Path):
    lines = document.read_text().splitlines()
    # A row of a table, or a picture, cannot be broken.
    prose = [line for line in lines if not line.lstrip().startswith(("|", "!["))]
    assert [line for line in prose if len(line) > MAX_WIDTH] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_relative_links_lead_to_files_of_the_repository(document: Path):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text())
    relative = [target for target in targets if "://" not in target]
    broken = [name for name in relative if not (document.parent / name).exists()]
    assert broken == []


def test_a_promised_line_that_was_not_printed_is_noticed():
    printed = "8 records, 0 failed\nzstd │ 2.582 │ 3.098"
    assert missing_lines("8 records, ... failed\nzstd ... 3.098\n", printed) == []
    assert missing_lines("8 records, 1 failed\n", printed) == ["8 records, 1 failed"]


def test_a_command_that_does_not_exist_is_noticed():
    commands = ["make publsh SUITE=bench", "bitprobe run smok", "bitprobe reprot x"]
    split = [command.split() for command in commands]
    assert unknown_names(split) == ["publsh", "smok", "reprot"]
