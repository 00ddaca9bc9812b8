"""Progress bars and messages on the standard error; the standard output may be a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from harness.records.job import Job


def say(message: str) -> None:
    """Write one line to the standard error."""
    sys.stderr.write(f"{message}\n")


@contextmanager
def bar(label: str, source: Path | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar with elapsed time; in bytes of `source` where that is a file.

    Yields:
        A callback that takes the number of bytes done.
    """
    # A pipe has no size: its bar shows bytes, but no share.
    size = source.stat().st_size if source is not None and source.is_file() else None
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
    ]
    if source is not None:
        columns += [DownloadColumn(), TimeRemainingColumn()]
    with transient_bar(*columns, TimeElapsedColumn()) as progress:
        task = progress.add_task(label, total=size)
        yield lambda n_bytes: progress.update(task, completed=n_bytes)


def transient_bar(*columns: ProgressColumn) -> Progress:
    """Return a bar that disappears when done, and that only a terminal shows."""
    # Off a terminal, a bar would fill a log with control characters.
    console = Console(stderr=True)
    return Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    )


def progress_bar() -> Progress:
    """Return a bar on the standard error, gone when it is done."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )


class JobsBar:
    """Bar in expected seconds, since jobs differ too much in length for a count of jobs."""

    def __init__(self, expected: dict[str, float]) -> None:
        self._expected = expected
        self._n_ended = 0
        self._progress = Progress(
            TextColumn("{task.description:<60}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[n]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(
            "starting", total=sum(expected.values()), n=f"0/{len(expected)}"
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def ended(self, job: Job, status: str) -> None:
        """Move the bar past a job."""
        self._n_ended += 1
        self._progress.update(
            self._task,
            advance=self._expected[job.key],
            # Cut to its column's width, so that the bar stays in place.
            description=f"{job.cell}: {status}"[:60],
            n=f"{self._n_ended}/{len(self._expected)}",
        )
