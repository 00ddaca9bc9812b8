"""Leaderboards on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.analysis.board import Leaderboard
from harness.analysis.results import Results
from harness.report.cells import rank, short
from harness.report.legend import EMPTY, UNOFFICIAL, legend


def wide_console() -> Console:
    """Return a console that is wide enough for a leaderboard when it writes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=200)


def print_results(results: Results, console: Console) -> None:
    """Print a leaderboard per data set, how to read it, and the answer."""
    boards = [board for board in results.leaderboards if not board.is_empty]
    for board in boards:
        console.print(_table(board))
        for remark, names in _by_remark(board).items():
            # Below the table and once per remark: a column of them would be too wide.
            line = f"  {remark}: {', '.join(names)}"
            console.print(line, highlight=False, markup=False)
        console.print()
    notes = [legend(results) if boards else EMPTY, *results.elsewhere]
    if not results.is_official:
        notes.insert(0, UNOFFICIAL)
    for note in notes:
        console.print(note, highlight=False, markup=False)
    for sentence in results.answer:
        console.print(sentence, style="bold", highlight=False, markup=False)


def _table(board: Leaderboard) -> Table:
    """Return a board for a terminal: no family, and remarks go below it."""
    table = Table(title=escape(board.dataset), title_justify="left", pad_edge=False)
    rows = [
        [rank(row.rank), row.name, short(row.ratio), *map(short, row.cells)]
        for row in board.rows
    ]
    headers = ("rank", "compressor", "ratio", *(c.header for c in board.columns))
    for header, *cells in zip(headers, *rows, strict=True):
        # Headers may take several lines, cells may not.
        width = max(map(len, cells), default=1)
        table.add_column(header, min_width=width, no_wrap=len(header) <= width)
    last_compressor = len(board.compressors) - 1
    for place, cells in enumerate(rows):
        ends_section = place == last_compressor and bool(board.baselines)
        table.add_row(*map(escape, cells), end_section=ends_section)
    return table


def _by_remark(board: Leaderboard) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for row in board.rows:
        for remark in (*row.failures, *row.remarks):
            names.setdefault(remark, []).append(row.name)
    return names
