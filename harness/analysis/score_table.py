"""Score table: records as one long table, a row per score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pandas as pd

from harness.records.record import Record
from harness.records.score import Score, Variant

COLUMNS = [
    *("suite", "dataset", "compressor", "family", "task", "score", "state", "route"),
    *("unit", "seed", "draw", "value", "ci_low", "ci_high", "n", "status", "official"),
    "key",
]
"""Columns of the CSV."""
QUALIFIERS = ["metric", *(field.name for field in fields(Variant)), "deduplicated"]
EXTRA = [
    *("realised", "beyond_window", "note", "reason", "equal_bytes", "prior_bytes"),
    "remark",
]


def score_table(records: Sequence[Record]) -> pd.DataFrame:
    """Return one row per score; a job without scores has one row with its status.

    Columns: those of the CSV; the fields of `Score` and its variant, so that no name needs
    to be cut; and remarks. Successful fits have no row.
    """
    rows = [row for record in records for row in _rows(record)]
    table = pd.DataFrame(rows, columns=[*COLUMNS, *QUALIFIERS, *EXTRA])
    order = ["dataset", "task", "family", "compressor", "score", "key"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _rows(record: Record) -> list[dict[str, Any]]:
    if record.is_fit and record.is_done:
        return []
    job, subject = record.job, record.job.subject
    common = {
        "suite": job.suite,
        "dataset": job.dataset,
        "compressor": subject.spec,
        "family": subject.family,
        "task": job.task,
        "seed": job.seed,
        "draw": job.draw,
        "status": record.status,
        "official": job.official,
        "key": record.key,
        "reason": record.reason,
        "equal_bytes": bool(job.parameters.get("equal_bytes", False)),
        "prior_bytes": subject.prior_bytes,
        "remark": job.remark,
    }
    if not record.scores:
        return [common]
    return [common | _score_row(score) for score in record.scores]


def _score_row(score: Score) -> dict[str, Any]:
    # Not `asdict`, which copies deeply: a run has a hundred thousand scores.
    numbers = {name: value for name, value in vars(score).items() if name != "variant"}
    return numbers | vars(score.variant) | {"score": score.name}
