"""Cells of a leaderboard as the page shows them: words, a sort key, and a bar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.board import (
    NOT_APPLICABLE,
    NOT_RUN,
    Cell,
    Leaderboard,
)
from harness.analysis.columns import BoardColumn
from harness.report.cells import ends, number

Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Track:
    """Axis of the small bars of a column.

    Attributes:
        span: values at its ends.
        is_log: whether equal ratios get equal room.
    """

    span: Interval
    is_log: bool = False

    def positions(self, values: Sequence[float]) -> list[float]:
        """Return where values lie, in % of the track's width; those beyond at an end."""
        span = self.span
        if self.is_log and min(*values, *span) > 0:
            values = [math.log(value) for value in values]
            span = (math.log(span[0]), math.log(span[1]))
        width = (span[1] - span[0]) or 1.0
        # A codec beyond the span is drawn at its end, not off the page.
        shares = [(value - span[0]) / width for value in values]
        return [round(100 * min(1.0, max(0.0, share)), 2) for share in shares]


@dataclass(frozen=True, kw_only=True)
class PageCell:
    """One cell of a table.

    Attributes:
        text: what is read.
        sort: what it sorts by; "" comes last.
        interval: the 95 % interval in words.
        below: a second, smaller line.
        bar: left end, width and value on the cell's track, in % of its width.
        title: shown on hover.
        kind: "", "missing" or "failed".
    """

    text: str
    sort: str = ""
    interval: str = ""
    below: str = ""
    bar: tuple[float, float, float] | None = None
    title: str = ""
    kind: str = ""


def page_cell(cell: Cell, track: Track | None = None) -> PageCell:
    """Return a cell for the page, with a bar where its column has a track."""
    if not cell.is_measured:
        is_failure = cell.status not in (NOT_APPLICABLE, NOT_RUN)
        title = cell.reason or cell.status
        # A failure is coloured; an absence is only grey.
        kind = "failed" if is_failure else "missing"
        return PageCell(text=number(cell), title=title, kind=kind)
    low, high = ends(cell)
    bar = None
    if track is not None:
        start, end, value = track.positions((low, high, cell.value))
        bar = (start, round(end - start, 2), value)
    about = {"state": cell.state, "route": cell.route, "": cell.note}
    digits = cell.digits
    return PageCell(
        text=number(cell),
        sort=f"{cell.value:.9g}",
        interval=f"{low:.{digits}f} to {high:.{digits}f}" if cell.has_interval else "",
        below=", ".join(f"{word} {value:.{digits}f}" for word, value in cell.details),
        bar=bar,
        title="; ".join(
            f"{key} {words}".strip() for key, words in about.items() if words
        ),
    )


def tracks(board: Leaderboard) -> list[Track | None]:
    """Return the track of each column: rates and class readouts have one."""
    return [_track(board, place, column) for place, column in enumerate(board.columns)]


def _track(board: Leaderboard, place: int, column: BoardColumn) -> Track | None:
    if column.declaration.is_readout:
        return Track(span=(0.0, 1.0))
    cells = [row.cells[place] for row in board.rows if row.cells[place].is_measured]
    if not column.declaration.ranks or not cells:
        return None
    # A codec that cannot be conditioned may lie beyond the end of the track.
    within = [cell for cell in cells if cell.route != "none"]
    values = [end for cell in within or cells for end in ends(cell)]
    return Track(span=(min(values), max(values)), is_log=True)
