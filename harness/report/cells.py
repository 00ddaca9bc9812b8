"""Cells of a leaderboard as words, the same in every format."""

from __future__ import annotations

from harness.analysis.board import NOT_APPLICABLE, NOT_RUN, Cell

NOTHING = "-"


def number(cell: Cell) -> str:
    """Return the value, or in a word why there is none."""
    if cell.is_measured:
        return f"{cell.value:.{cell.digits}f}"
    # Never run, without meaning and failed are three different answers.
    words = {NOT_RUN: NOTHING, NOT_APPLICABLE: "n/a"}
    return words.get(cell.status, cell.status.replace("_", " "))


def full(cell: Cell) -> str:
    """Return the value and both ends, as in published tables."""
    if not cell.has_interval:
        return number(cell)
    return f"{number(cell)} [{', '.join(_end(cell, end) for end in ends(cell))}]"


def short(cell: Cell) -> str:
    """Return the value and half the width of its interval, for a terminal."""
    if not cell.has_interval:
        return number(cell)
    return f"{number(cell)} \u00b1{_end(cell, (cell.high - cell.low) / 2)}"


def ends(cell: Cell) -> tuple[float, float]:
    """Return the ends of the interval, or twice the value where there is none."""
    return (cell.low, cell.high) if cell.has_interval else (cell.value, cell.value)


def rank(value: int | None) -> str:
    """Return a rank, or a dash for a row without decoded bytes."""
    return NOTHING if value is None else str(value)


def _end(cell: Cell, end: float) -> str:
    # As journals write numbers below 1; it saves a letter a column.
    return f"{end:.{cell.digits}f}".removeprefix("0")
