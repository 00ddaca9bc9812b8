"""Leaderboards on a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table

from harness.analysis.ladders import WORDS, correlations, ladder_table
from harness.analysis.leaderboard import Leaderboard, leaderboard

LEGEND = (
    "ratio: original bytes / coded bytes, from the held-out rate, higher is better. "
    "bpb: bits per byte of the test split given train, lower is better; every rate was "
    "decoded in a fresh process. Balanced accuracy of: class, the class whose text makes "
    "a sample shortest; landmark, a probe on how much shards of train help; NCD, the "
    "nearest neighbour; layer, a probe on hidden states. Brackets, or \u00b1 half their "
    "width: 95 %, {given}. Definitions: docs/method.md."
)


def legend(table: pd.DataFrame) -> str:
    """Return how to read the leaderboards of a table of `frame`."""
    n_draws = int(table["draw"].nunique())
    several = f"over test samples and {n_draws} draws"
    return LEGEND.format(given=several if n_draws > 1 else "given this split")


def wide_console() -> Console:
    """Return a console that is wide enough for a leaderboard when it writes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=200)


def print_tables(table: pd.DataFrame, console: Console) -> None:
    """Print a leaderboard per data set, and how to read it."""
    for dataset in sorted(table["dataset"].unique()):
        board = leaderboard(table, str(dataset))
        console.print(_rich(board))
        for remark, names in _by_remark(board).items():
            console.print(f"  {remark}: {', '.join(names)}", highlight=False)
        console.print()
    console.print(legend(table), highlight=False)


def markdown(table: pd.DataFrame, ladders: pd.DataFrame, answer: str) -> str:
    """Return the leaderboards as Markdown, the answer in words at the end.

    Args:
        table: of `frame`.
        ladders: of `ladder_points`; a table of each data set that has any.
        answer: in words.
    """
    rows = correlations(ladders)
    parts = []
    for dataset in sorted(table["dataset"].unique()):
        board = leaderboard(table, str(dataset))
        head = ("compressor", "family", "ratio", *board.heads, "remarks")
        lines = [f"## {dataset}", "", _row(head), _row(["---"] * len(head))]
        lines += [
            _row(
                [
                    *(x.name, x.family, x.ratio),
                    *(cell.full for cell in x.cells),
                    "; ".join(x.remarks),
                ]
            )
            for x in board.lines
        ]
        parts.append("\n".join(lines))
        parts += _ladder_parts(ladder_table(rows, str(dataset)))
    if not table["official"].all():
        parts.insert(0, "**Unofficial: run with --limit or --seed.**")
    return "\n\n".join([*parts, legend(table), answer]) + "\n"


def _ladder_parts(table: tuple[tuple[str, ...], ...]) -> list[str]:
    if not table:
        return []
    head, *lines = table
    return [WORDS, "\n".join(map(_row, [head, ["---"] * len(head), *lines]))]


def _rich(board: Leaderboard) -> Table:
    """Return a board for a terminal: no family, and remarks go below it."""
    shown = Table(title=board.dataset, title_justify="left", pad_edge=False)
    rows = [[x.name, x.ratio, *(cell.short for cell in x.cells)] for x in board.lines]
    for head, *cells in zip(("compressor", "ratio", *board.heads), *rows, strict=True):
        # Heads may take several lines, cells may not.
        shown.add_column(head, min_width=max(map(len, cells), default=1))
    for i, (line, row) in enumerate(zip(board.lines, rows, strict=True)):
        after = board.lines[i + 1 : i + 2]
        last = any(x.is_baseline for x in after) and not line.is_baseline
        shown.add_row(*row, end_section=last)
    return shown


def _by_remark(board: Leaderboard) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for line in board.lines:
        for remark in line.remarks:
            names.setdefault(remark, []).append(line.name)
    return names


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
