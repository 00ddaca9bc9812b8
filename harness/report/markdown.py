"""Leaderboards as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis import label_curves
from harness.analysis.board import Absence, Leaderboard
from harness.analysis.ladders import WORDS, correlations, ladder_table
from harness.analysis.results import Results
from harness.report.cells import full, rank
from harness.report.legend import EMPTY, UNOFFICIAL, legend


def markdown(results: Results) -> str:
    """Return the leaderboards as Markdown, the answer in words at the end."""
    ladders = correlations(results.ladders)
    curves = list(label_curves.curve_rows(results.label_curves))
    parts = [] if results.is_official else [f"**{UNOFFICIAL}**"]
    for board in results.leaderboards:
        if board.is_empty:
            continue
        parts += [f"## {board.dataset}", markdown_table(board)]
        parts += _table_parts(WORDS, ladder_table(ladders, board.dataset))
        curve = label_curves.curve_table(curves, board.dataset)
        parts += _table_parts(label_curves.WORDS, curve)
        parts += _absence_parts(board.absences)
    if all(board.is_empty for board in results.leaderboards):
        parts.append(EMPTY)
    # The answer last, where a reader of a long file looks.
    parts += [legend(results), *results.elsewhere, " ".join(results.answer)]
    return "\n\n".join(parts) + "\n"


def markdown_table(board: Leaderboard) -> str:
    """Return the table of one data set."""
    headers = [column.header for column in board.columns]
    lines = [
        [
            *(rank(row.rank), row.name, row.family, full(row.ratio)),
            *map(full, row.cells),
            "; ".join((*row.failures, *row.remarks)),
        ]
        for row in board.rows
    ]
    return _table(
        [["rank", "compressor", "family", "ratio", *headers, "remarks"], *lines]
    )


def _table_parts(words: str, table: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    if table:
        yield words
        yield _table(table)


def _absence_parts(absences: Sequence[Absence]) -> Iterator[str]:
    """Yield the reasons why readouts do not apply; failures stand in remarks already."""
    lines = [
        f"- {absence.task}: {absence.reason}: {', '.join(absence.names)}"
        for absence in absences
        if not absence.is_failure
    ]
    if lines:
        yield "Not applicable:"
        yield "\n".join(lines)


def _table(rows: Sequence[Sequence[str]]) -> str:
    header, *lines = rows
    return "\n".join(map(_line, [header, ["---"] * len(header), *lines]))


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
