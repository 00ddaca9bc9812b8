"""`bitprobe joint`: savings of X on Y in a folder of records."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.results import results_of
from harness.records.store import Store
from harness.report.joint import joint_markdown


def folder_joint(folder: Path) -> str:
    """Return tables and claims of the joint and transfer records of a folder, as Markdown.

    Raises:
        StoreError: it has no records, or a record is damaged.
    """
    return joint_markdown(results_of(Store(folder)).records)
