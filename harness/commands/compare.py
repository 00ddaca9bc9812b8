"""`bitprobe compare`: two compressors on the same test samples."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.compare import compare_stored, comparison_text
from harness.records.store import Store


def compare_in(
    folder: Path, first: str, second: str, *, dataset: str, task: str
) -> str:
    """Return the comparison of two compressors in a folder of records, as text.

    Raises:
        UsageError: the folder lacks a record or the per-sample results of one of them.
        StoreError: it has no records, or what is there is damaged.
    """
    comparisons = compare_stored(
        Store(folder), first, second, dataset=dataset, task=task
    )
    return comparison_text(comparisons)
