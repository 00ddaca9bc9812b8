"""What fitting took: CPU seconds of every fit, a checkpoint's share of its ladder's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Record = Mapping[str, Any]


def compute_seconds(records: Sequence[Record]) -> dict[tuple[str, str], float]:
    """Return CPU seconds of fitting by compressor and data set, mean over draws.

    The checkpoints of a ladder are written by one child, and each record has that child's
    seconds. A checkpoint gets the share that its rung has of the child's last one: a model
    whose rungs are training steps has spent that much by then (0 at 0 steps).
    """
    fits = [r for r in records if r["job"]["task"] == "fit" and r["status"] == "done"]
    last: dict[Any, float] = defaultdict(float)
    for fit in fits:
        last[_child(fit)] = max(last[_child(fit)], rung_of(fit["job"]["subject"]))
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for fit in fits:
        seconds = fit["cost"].get("cpu_seconds")
        if seconds is not None:
            job, top = fit["job"], last[_child(fit)]
            share = rung_of(job["subject"]) / top if top else 1.0
            found[job["subject"]["spec"], job["dataset"]].append(seconds * share)
    return {cell: float(np.mean(draws)) for cell, draws in found.items()}


def rung_of(subject: Mapping[str, Any]) -> float:
    """Return where on its ladder a compressor stands; 0 where it has none."""
    rung = subject.get("fields", {}).get(subject.get("ladder_field", ""))
    return float(rung) if isinstance(rung, int | float) else 0.0


def ladder_key(subject: Mapping[str, Any]) -> str:
    """Return what all checkpoints of a network share: name and fields but the ladder's."""
    field = subject.get("ladder_field", "")
    fields = {k: v for k, v in subject.get("fields", {}).items() if k != field}
    return repr((subject.get("name", subject["spec"]), sorted(fields.items())))


def _child(fit: Record) -> tuple[Any, ...]:
    """Return what tells the child process: rungs fitted apart took other seconds."""
    job = fit["job"]
    where = (job["dataset"], job["draw"], fit["cost"].get("cpu_seconds"))
    return ladder_key(job["subject"]), *where
