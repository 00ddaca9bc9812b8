"""`bitprobe fetch`: data sets in the cache, verified, before any job needs them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.commands.progress import progress_bar
from harness.data.load import load_dataset


def fetch_all(names: Sequence[str]) -> None:
    """Fetch and verify data sets once, before any job needs them, with a progress bar.

    Raises:
        DatasetError: a data set is unknown, cannot be fetched or contradicts its card.
    """
    with progress_bar() as bar:
        task = bar.add_task("data", total=len(names))
        for name in names:
            bar.update(task, description=f"data: {name}")
            # Loaded for its side effect: it fetches and verifies.
            load_dataset(name)
            bar.advance(task)
