"""Checks of a claim: under other rates, at equal bytes, and given what its models cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.compute import compute_seconds, ladder_key, rung_of
from harness.analysis.preregistered.block import ClaimBlock, claim_block
from harness.analysis.preregistered.result import DECIDED_BY
from harness.planning.preregistration import Claim, Registration
from harness.records.record import Record
from harness.statistics.block import MIN_COMPRESSORS, STATISTICS, overall, partial


def checks_of(
    records: Sequence[Record],
    registration: Registration,
    claim: Claim,
    claimed: ClaimBlock,
) -> dict[str, float | None]:
    """Return the deciding statistic under other rates and at equal bytes."""
    has_variant = any(
        "equal_bytes" in record.job.parameters
        for record in records
        if record.job.task == claim.task
    )
    equal = claim_block(records, registration, claim, equal_bytes=True)
    rates = {
        f"{name} rates": claim_block(records, registration, claim, rate=f"{name}_bpb")
        for name in ("isolated", "prequential")
    }
    # A readout without that parameter gives every compressor the same bytes anyway.
    blocks = {**rates, "equal bytes": equal if has_variant else claimed}
    return {name: _deciding_statistic(block, claim) for name, block in blocks.items()}


def _deciding_statistic(claimed: ClaimBlock | None, claim: Claim) -> float | None:
    """Return the deciding statistic of a block, None where it is undefined."""
    if claimed is None or len(claimed.compressors) < MIN_COMPRESSORS:
        return None
    block, decided_by = claimed.block, DECIDED_BY[claim.name]
    is_enough = (
        block.n_families > 1 if decided_by == "between" else max(block.sizes) > 1
    )
    return STATISTICS[decided_by](block) if is_enough else None


def partials_of(
    records: Sequence[Record], claimed: ClaimBlock
) -> dict[str, float | None]:
    """Return the statistic given what models cost, and of final checkpoints only."""
    numbers: dict[str, float | None] = {"all checkpoints": overall(claimed.block)}
    costs = {
        "log parameters": _artifact_bits(records),
        "log compute": compute_seconds(records),
    }
    for name, cost in costs.items():
        cells = [
            [cost.get((c, d), math.nan) for d in claimed.datasets]
            for c in claimed.compressors
        ]
        covariate = np.array(cells, np.float64)
        # Only ranks count: the logarithm would change nothing, but lose 0 steps.
        numbers[f"given {name}"] = (
            partial(claimed.block, covariate) if np.isfinite(covariate).all() else None
        )
    # Checkpoints of one network are no independent evidence: the last one stands alone.
    final = _final(records, claimed)
    enough = len(final) >= MIN_COMPRESSORS
    numbers["final checkpoints only"] = (
        overall(claimed.block.take(np.array(final))) if enough else None
    )
    return numbers


def _artifact_bits(records: Sequence[Record]) -> dict[tuple[str, str], float]:
    return {
        (record.spec, record.job.dataset): float(record.artifact_bits)
        for record in records
        if record.is_fit and record.is_done and record.artifact_bits is not None
    }


def _final(records: Sequence[Record], claimed: ClaimBlock) -> list[int]:
    """Return the rows that are the last rung of their ladder, or stand on none."""
    subjects = {record.spec: record.job.subject for record in records}
    last: dict[str, tuple[float, int]] = {}
    for row, spec in enumerate(claimed.compressors):
        subject = subjects[spec]
        rung, ladder = rung_of(subject), ladder_key(subject)
        if ladder not in last or rung > last[ladder][0]:
            last[ladder] = (rung, row)
    return sorted(row for _, row in last.values())
