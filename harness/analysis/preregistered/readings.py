"""Readings: the scores of one readout by compressor, data set and draw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from harness.records.record import Record
from harness.records.score import COMMON_DIMENSION, Score, Variant


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A score, and the record that it comes from.

    Attributes:
        key: of the record.
        version: of the record's task.
    """

    score: Score
    key: str
    version: int

    @property
    def value(self) -> float:
        """The number."""
        return self.score.value


@dataclass(frozen=True, kw_only=True)
class Readout:
    """Score of a task, as a claim names it; rates are of any task, and realised.

    Attributes:
        task: empty for rates.
        score: the name of the score over all test samples.
        equal_bytes: which variant; None takes any.
        strict: whether all samples may not stand in where some compressor has no score
            without duplicates. Isolated codes of models are realised on all samples only.
    """

    task: str
    score: str
    equal_bytes: bool | None = None
    strict: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """Readings of one readout by compressor, data set and draw.

    Attributes:
        readings: (compressor, data set) -> draw -> reading.
        ambiguous: cells with several records of one version and different values.
    """

    readings: Mapping[tuple[str, str], Mapping[int, Reading]]
    ambiguous: int = 0

    def lacks(self, compressor: str, dataset: str, n_draws: int) -> bool:
        """Say whether a cell has not all of the first draws."""
        draws = self.readings.get((compressor, dataset), {})
        return any(draw not in draws for draw in range(n_draws))


Cell = tuple[str, str, int]
"""Compressor, data set, draw."""
Candidates = dict[Cell, list[Reading]]


def readings(
    records: Sequence[Record], readout: Readout, datasets: Sequence[str]
) -> Table:
    """Return the readings of a readout; without duplicates where a draw has any.

    A record of a later version of its task stands before one of an earlier; of several
    of one version the last by key. A model with no more features than the common
    dimension has no score there: its plain one stands.
    """
    plain, deduplicated = _candidates(records, readout)
    has_duplicates = {cell[1:] for cell in deduplicated}  # (data set, draw)
    if not readout.strict:
        has_duplicates -= {cell[1:] for cell in plain if cell not in deduplicated}
    table: dict[tuple[str, str], dict[int, Reading]] = defaultdict(dict)
    ambiguous = 0
    for source, is_deduplicated in ((plain, False), (deduplicated, True)):
        for (compressor, dataset, draw), candidates in source.items():
            in_use = ((dataset, draw) in has_duplicates) == is_deduplicated
            if dataset in datasets and in_use:
                latest = max(candidate.version for candidate in candidates)
                current = [each for each in candidates if each.version == latest]
                table[compressor, dataset][draw] = max(current, key=lambda r: r.key)
                ambiguous += len({each.value for each in current}) > 1
    return Table(readings=table, ambiguous=ambiguous)


def _candidates(
    records: Sequence[Record], readout: Readout
) -> tuple[Candidates, Candidates]:
    """Return the candidates of each cell: over all samples, and without duplicates."""
    # By whether the score is deduplicated, and whether it is the plain stand-in.
    matches: dict[tuple[bool, bool], Candidates] = defaultdict(dict)
    for record in records:
        if not _is_of(readout, record):
            continue
        job = record.job
        cell = (record.spec, job.dataset, job.draw)
        for score in record.scores:
            # A rate without a task stands in a test only if it is a realised code.
            if not (readout.task or score.is_ranked):
                continue
            exact, projected = _names(score.metric, score.variant)
            if readout.score in (exact, projected):
                which = (score.deduplicated, readout.score == projected)
                reading = Reading(score=score, key=record.key, version=job.version)
                matches[which].setdefault(cell, []).append(reading)
    plain = matches[False, True] | matches[False, False]
    deduplicated = matches[True, True] | matches[True, False]
    return plain, deduplicated


def _is_of(readout: Readout, record: Record) -> bool:
    """Say whether a record's scores may be of a readout."""
    if not record.is_done or (readout.task and record.job.task != readout.task):
        return False
    equal_bytes = record.job.parameters.get("equal_bytes")
    return readout.equal_bytes is None or equal_bytes in (None, readout.equal_bytes)


@cache
def _names(metric: str, variant: Variant) -> tuple[str, str | None]:
    """Return the name of a score over all samples, and its name if it were projected.

    The second is None for features that were projected to some dimension.
    """
    plain = Score(metric=metric, value=0.0, unit="", variant=variant)
    if variant.n_dimensions:
        return plain.name, None
    projected = replace(variant, n_dimensions=COMMON_DIMENSION)
    return plain.name, replace(plain, variant=projected).name
