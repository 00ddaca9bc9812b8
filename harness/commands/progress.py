"""Progress bars and messages on the standard error; the standard output may be a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


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
