"""Records as a document in one of the formats of `bitprobe report`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.analysis.ladders import ladder_points
from harness.analysis.score_table import COLUMNS, frame
from harness.report.terminal import markdown

Records = Sequence[Mapping[str, Any]]


def document(records: Records, output_format: str, *, answer: str) -> str:
    """Return records as "markdown", "csv", "json" (one record a line) or "html"."""
    if output_format == "json":
        return "".join(f"{json.dumps(r, sort_keys=True)}\n" for r in records)
    table = frame(records)
    if output_format == "csv":
        return str(table[COLUMNS].to_csv(index=False))
    if output_format == "markdown":
        return markdown(table, ladder_points(records), answer)
    from harness.report.html import html_page

    title = "bitprobe: " + ", ".join(sorted(table["suite"].unique()))
    return html_page(
        table,
        ladder_points(records),
        title=title,
        answer=answer,
        provenance=_provenance(records),
    )


def _provenance(records: Records) -> dict[str, str]:
    """Return what a reader needs to repeat the run."""
    jobs = [record["job"] for record in records]
    versions = {
        f"{k} {v}" for job in jobs for k, v in job["subject"]["versions"].items()
    }
    machines = {
        f"Python {r['environment']['python']}, {r['environment']['cores']} cores"
        for r in records
    }
    return {
        "suite": ", ".join(sorted({job["suite"] for job in jobs})),
        "seeds": ", ".join(map(str, sorted({job["seed"] for job in jobs}))),
        "machine": "; ".join(sorted(machines)),
        "libraries": ", ".join(sorted(versions)),
        "records": str(len(records)),
    }
