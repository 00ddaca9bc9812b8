"""Checks of a claim: its statistic under other rates, without parts, and given costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from harness.analysis.compute import (
    artifact_bits,
    compute_seconds,
    ladder_key,
    rung_of,
)
from harness.analysis.preregistered.block import ClaimBlock, claim_block
from harness.analysis.preregistered.result import Sensitivity
from harness.planning.preregistration import Claim, Registration
from harness.records.record import Record
from harness.records.score import BALANCED_ACCURACY
from harness.statistics.block import (
    MIN_COMPRESSORS,
    Block,
    Floats,
    overall,
    partial,
)
from harness.statistics.cells import family_correlations, partial_correlations
from harness.statistics.crossed import crossed_mean

OTHER_RATES = ("isolated", "prequential")
FEW_LABELS = (1, 5, 10, 50)
Statistic = Callable[[Block], float]


def inside_mean(block: Block) -> float:
    """Return the mean over families and data sets of Spearman inside each."""
    return crossed_mean(family_correlations(block))


def statistic_of(claim: Claim) -> Statistic:
    """Return the statistic that decides a claim."""
    return inside_mean if claim.is_within_families else overall


def sensitivity_of(
    records: Sequence[Record],
    registration: Registration,
    claim: Claim,
    claimed: ClaimBlock,
) -> Sensitivity:
    """Return the deciding statistic under other choices."""
    rates = {
        f"{name} rates": _value(
            claim_block(records, registration, claim, rate=f"{name}_bpb"), claim
        )
        for name in OTHER_RATES
    }
    return Sensitivity(
        without=_without(registration, claim, claimed),
        rates=rates,
        others=(
            _inside_others(records, registration, claim, claimed)
            if claim.is_within_families
            else _over_others(records, claimed)
        ),
    )


def _value(claimed: ClaimBlock | None, claim: Claim) -> float | None:
    """Return the deciding statistic of a block, None where it is undefined."""
    if claimed is None or len(claimed.compressors) < MIN_COMPRESSORS:
        return None
    value = statistic_of(claim)(claimed.block)
    return None if math.isnan(value) else value


def _without(
    registration: Registration, claim: Claim, claimed: ClaimBlock
) -> dict[str, float | None]:
    """Return the statistic without each unit of compressors, and each data set."""
    statistic, block = statistic_of(claim), claimed.block
    of_row = [claimed.families[family] for family in block.family]
    groups = {family: {family} for family in claimed.families}
    if not claim.is_within_families:
        # Families of one ancestor also leave together, but not the networks of claim R.
        for name, members in registration.superfamilies.items():
            families = set(members) & set(claimed.families)
            if len(families) > 1:
                groups[f"all {name}"] = families
    without: dict[str, float | None] = {}
    for name, families in groups.items():
        rows = np.flatnonzero([family not in families for family in of_row])
        is_enough = len(rows) >= MIN_COMPRESSORS
        without[f"without {name}"] = statistic(block.take(rows)) if is_enough else None
    for d, dataset in enumerate(claimed.datasets):
        columns = np.delete(np.arange(len(claimed.datasets)), d)
        is_enough = len(columns) > 0
        without[f"without {dataset}"] = (
            statistic(block.on(columns)) if is_enough else None
        )
    return without


def _inside_others(
    records: Sequence[Record],
    registration: Registration,
    claim: Claim,
    claimed: ClaimBlock,
) -> dict[str, float | None]:
    """Return the mean inside families in one size, given costs, and of other readouts."""
    numbers: dict[str, float | None] = {
        "within one size": crossed_mean(one_size_correlations(claimed))
    }
    for name, covariate in _costs(records, claimed).items():
        cells = partial_correlations(claimed.block, covariate)
        numbers[f"given {name}"] = crossed_mean(cells)
    for name, score in _other_scores(claim.score).items():
        other = claim_block(records, registration, claim, score=score)
        numbers[name] = _value(other, claim)
    return numbers


def one_size_correlations(claimed: ClaimBlock) -> Floats:
    """Return correlations among configurations of one size: (F, D).

    Sizes of three configurations or more count alike.
    """
    sizes = [str(subject.fields.get("size")) for subject in claimed.subjects]
    labels = list(zip(claimed.block.family.tolist(), sizes, strict=True))
    groups = sorted(set(labels))
    of_group = np.array([groups.index(label) for label in labels], np.int64)
    block = Block(
        rate=claimed.block.rate,
        metric=claimed.block.metric,
        family=of_group,
        near_tie=claimed.block.near_tie,
    )
    by_group = family_correlations(block)  # (n_groups, D)
    members = np.array([family for family, _ in groups])
    return np.array([_mean_of_rows(by_group[members == f]) for f in np.unique(members)])


def _mean_of_rows(table: Floats) -> Floats:
    """Return column means of what is not nan; nan where all is."""
    counts = np.isfinite(table).sum(axis=0)
    sums = np.nansum(table, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)


def _other_scores(score: str) -> dict[str, str]:
    """Return the scores of other layers, of few labels and of random weights, by name."""
    variant = score.removeprefix(BALANCED_ACCURACY)
    scores = {
        f"{layer} layer": BALANCED_ACCURACY + variant.replace("_middle", f"_{layer}")
        for layer in ("first", "last")
    }
    scores |= {
        f"{n} label{'s' if n > 1 else ''} per class": f"{BALANCED_ACCURACY}_at_{n}{variant}"
        for n in FEW_LABELS
    }
    return scores | {"random weights": f"{BALANCED_ACCURACY}_random_init{variant}"}


def _over_others(
    records: Sequence[Record],
    claimed: ClaimBlock,
) -> dict[str, float | None]:
    """Return the statistic given what models cost, and of final checkpoints only."""
    numbers: dict[str, float | None] = {}
    for name, covariate in _costs(records, claimed).items():
        is_complete = np.isfinite(covariate).all()
        numbers[f"given {name}"] = (
            partial(claimed.block, covariate) if is_complete else None
        )
    # Checkpoints of one network are no independent evidence: the last one stands alone.
    final = _final(claimed)
    enough = len(final) >= MIN_COMPRESSORS
    numbers["final checkpoints only"] = (
        overall(claimed.block.take(np.array(final))) if enough else None
    )
    return numbers


def _costs(records: Sequence[Record], claimed: ClaimBlock) -> dict[str, Floats]:
    """Return costs by name, (n, D) each; only their ranks count, so that no log is taken."""
    costs = {
        "log parameters": artifact_bits(records),
        "log CPU seconds": compute_seconds(records),
    }
    return {
        name: np.array(
            [
                [cost.get((c, d), math.nan) for d in claimed.datasets]
                for c in claimed.compressors
            ],
            np.float64,
        )
        for name, cost in costs.items()
    }


def _final(claimed: ClaimBlock) -> list[int]:
    """Return the rows that are the last rung of their ladder, or stand on none."""
    last: dict[str, tuple[float, int]] = {}
    for row, subject in enumerate(claimed.subjects):
        rung, ladder = rung_of(subject), ladder_key(subject)
        if ladder not in last or rung > last[ladder][0]:
            last[ladder] = (rung, row)
    return sorted(row for _, row in last.values())
