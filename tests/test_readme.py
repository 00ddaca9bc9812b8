"""Documents as a reader uses them: every command block runs as it stands.

A `bash` block, or an indented one, is run in the document's own empty folder. A block below
a paragraph that says "save as `PATH`" becomes that file; other `python` blocks are run, other
`toml` blocks are parsed. A `text` block below a command block is its promised output, in
which `...` stands for anything. A comment `<!-- not run: REASON -->` excludes the next block.
"""

import ast
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
from harness.tasks.catalog import TASKS

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "results" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMANDS = ("bash", "python")
MAX_EXCLUDED = 15
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
        commands_text = self.text.replace("\\\n", " ").splitlines()
        commands = [shlex.split(line, comments=True) for line in commands_text]
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
    """Run a block of commands or Python in a folder; return its output."""
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
        shell_lines = [
            line for line in block.text.splitlines() if line.split()[:1] != ["make"]
        ]
        command = ["bash", "-euo", "pipefail", "-c", "\n".join(shell_lines)]
    result = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,  # seconds on a busy machine
    )
    output = result.stdout + result.stderr
    assert result.returncode == 0, f"{block.name}:\n{block.text}\n{output}"
    return output


def missing_lines(promise: str, output: str) -> list[str]:
    """Return the lines of a promised output that no line of an output matches."""
    lines = [" ".join(line.split()) for line in output.splitlines()]
    absent_lines = []
    for line in filter(str.strip, promise.splitlines()):
        parts = (
            re.escape(part.strip()) for part in " ".join(line.split()).split("...")
        )
        pattern = ".*".join(parts)
        if not any(re.search(pattern, candidate) for candidate in lines):
            absent_lines.append(line)
    return absent_lines


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_a_document_does_what_it_says_in_an_empty_folder(
    document: Path, tmp_path: Path
):
    if document.parent.name == "examples":  # its commands are about the files beside it
        shutil.copytree(document.parent, tmp_path, dirs_exist_ok=True)
    output = last = None
    for block in BLOCKS[document]:
        if block.path:
            path = tmp_path / block.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        elif block.language in COMMANDS:
            output, last = "" if block.reason else run_block(block, tmp_path), block
        elif block.language == "text" and not block.reason:
            assert last, f"{block.name} is the output of no command"
            lines = [] if last.reason else missing_lines(block.text, output)
            assert lines == [], f"{block.name}\n{output}"
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
            # The table of published figures is no suite; `bench` recomputes it all the same.
            names = [*suite_names(), "published"]
            unknown += [suite for suite in suites if suite not in names]
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


def anchors_of(document: Path) -> set[str]:
    """Return the anchors of the headings of a Markdown file, as a git host makes them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    letters = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {words.strip().replace(" ", "-") for words in letters}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_relative_links_lead_to_files_and_headings_of_the_repository(document: Path):
    dead_links = []
    for name, anchor in re.findall(
        r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", document.read_text()
    ):
        if "://" in name:
            continue
        target = document.parent / name if name else document
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            dead_links.append(f"{name}#{anchor}")
    assert dead_links == []


def rows_of(markdown: str) -> list[dict[str, str]]:
    """Return the rows of the first table of a Markdown text, by column header."""
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    return [dict(zip(cells[0], row, strict=False)) for row in cells[2:]]


def test_the_rows_of_the_readme_stand_in_the_published_leaderboard():
    published = (ROOT / "results" / "bench" / "leaderboard.md").read_text()
    section = published.partition("## reuters_r8")[2].partition("\n## ")[0]
    leaderboard = {row["compressor"]: row for row in rows_of(section)}
    excerpt = rows_of((ROOT / "README.md").read_text())
    assert len(excerpt) == 5
    for row in excerpt:
        assert row.items() <= leaderboard[row["compressor"]].items()


def test_the_architecture_lists_the_layers_that_the_tests_hold():
    source = (ROOT / "tests" / "test_layers.py").read_text()
    table = re.search(r"^LAYERS = (\[.*?^\])", source, re.MULTILINE | re.DOTALL)
    layers = ast.literal_eval(table[1])
    folders = [
        sorted(name for name in layer if (ROOT / "harness" / name).is_dir())
        for layer in layers
    ]
    rows: list[list[str]] = []
    for row in rows_of((ROOT / "docs" / "architecture.md").read_text()):
        if row["layer"]:  # a further folder of a layer leaves the number out
            rows.append([])
        rows[-1] += re.findall(r"`(\w+)/`", row["folder"])
    assert [sorted(row) for row in rows] == folders


def test_every_arrow_of_the_architecture_is_an_import():
    architecture = (ROOT / "docs" / "architecture.md").read_text()
    arrows = re.findall(r"^  (\w+) --> (\w+)$", architecture, re.MULTILINE)
    assert len(arrows) > 10
    for room, other in arrows:
        sources = [p.read_text() for p in (ROOT / "harness" / room).rglob("*.py")]
        pattern = rf"from harness\.{other}\b"
        assert any(re.search(pattern, text) for text in sources), f"{room} --> {other}"


def test_definitions_that_the_code_cites_stand_in_the_method():
    method = (ROOT / "docs" / "method.md").read_text()
    paths = [*(ROOT / "harness").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]
    citation = re.compile(r"docs/method\.md, ([\w ]+?)[.;)]")
    terms = {term for path in paths for term in citation.findall(path.read_text())}
    absent_terms = {
        term for term in terms if not re.search(rf"\b{term}\b", method, re.IGNORECASE)
    }
    assert absent_terms == set()


def test_every_metric_of_a_column_stands_in_the_method():
    method = (ROOT / "docs" / "method.md").read_text()
    metrics = {column.metric for task in TASKS.values() for column in task.columns}
    assert {metric for metric in metrics if f"`{metric}`" not in method} == set()


def test_a_promised_line_that_was_not_printed_is_noticed():
    output = "8 records, 0 failed\nzstd │ 2.582 │ 3.098"
    assert missing_lines("8 records, ... failed\nzstd ... 3.098\n", output) == []
    assert missing_lines("8 records, 1 failed\n", output) == ["8 records, 1 failed"]


def test_a_command_that_does_not_exist_is_noticed():
    commands = ["make publsh SUITE=bench", "bitprobe run smok", "bitprobe reprot x"]
    words = [command.split() for command in commands]
    assert unknown_names(words) == ["publsh", "smok", "reprot"]
