"""Complete block of a preregistered claim, read from records, and its replicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.preregistered.readings import (
    Reading,
    Readout,
    Table,
    readings,
)
from harness.planning.preregistration import Claim, Registration
from harness.records.job import BASELINE
from harness.records.record import Record
from harness.records.score import HEADLINE
from harness.statistics.block import Block

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ClaimBlock:
    """Block of a claim, and the names of its rows and columns.

    Attributes:
        cells: what stands behind each number: (compressor, data set, "rate" or "metric")
            -> the reading of each draw.
        dropped: compressors with some cells but not all, and what each lacks.
        ambiguous: cells with several records of one version and different values.
    """

    block: Block
    compressors: tuple[str, ...]
    families: tuple[str, ...]
    datasets: tuple[str, ...]
    cells: Mapping[tuple[str, str, str], tuple[Reading, ...]]
    dropped: Mapping[str, str]
    ambiguous: int


def claim_block(
    records: Sequence[Record],
    registration: Registration,
    claim: Claim,
    *,
    rate: str = HEADLINE,
    equal_bytes: bool | None = None,
) -> ClaimBlock | None:
    """Return the complete block of a claim; None where no compressor is complete.

    Args:
        records: of a run.
        registration: families, data sets and draws.
        claim: the readout.
        rate: another rate in place of the headline.
        equal_bytes: another variant of the readout in place of the claim's.
    """
    datasets = tuple(claim.datasets or registration.datasets)
    readouts = _readouts(claim, rate=rate, equal_bytes=equal_bytes)
    tables = {what: readings(records, r, datasets) for what, r in readouts.items()}
    families = _families(records, registration, claim)
    complete, dropped = _complete_rows(families, tables, datasets, registration.draws)
    if not complete:
        return None
    cells = {
        (name, dataset, what): tuple(
            table.readings[name, dataset][draw] for draw in range(registration.draws)
        )
        for name in complete
        for dataset in datasets
        for what, table in tables.items()
    }

    def matrix(what: str) -> Floats:
        rows = [
            [np.mean([each.value for each in cells[name, d, what]]) for d in datasets]
            for name in complete
        ]
        return np.array(rows, np.float64)

    # Rates enter with a minus: higher is better, like the metric.
    names = tuple(sorted({families[name] for name in complete}))
    block = Block(
        rate=-matrix("rate"),
        metric=matrix("metric"),
        family=np.array([names.index(families[name]) for name in complete]),
    )
    return ClaimBlock(
        block=block,
        compressors=tuple(complete),
        families=names,
        datasets=datasets,
        cells=cells,
        dropped=dropped,
        ambiguous=sum(table.ambiguous for table in tables.values()),
    )


def _readouts(
    claim: Claim, *, rate: str, equal_bytes: bool | None
) -> dict[str, Readout]:
    """Return the readouts of rates and of the claim's metric."""
    variant = claim.equal_bytes if equal_bytes is None else equal_bytes
    return {
        # Only the headline has a score without duplicates for every compressor.
        "rate": Readout(task="", score=rate, strict=rate == HEADLINE),
        "metric": Readout(task=claim.task, score=claim.score, equal_bytes=variant),
    }


def _complete_rows(
    families: Mapping[str, str],
    tables: Mapping[str, Table],
    datasets: Sequence[str],
    n_draws: int,
) -> tuple[list[str], dict[str, str]]:
    """Return compressors without a gap, by family, and what the incomplete ones lack."""
    gaps = defaultdict[str, list[str]](list)
    for name in families:
        gaps[name] = [
            f"no {what} on {dataset}"
            for dataset in datasets
            for what, table in tables.items()
            if table.lacks(name, dataset, n_draws)
        ]
    in_order = sorted(families, key=lambda spec: (families[spec], spec))
    complete = [name for name in in_order if not gaps[name]]
    # A compressor without any cell takes no part, and is not worth a line.
    dropped = {
        name: gaps[name][0] + (" and more" if gaps[name][1:] else "")
        for name in in_order
        if 0 < len(gaps[name]) < len(tables) * len(datasets)
    }
    return complete, dropped


def _families(
    records: Sequence[Record], registration: Registration, claim: Claim
) -> dict[str, str]:
    """Return the family of every compressor that the claim may use."""
    families = {}
    for subject in (record.job.subject for record in records):
        excluded = subject.family in (BASELINE, "?", *registration.excluded_families)
        unlisted = registration.families and subject.family not in registration.families
        not_of_claim = claim.compressors and subject.spec not in claim.compressors
        if not (excluded or unlisted or not_of_claim):
            families[subject.spec] = subject.family
    return families
