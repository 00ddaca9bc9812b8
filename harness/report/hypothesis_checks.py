"""A claim under other rates, at equal bytes, and given what its models cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.evidence.block import STATISTICS, overall, partial
from harness.registration import Claim, Registration
from harness.report.hypothesis_block import ClaimBlock, Record, claim_block
from harness.report.hypothesis_result import DECIDED_BY, MIN_COMPRESSORS

COVARIATES = {"log parameters": "artifact_bits", "log compute": "cpu_seconds"}


def checks_of(
    records: Sequence[Record],
    registration: Registration,
    claim: Claim,
    found: ClaimBlock,
) -> dict[str, float | None]:
    """Return the deciding statistic under other rates and at equal bytes."""
    has_variant = any(
        "equal_bytes" in record["job"]["parameters"]
        for record in records
        if record["job"]["task"] == claim.task
    )
    equal = claim_block(records, registration, claim, equal_bytes=True)
    rates = {
        f"{name} rates": claim_block(records, registration, claim, rate=f"{name}_bpb")
        for name in ("isolated", "prequential")
    }
    # A readout without that parameter gives every compressor the same bytes anyway.
    blocks = {**rates, "equal bytes": equal if has_variant else found}
    return {name: _sign_of(other, claim) for name, other in blocks.items()}


def _sign_of(found: ClaimBlock | None, claim: Claim) -> float | None:
    if found is None or len(found.compressors) < MIN_COMPRESSORS:
        return None
    block, decided_by = found.block, DECIDED_BY[claim.name]
    is_enough = (
        block.n_families > 1 if decided_by == "between" else max(block.sizes) > 1
    )
    return STATISTICS[decided_by](block) if is_enough else None


def partials_of(
    records: Sequence[Record], found: ClaimBlock
) -> dict[str, float | None]:
    """Return the statistic given what models cost, and of final checkpoints only."""
    numbers: dict[str, float | None] = {"all checkpoints": overall(found.block)}
    fits = {
        (r["job"]["subject"]["spec"], r["job"]["dataset"]): r
        for r in records
        if r["job"]["task"] == "fit" and r["status"] == "done"
    }
    for name, field in COVARIATES.items():
        cells = [
            [_cost(fits.get((c, d)), field) for d in found.datasets]
            for c in found.compressors
        ]
        covariate = np.array(cells, np.float64)
        known = np.isfinite(covariate).all() and (covariate > 0).all()
        numbers[f"given {name}"] = (
            partial(found.block, np.log(covariate)) if known else None
        )
    final = _final(records, found)
    enough = len(final) >= MIN_COMPRESSORS
    numbers["final checkpoints only"] = (
        overall(found.block.take(np.array(final))) if enough else None
    )
    return numbers


def _cost(fit: Record | None, field: str) -> float:
    if fit is None:
        return math.nan
    value = fit["cost"].get(field) if field == "cpu_seconds" else fit.get(field)
    return math.nan if value is None else float(value)


def _final(records: Sequence[Record], found: ClaimBlock) -> list[int]:
    """Return the rows that are the last rung of their ladder, or stand on none."""
    subjects = {r["job"]["subject"]["spec"]: r["job"]["subject"] for r in records}
    last: dict[str, tuple[float, int]] = {}
    for row, spec in enumerate(found.compressors):
        subject = subjects[spec]
        field = subject.get("ladder_field", "")
        fields = {k: v for k, v in subject.get("fields", {}).items() if k != field}
        rung = float(subject["fields"][field]) if field else 0.0
        ladder = repr((subject.get("name", spec), sorted(fields.items())))
        if ladder not in last or rung > last[ladder][0]:
            last[ladder] = (rung, row)
    return sorted(row for _, row in last.values())
