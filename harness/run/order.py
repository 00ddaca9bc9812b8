"""Order of jobs: longest first, by the time that the same cell took on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from harness.atomic import write_atomic
from harness.data.card import Card
from harness.data.fetch import cache_folder
from harness.records.job import FIT, Job
from harness.records.store import Store

HISTORY_FILE = "seconds.json"
SECONDS_PER_SAMPLE = 5e-4
LEAST_SECONDS = 0.05


def expected_seconds(
    jobs: Sequence[Job], history: Mapping[str, float], cards: Mapping[str, Card]
) -> list[float]:
    """Return a guess of how long each job takes: as long as last time, or by its size."""
    return [history.get(job.cell, _by_size(job, cards[job.dataset])) for job in jobs]


def longest_first(jobs: Sequence[Job], seconds: Sequence[float]) -> list[Job]:
    """Return the jobs, longest first; a fit counts with all jobs that wait for it."""
    behind: dict[str, float] = {}
    for job, expected in zip(jobs, seconds, strict=True):
        # Readers cannot start before their fit: its delay delays them all.
        if job.fit_key:
            behind[job.fit_key] = behind.get(job.fit_key, 0.0) + expected
    total = {
        job.key: expected + behind.get(job.key, 0.0)
        for job, expected in zip(jobs, seconds, strict=True)
    }
    # Ties by key, so that equal guesses always give one order.
    return sorted(jobs, key=lambda job: (-total[job.key], job.key))


def read_history() -> dict[str, float]:
    """Return seconds by cell, empty on a new machine."""
    try:
        seconds_by_cell = json.loads((cache_folder() / HISTORY_FILE).read_text())
        return {str(cell): float(seconds) for cell, seconds in seconds_by_cell.items()}
    except (OSError, ValueError, AttributeError):
        return {}  # the history only guides the order; sizes serve too


def remember(jobs: Sequence[Job], store: Store) -> None:
    """Add the times of these jobs to the history."""
    history = read_history()
    for job in jobs:
        record = store.read(job.key)
        if record and record.cost.total_wall_seconds:
            history[job.cell] = round(record.cost.total_wall_seconds, 3)
    text = json.dumps(history, sort_keys=True, indent=0)
    cache_folder().mkdir(parents=True, exist_ok=True)
    write_atomic(cache_folder() / HISTORY_FILE, text.encode())


def _by_size(job: Job, card: Card) -> float:
    n = min(job.n_train or card.n_train, card.n_train)
    # A fit reads train alone.
    if job.task != FIT:
        n += min(job.n_test or card.n_test, card.n_test)
    return LEAST_SECONDS + SECONDS_PER_SAMPLE * n * job.weight
