"""Block of a preregistered claim, read from records."""

from __future__ import annotations

import math
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
from harness.records.job import BASELINE, Subject
from harness.records.record import Record
from harness.records.score import HEADLINE
from harness.statistics.block import Block

Floats = NDArray[np.float64]
Tables = Mapping[str, Table]
NEURAL_LIBRARY = "torch"
"""Distribution by whose version a network is known."""


@dataclass(frozen=True, kw_only=True)
class ClaimBlock:
    """Block of a claim, and the names of its rows and columns.

    Attributes:
        block: complete, or for a claim inside families nan where a cell is missing.
        subjects: of the rows.
        families: by their numbers in the block.
        cells: what stands behind each number: (compressor, data set, "rate" or "metric")
            -> the reading of each draw.
        dropped: compressors, or single cells of families, that lack something, and what.
        ambiguous: cells with several records of one version and different values.
    """

    block: Block
    subjects: tuple[Subject, ...]
    families: tuple[str, ...]
    datasets: tuple[str, ...]
    cells: Mapping[tuple[str, str, str], tuple[Reading, ...]]
    dropped: Mapping[str, str]
    ambiguous: int

    @property
    def compressors(self) -> tuple[str, ...]:
        """Specs of the rows."""
        return tuple(subject.spec for subject in self.subjects)

    @property
    def n_networks(self) -> int:
        """Rows that are networks."""
        return sum(NEURAL_LIBRARY in subject.versions for subject in self.subjects)

    def column(self, dataset: str) -> int:
        """Return the number of a data set."""
        return self.datasets.index(dataset)


def claim_block(
    records: Sequence[Record],
    registration: Registration,
    claim: Claim,
    *,
    rate: str = "",
    score: str = "",
) -> ClaimBlock | None:
    """Return the block of a claim; None where no compressor has its numbers.

    Args:
        records: of a run.
        registration: families, data sets and draws.
        claim: the readout; all compressors of one over compressors have every cell.
        rate: another rate in place of the claim's.
        score: another score of the same task in place of the claim's.
    """
    datasets = tuple(claim.datasets or registration.datasets)
    readouts = {
        "rate": _rate_of(claim, rate),
        "metric": Readout(
            task=claim.task, score=score or claim.score, equal_bytes=claim.equal_bytes
        ),
    }
    tables = {what: readings(records, r, datasets) for what, r in readouts.items()}
    subjects = _subjects(records, registration, claim)
    complete = {
        (name, dataset)
        for name in subjects
        for dataset in datasets
        if not any(
            table.lacks(name, dataset, registration.draws) for table in tables.values()
        )
    }
    rows = _rows(subjects, complete, datasets, inside=claim.is_within_families)
    if not rows:
        return None
    families = tuple(sorted({subject.family for subject in rows}))
    if claim.is_within_families:
        # A family without any cell, such as a codec without layers, lacks nothing.
        subjects = {k: v for k, v in subjects.items() if v.family in families}
    present = [
        (subject.spec, dataset)
        for subject in rows
        for dataset in datasets
        if (subject.spec, dataset) in complete
    ]
    cells = _cells(present, tables, registration.draws)
    return ClaimBlock(
        block=Block(
            # Rates enter with a minus: higher is better, like the metric.
            rate=-_matrix(rows, datasets, cells, "rate"),
            metric=_matrix(rows, datasets, cells, "metric"),
            family=np.array([families.index(subject.family) for subject in rows]),
            near_tie=registration.near_tie,
        ),
        subjects=tuple(rows),
        families=families,
        datasets=datasets,
        cells=cells,
        dropped=_gaps(claim, subjects, tables, datasets, registration.draws),
        ambiguous=sum(table.ambiguous for table in tables.values()),
    )


def _cells(
    present: Sequence[tuple[str, str]], tables: Tables, n_draws: int
) -> dict[tuple[str, str, str], tuple[Reading, ...]]:
    """Return the readings of all draws of (compressor, data set) pairs that have them."""
    return {
        (*pair, what): tuple(table.readings[pair][draw] for draw in range(n_draws))
        for pair in present
        for what, table in tables.items()
    }


def _rate_of(claim: Claim, rate: str) -> Readout:
    """Return the readout of a rate: the one asked for, else the claim's own."""
    if claim.rate == "likelihood" and not rate:
        # By its task, since rates of any task are those of decoded bytes.
        return Readout(task="rates", score="likelihood_bpb")
    name = rate or HEADLINE
    # Only the headline has a score without duplicates for every compressor.
    return Readout(task="", score=name, strict=name == HEADLINE)


def _matrix(
    rows: Sequence[Subject],
    datasets: Sequence[str],
    cells: Mapping[tuple[str, str, str], tuple[Reading, ...]],
    what: str,
) -> Floats:
    """Return means over draws, nan where a cell is missing: (n, D)."""

    def mean(cell: tuple[str, str, str]) -> float:
        draws = cells.get(cell, ())
        return sum(each.value for each in draws) / len(draws) if draws else math.nan

    return np.array(
        [[mean((subject.spec, d, what)) for d in datasets] for subject in rows],
        np.float64,
    )


def _rows(
    subjects: Mapping[str, Subject],
    complete: set[tuple[str, str]],
    datasets: Sequence[str],
    *,
    inside: bool,
) -> list[Subject]:
    """Return the subjects of the rows by family: with every cell, or inside with any."""
    enough = any if inside else all
    return [
        subjects[name]
        for name in sorted(subjects, key=lambda spec: (subjects[spec].family, spec))
        if enough((name, dataset) in complete for dataset in datasets)
    ]


def _gaps(
    claim: Claim,
    subjects: Mapping[str, Subject],
    tables: Tables,
    datasets: Sequence[str],
    n_draws: int,
) -> dict[str, str]:
    """Return the compressors with gaps, and what each lacks.

    A compressor that lacks everything takes no part and is not worth a line. Inside
    families a gap is a configuration with one of the two numbers: families need not be on
    every data set.
    """
    dropped = {}
    for name in sorted(subjects, key=lambda spec: (subjects[spec].family, spec)):
        gaps, n_cells = [], 0
        for dataset in datasets:
            lacks = [
                what for what, t in tables.items() if t.lacks(name, dataset, n_draws)
            ]
            is_nowhere = claim.is_within_families and len(lacks) == len(tables)
            if not is_nowhere:
                gaps += [f"no {what} on {dataset}" for what in lacks]
            n_cells += len(tables) - len(lacks)
        if gaps and n_cells:
            dropped[name] = gaps[0] + (" and more" if gaps[1:] else "")
    return dropped


def _subjects(
    records: Sequence[Record], registration: Registration, claim: Claim
) -> dict[str, Subject]:
    """Return every compressor that the claim may use, by its spec."""
    subjects = {}
    for subject in (record.job.subject for record in records):
        excluded = subject.family in (BASELINE, "?", *registration.excluded_families)
        unlisted = registration.families and subject.family not in registration.families
        not_of_claim = claim.compressors and subject.spec not in claim.compressors
        if not (excluded or unlisted or not_of_claim):
            subjects[subject.spec] = subject
    return subjects
