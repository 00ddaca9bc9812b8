"""`bitprobe hypothesis`: the preregistered test of a folder of records."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.results import results_of
from harness.errors import SuiteError
from harness.records.store import Store
from harness.report.preregistered import hypothesis_document


def folder_hypothesis(folder: Path, output_format: str) -> str:
    """Return the preregistered test of a folder as "text", "markdown" or "json".

    Raises:
        SuiteError: its suite registers none, or its records do not allow it.
        StoreError: it has no records, or a record is damaged.
    """
    results = results_of(Store(folder))
    if results.test is None:
        raise SuiteError(f"{folder}: {results.why_untested}")
    return hypothesis_document(results.test, output_format)
