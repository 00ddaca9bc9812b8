"""Leaderboards on a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.analysis.board import Leaderboard
from harness.analysis.results import Results
from harness.report.cells import rank, short
from harness.report.legend import EMPTY, UNOFFICIAL, legend

FILE_WIDTH = 200
Columns = list[list[str]]
"""Columns of a table, each its header and its cells."""
N_FIXED = 3
"""First columns, which every part of a leaderboard repeats: rank, compressor, ratio."""
PADDING = 3
"""Letters between two columns."""


def wide_console() -> Console:
    """Return a console that is wide enough for a leaderboard when it writes to a file.

    COLUMNS says otherwise, as for every program.
    """
    console = Console()
    is_set = console.is_terminal or os.environ.get("COLUMNS", "").isdigit()
    return console if is_set else Console(width=FILE_WIDTH)


def print_results(results: Results, console: Console) -> None:
    """Print a leaderboard per data set, how to read it, and the answer."""
    boards = [board for board in results.leaderboards if not board.is_empty]
    for board in boards:
        # Programs read a pipe, and lines of boxes are in their way.
        style = box.HEAVY_HEAD if console.is_terminal else None
        for table in _tables(board, console.width, style):
            console.print(table)
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


def _tables(board: Leaderboard, width: int, style: box.Box | None) -> Iterator[Table]:
    """Yield a board in as many tables, one below the other, as its columns need."""
    rows = [
        [rank(row.rank), row.name, short(row.ratio), *map(short, row.cells)]
        for row in board.rows
    ]
    headers = ["rank", "compressor", "ratio", *(c.header for c in board.columns)]
    columns = [list(column) for column in zip(headers, *rows, strict=True)]
    fixed, scores = columns[:N_FIXED], columns[N_FIXED:]
    for part, group in enumerate(_groups(fixed, scores, width)):
        title = f"{board.dataset}, continued" if part else board.dataset
        yield _table(title, [*fixed, *group], len(board.compressors), style)


def _groups(fixed: Columns, scores: Columns, width: int) -> list[Columns]:
    """Return the columns of each table: a terminal would cut what is too wide."""
    start = sum(map(_width, fixed))
    groups: list[Columns] = [[]]
    total = start
    for column in scores:
        if groups[-1] and total + _width(column) > width:
            groups.append([])
            total = start
        groups[-1].append(column)
        total += _width(column)
    return groups


def _width(column: Sequence[str]) -> int:
    """Return the least width of a column: its widest cell or word of its header."""
    header, *cells = column
    return max(map(len, [*header.split(), *cells])) + PADDING


def _table(
    title: str, columns: Columns, n_compressors: int, style: box.Box | None
) -> Table:
    """Return a table for a terminal: no family, and remarks go below it."""
    table = Table(title=escape(title), title_justify="left", pad_edge=False, box=style)
    for header, *cells in columns:
        # Headers may take several lines, cells may not.
        widest = max(map(len, cells), default=1)
        table.add_column(header, min_width=widest, no_wrap=len(header) <= widest)
    rows = list(zip(*(cells for _, *cells in columns), strict=True))
    for place, row in enumerate(rows, 1):
        ends_section = place == n_compressors < len(rows)
        table.add_row(*map(escape, row), end_section=ends_section)
    return table


def _by_remark(board: Leaderboard) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for row in board.rows:
        for remark in (*row.failures, *row.remarks):
            names.setdefault(remark, []).append(row.name)
    return names
