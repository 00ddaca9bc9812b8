"""Progress bars on the standard error."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from harness.records.job import Job


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
    """A bar in expected seconds, so that the time left means something."""

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
            description=f"{job.cell}: {status}"[:60],
            n=f"{self._n_ended}/{len(self._expected)}",
        )
