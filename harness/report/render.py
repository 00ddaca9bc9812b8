"""Leaderboards on a terminal and as Markdown."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.table import Table

from harness.report.leaderboard import HEAD, answer, leaderboard

LEGEND = (
    "ratio: original bytes / coded bytes, from the held-out rate, higher is better. "
    "bpb: bits per byte of the test split given train, lower is better; each "
    "compressor's was decoded in a fresh process. Accuracies: class_scratch. "
    "Brackets: 95 %, given this split."
)


def wide_console() -> Console:
    """Return a console that is wide enough for a leaderboard when it writes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=130)


def print_tables(table: pd.DataFrame, console: Console) -> None:
    """Print a leaderboard per data set, then the answer in words."""
    for dataset in sorted(table["dataset"].unique()):
        shown = Table(title=str(dataset), title_justify="left", pad_edge=False)
        for column in HEAD:
            shown.add_column(column, overflow="fold")
        lines = leaderboard(table, str(dataset))
        for line, after in zip(lines, [*lines[1:], None], strict=True):
            last = after is not None and after.is_baseline and not line.is_baseline
            shown.add_row(*line.cells, end_section=last)
        console.print(shown)
    console.print(LEGEND, highlight=False)
    console.print(answer(table), style="bold", highlight=False)


def markdown(table: pd.DataFrame) -> str:
    """Return the leaderboards as Markdown."""
    parts = []
    for dataset in sorted(table["dataset"].unique()):
        lines = [f"## {dataset}", "", _row(HEAD), _row(["---"] * len(HEAD))]
        lines += [_row(line.cells) for line in leaderboard(table, str(dataset))]
        parts.append("\n".join(lines))
    if not table["official"].all():
        parts.insert(0, "**Unofficial: run with --limit or --seed.**")
    return "\n\n".join([*parts, LEGEND, answer(table)]) + "\n"


def _row(cells: list[str] | tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
