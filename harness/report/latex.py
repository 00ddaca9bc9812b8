"""Leaderboards as LaTeX tables, with the package booktabs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.analysis.board import Leaderboard, Row
from harness.analysis.results import Results
from harness.report.cells import full, rank
from harness.report.legend import EMPTY, UNOFFICIAL, intervals, legend

ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\u00b1": r"$\pm$",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    }
)


def latex(results: Results) -> str:
    """Return one `table` environment per data set; the answer stands in comments."""
    # As comments: a paper says this in its own words.
    lines = [f"% {line}" for line in (legend(results), *results.answer)]
    lines.append("% Needs \\usepackage{booktabs}.")
    if not results.is_official:
        lines.append(f"% {UNOFFICIAL}")
    boards = [board for board in results.leaderboards if not board.is_empty]
    if not boards:
        lines.append(f"% {EMPTY}")
    tables = ["\n".join(_table(board, intervals(results))) for board in boards]
    return "\n\n".join(["\n".join(lines), *tables]) + "\n"


def escaped(text: str) -> str:
    """Return a text in which no letter has a meaning to LaTeX."""
    return text.translate(ESCAPES)


def _table(board: Leaderboard, ends: str) -> Iterator[str]:
    headers = [column.header for column in board.columns]
    yield r"\begin{table}"
    yield rf"\caption{{Leaderboard of {escaped(board.dataset)}. Brackets: {escaped(ends)}.}}"
    yield rf"\begin{{tabular}}{{rllr{'r' * len(headers)}l}}"
    yield r"\toprule"
    yield _line(["rank", "compressor", "family", "ratio", *headers, "remarks"])
    yield r"\midrule"
    yield from map(_row, board.compressors)
    # A rule sets baselines apart, as the line does in other formats.
    if board.baselines:
        yield r"\midrule"
        yield from map(_row, board.baselines)
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"


def _row(row: Row) -> str:
    cells = [
        rank(row.rank),
        row.name,
        row.family,
        full(row.ratio),
        *map(full, row.cells),
    ]
    return _line([*cells, "; ".join((*row.failures, *row.remarks))])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"
