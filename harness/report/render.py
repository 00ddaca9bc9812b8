"""Leaderboards on a terminal and as Markdown."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.table import Table

from harness.report.leaderboard import Leaderboard, answer, leaderboard

LEGEND = (
    "ratio: original bytes / coded bytes, from the held-out rate, higher is better. "
    "bpb: bits per byte of the test split given train, lower is better; every rate was "
    "decoded in a fresh process. class: the class whose text makes a sample shortest. "
    "Brackets: 95 %, given this split."
)


def wide_console() -> Console:
    """Return a console that is wide enough for a leaderboard when it writes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def print_tables(table: pd.DataFrame, console: Console) -> None:
    """Print a leaderboard per data set, then the answer in words."""
    for dataset in sorted(table["dataset"].unique()):
        console.print(_rich(leaderboard(table, str(dataset))))
    console.print(LEGEND, highlight=False)
    console.print(answer(table), style="bold", highlight=False)


def markdown(table: pd.DataFrame) -> str:
    """Return the leaderboards as Markdown."""
    parts = []
    for dataset in sorted(table["dataset"].unique()):
        board = leaderboard(table, str(dataset))
        lines = [f"## {dataset}", "", _row(board.head), _row(["---"] * len(board.head))]
        lines += [_row(line.cells) for line in board.lines]
        parts.append("\n".join(lines))
    if not table["official"].all():
        parts.insert(0, "**Unofficial: run with --limit or --seed.**")
    return "\n\n".join([*parts, LEGEND, answer(table)]) + "\n"


def _rich(board: Leaderboard) -> Table:
    shown = Table(title=board.dataset, title_justify="left", pad_edge=False)
    for column in board.head:
        shown.add_column(column, overflow="fold")
    for line, after in zip(board.lines, [*board.lines[1:], None], strict=True):
        last = after is not None and after.is_baseline and not line.is_baseline
        shown.add_row(*line.cells, end_section=last)
    return shown


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
