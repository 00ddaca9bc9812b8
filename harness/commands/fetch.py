"""`bitprobe fetch`: data sets in the cache, verified, before any job needs them."""

from __future__ import annotations

from collections.abc import Sequence

from harness.commands.progress import progress_bar
from harness.data.card import Card
from harness.data.load import load_anew


def fetch_all(cards: Sequence[Card]) -> None:
    """Fetch and verify data sets once, before any job needs them, with a progress bar.

    Raises:
        DatasetError: a data set is unknown, cannot be fetched or contradicts its card.
    """
    with progress_bar() as bar:
        task = bar.add_task("data", total=len(cards))
        for card in cards:
            bar.update(task, description=f"data: {card.name}")
            # Loaded for its side effect: it fetches and verifies.
            load_anew(card)
            bar.advance(task)
