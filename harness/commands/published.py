"""`bitprobe published`: figures of others, recomputed by their protocols."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from rich.table import Table as Grid

from harness.atomic import write_atomic
from harness.errors import StoreError
from harness.published.protocols import outcome_of
from harness.published.rows import Outcome, Row, Source, published_table, selected_rows
from harness.report.published import (
    HEADERS,
    cells,
    published_json,
    published_markdown,
    summary,
)
from harness.report.terminal import wide_console


def run_published(
    patterns: Sequence[str], output: Path | None, *, n_jobs: int = 1
) -> None:
    """Recompute rows, print the table, and write it if a folder is given.

    Args:
        patterns: of names of rows; empty takes all.
        output: for the table and its records; None writes none.
        n_jobs: rows at a time, each in a process of its own; 1 takes this process.

    Raises:
        SuiteError: a pattern matches no row.
        StoreError: the folder cannot be written.
    """
    table = published_table()
    console = wide_console()
    rows = selected_rows(table, patterns)
    outcomes: list[Outcome] = []
    # Some rows take minutes: the line says how many are still to come.
    with console.status("recomputing") as status:
        for outcome in _outcomes(rows, n_jobs):
            outcomes.append(outcome)
            status.update(f"{len(outcomes)} of {len(rows)}, {outcome.row.name} last")
    grid = Grid(*HEADERS)
    for outcome in outcomes:
        grid.add_row(*(cell.strip("`") for cell in cells(outcome)))
    console.print(grid, highlight=False)
    for outcome in outcomes:
        if outcome.ours is None:
            words = f"{outcome.row.name}: {outcome.reason}"
            console.print(words, highlight=False, markup=False)
    console.print(summary(outcomes), highlight=False)
    if output is not None:
        _write(output, outcomes, table.sources)


def _outcomes(rows: Sequence[Row], n_jobs: int) -> Iterator[Outcome]:
    """Yield the outcomes of rows in their order."""
    if n_jobs == 1:
        yield from map(outcome_of, rows)
        return
    # Not forked: a child of a process with threads of a library may hang.
    with ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(outcome_of, rows)


def _write(
    folder: Path, outcomes: Sequence[Outcome], sources: dict[str, Source]
) -> None:
    files = {
        "table.md": published_markdown(outcomes, sources),
        "rows.json": published_json(outcomes, sources),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_atomic(folder / name, text.encode())
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}; give another --output"
        ) from error
