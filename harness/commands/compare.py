"""`bitprobe compare`: two compressors on the same test samples."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.compare import compare_stored, comparison_text
from harness.analysis.results import results_of
from harness.contract.compressor import spec_of
from harness.contract.registry import load_registry
from harness.records.store import Store


def compare_in(
    folder: Path, first: str, second: str, *, dataset: str, task: str
) -> str:
    """Return the comparison of two compressors in a folder of records, as text.

    Raises:
        UsageError: a spec is unknown, or the folder lacks its record.
        StoreError: it has no records, or a record is damaged.
    """
    store = Store(folder)
    measured = {record.spec for record in results_of(store).records}
    specs = [_spelled(spec, measured) for spec in (first, second)]
    return comparison_text(compare_stored(store, *specs, dataset=dataset, task=task))


def _spelled(spec: str, measured: set[str]) -> str:
    """Return a spec in the spelling of records."""
    # Baselines, and plugins that are gone, have records but cannot be parsed.
    if spec in measured:
        return spec
    return spec_of(load_registry().parse(spec))
