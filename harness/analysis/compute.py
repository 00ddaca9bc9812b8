"""Costs of fits: size of the artifact, CPU seconds, a checkpoint's share of its ladder's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.records.job import Subject
from harness.records.record import Record


def compute_seconds(records: Sequence[Record]) -> dict[tuple[str, str], float]:
    """Return CPU seconds of fitting by compressor and data set, mean over draws.

    The checkpoints of a ladder are written by one child, and each record has that child's
    seconds. A checkpoint gets the share that its rung has of the child's last one: a model
    whose rungs are training steps has spent that much by then (0 at 0 steps).
    """
    fits = [record for record in records if record.is_fit and record.is_done]
    # The last rung of each child tells what the whole ladder took.
    last: dict[Any, float] = defaultdict(float)
    for fit in fits:
        last[_child(fit)] = max(last[_child(fit)], rung_of(fit.job.subject))
    by_draw: dict[tuple[str, str], list[float]] = defaultdict(list)
    for fit in fits:
        seconds = fit.cost.cpu_seconds
        if seconds is not None:
            top = last[_child(fit)]
            # Apart from ladders a fit has all of its own seconds.
            share = rung_of(fit.job.subject) / top if top else 1.0
            by_draw[fit.spec, fit.job.dataset].append(seconds * share)
    return {cell: float(np.mean(draws)) for cell, draws in by_draw.items()}


def artifact_bits(records: Sequence[Record]) -> dict[tuple[str, str], float]:
    """Return bits of the artifact by compressor and data set, mean over draws.

    They stand for parameters: networks of one family have the same bits per weight.
    """
    by_draw: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record in records:
        if record.is_fit and record.is_done and record.artifact_bits is not None:
            by_draw[record.spec, record.job.dataset].append(record.artifact_bits)
    return {cell: float(np.mean(draws)) for cell, draws in by_draw.items()}


def rung_of(subject: Subject) -> float:
    """Return the rung of a compressor on its ladder; 0 where it has none."""
    rung = subject.fields.get(subject.ladder_field)
    return float(rung) if isinstance(rung, int | float) else 0.0


def ladder_key(subject: Subject) -> str:
    """Return what all checkpoints of a network share: name and fields but the ladder's."""
    fields = {k: v for k, v in subject.fields.items() if k != subject.ladder_field}
    return repr((subject.name, sorted(fields.items())))


def _child(fit: Record) -> tuple[Any, ...]:
    """Return what identifies the child process: rungs fitted apart took other seconds."""
    where = (fit.job.dataset, fit.job.draw, fit.cost.cpu_seconds)
    return ladder_key(fit.job.subject), *where
