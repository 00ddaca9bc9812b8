"""Records as one long table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

COLUMNS = [
    *("suite", "dataset", "compressor", "family", "task", "score", "state", "route"),
    *("unit", "seed", "draw", "value", "ci_low", "ci_high", "n", "status", "official"),
    "key",
]
EXTRA = ["realised", "note", "reason", "equal_bytes", "prior_bytes", "remark"]


def frame(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per score; a job without scores has one row with its status."""
    rows = [row for record in records for row in _rows(record)]
    table = pd.DataFrame(rows, columns=[*COLUMNS, *EXTRA])
    order = ["dataset", "task", "family", "compressor", "score", "key"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _rows(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    job = record["job"]
    if job["task"] == "fit" and record["status"] == "done":
        return []
    common = {
        "suite": job["suite"],
        "dataset": job["dataset"],
        "compressor": job["subject"]["spec"],
        "family": job["subject"]["family"],
        "task": job["task"],
        "seed": job["seed"],
        "draw": job["draw"],
        "status": record["status"],
        "official": job["official"],
        "key": record["key"],
        "reason": record["reason"],
        "equal_bytes": bool(job["parameters"].get("equal_bytes", False)),
        "prior_bytes": job["subject"]["prior_bytes"],
        "remark": job["remark"],
    }
    if not record["scores"]:
        return [common]
    return [{**common, **score, "score": score["name"]} for score in record["scores"]]
