"""From records to the complete block of a registered claim, and to its replicates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.planning.preregistration import Claim, Registration
from harness.statistics.block import Block
from harness.statistics.bootstrap import Replicates

BASELINE = "baseline"
DEDUPLICATED = "_dedup"
COMMON_DIMENSION = "_pca64"
REALISED = ("decoded", "subset")
HEADLINE = "heldout_bpb"
N_REPLICATES = 200

Floats = NDArray[np.float64]
Record = Mapping[str, Any]
Arrays = Callable[[str], Mapping[str, NDArray[Any]]]
"""Gives the per-sample arrays beside the record of a key; empty where there are none."""


Value = tuple[float, str, int]
"""A score, the key of its record, and the version of its task."""


@dataclass(frozen=True, kw_only=True)
class Readout:
    """Which score of which task; rates are of any task, and realised.

    Attributes:
        equal_bytes: which variant; None takes any.
        strict: whether all samples may not stand in where some compressor has no score
            without duplicates. Isolated codes of models are realised on all samples only.
    """

    task: str
    score: str
    equal_bytes: bool | None = None
    strict: bool = True


@dataclass(frozen=True, kw_only=True)
class ClaimBlock:
    """A block and the names of its rows and columns.

    Attributes:
        cells: what stands behind each number: (compressor, data set, "rate" or "metric")
            -> value and record of each draw.
        dropped: compressors with some cells but not all, and what each lacks.
        ambiguous: cells with several records of one version and different values.
    """

    block: Block
    compressors: tuple[str, ...]
    families: tuple[str, ...]
    datasets: tuple[str, ...]
    cells: Mapping[tuple[str, str, str], tuple[Value, ...]]
    dropped: Mapping[str, str]
    ambiguous: int


@dataclass(frozen=True, kw_only=True)
class Table:
    """Scores of one readout by compressor, data set and draw.

    Attributes:
        values: (compressor, data set) -> draw -> value.
        ambiguous: cells with several records of one version and different values.
    """

    values: Mapping[tuple[str, str], Mapping[int, Value]]
    ambiguous: int = 0

    def lacks(self, compressor: str, dataset: str, n_draws: int) -> bool:
        """Say whether a cell has not all of the first draws."""
        found = self.values.get((compressor, dataset), {})
        return any(draw not in found for draw in range(n_draws))


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
    chosen = claim.equal_bytes if equal_bytes is None else equal_bytes
    datasets = tuple(claim.datasets or registration.datasets)
    families = _families(records, registration, claim)
    rates = readings(
        records, Readout(task="", score=rate, strict=rate == HEADLINE), datasets
    )
    metric = Readout(task=claim.task, score=claim.score, equal_bytes=chosen)
    metrics = readings(records, metric, datasets)
    tables = {"rate": rates, "metric": metrics}
    complete, dropped = _sorted_out(families, tables, datasets, registration.draws)
    if not complete:
        return None
    cells = {
        (name, dataset, what): tuple(
            table.values[name, dataset][draw] for draw in range(registration.draws)
        )
        for name in complete
        for dataset in datasets
        for what, table in tables.items()
    }

    def matrix(what: str) -> Floats:
        rows = [
            [np.mean([value[0] for value in cells[name, d, what]]) for d in datasets]
            for name in complete
        ]
        return np.array(rows, np.float64)

    names = tuple(sorted({families[name] for name in complete}))
    block = Block(
        rate=-matrix("rate"),
        metric=matrix("metric"),
        family=np.array([names.index(families[c]) for c in complete]),
    )
    return ClaimBlock(
        block=block,
        compressors=tuple(complete),
        families=names,
        datasets=datasets,
        cells=cells,
        dropped=dropped,
        ambiguous=rates.ambiguous + metrics.ambiguous,
    )


def _sorted_out(
    families: Mapping[str, str],
    tables: Mapping[str, Table],
    datasets: Sequence[str],
    n_draws: int,
) -> tuple[list[str], dict[str, str]]:
    """Return compressors without a gap, by family, and the others with what they lack."""
    complete, dropped = [], {}
    for name in sorted(families, key=lambda spec: (families[spec], spec)):
        lacking = [
            f"no {what} on {dataset}"
            for dataset in datasets
            for what, table in tables.items()
            if table.lacks(name, dataset, n_draws)
        ]
        if not lacking:
            complete.append(name)
        elif len(lacking) < 2 * len(datasets):
            dropped[name] = lacking[0] + (" and more" if lacking[1:] else "")
    return complete, dropped


def _families(
    records: Sequence[Record], registration: Registration, claim: Claim
) -> dict[str, str]:
    """Return the family of every compressor that the claim may use."""
    found = {}
    for record in records:
        subject = record["job"]["subject"]
        family, spec = str(subject["family"]), str(subject["spec"])
        excluded = family in (BASELINE, "?", *registration.excluded_families)
        unlisted = registration.families and family not in registration.families
        not_of_claim = claim.compressors and spec not in claim.compressors
        if not (excluded or unlisted or not_of_claim):
            found[spec] = family
    return found


def readings(
    records: Sequence[Record], readout: Readout, datasets: Sequence[str]
) -> Table:
    """Return the scores of a readout; without duplicates where a draw has any.

    A record of a later version of its task stands before one of an earlier; of several
    of one version the last by key. A model with no more features than the common
    dimension has no score there: its plain one stands.
    """
    plain, dedup = (_readings(records, readout, s) for s in ("", DEDUPLICATED))
    if readout.score.endswith(COMMON_DIMENSION):
        bare = readout.score.removesuffix(COMMON_DIMENSION)
        small = replace(readout, score=bare)
        plain = _readings(records, small, "") | plain
        dedup = _readings(records, small, DEDUPLICATED) | dedup
    has_duplicates = {cell[1:] for cell in dedup}  # (data set, draw)
    if not readout.strict:
        has_duplicates -= {cell[1:] for cell in plain if cell not in dedup}
    values: dict[tuple[str, str], dict[int, Value]] = defaultdict(dict)
    ambiguous = 0
    for source, wanted in ((plain, False), (dedup, True)):
        for (compressor, dataset, draw), candidates in source.items():
            if dataset in datasets and ((dataset, draw) in has_duplicates) == wanted:
                latest = max(version for _, _, version in candidates)
                current = [value for value in candidates if value[2] == latest]
                values[compressor, dataset][draw] = max(current, key=lambda v: v[1])
                ambiguous += len({value[0] for value in current}) > 1
    return Table(values=values, ambiguous=ambiguous)


Cell = tuple[str, str, int]
"""Compressor, data set, draw."""


def _readings(
    records: Sequence[Record], readout: Readout, suffix: str
) -> dict[Cell, list[Value]]:
    found: dict[Cell, list[Value]] = defaultdict(list)
    for record in records:
        job = record["job"]
        if record["status"] != "done" or (readout.task and job["task"] != readout.task):
            continue
        equal = job["parameters"].get("equal_bytes")
        if readout.equal_bytes is not None and equal not in (None, readout.equal_bytes):
            continue
        for score in record["scores"]:
            if score["name"] == readout.score + suffix and _counts(readout, score):
                cell = (job["subject"]["spec"], job["dataset"], job["draw"])
                value = (float(score["value"]), record["key"], int(job["version"]))
                found[cell].append(value)
    return dict(found)


def _counts(readout: Readout, score: Mapping[str, Any]) -> bool:
    """Say whether a score may stand in a test: a rate only if it is a realised code."""
    if readout.task:
        return True
    return score["realised"] in REALISED and score["route"] != "difference"


@dataclass(frozen=True, kw_only=True)
class Inner:
    """Replicates of a block, and whether test samples were resampled or draws alone."""

    replicates: Replicates
    of_samples: bool


def inner_level(
    claimed: ClaimBlock, arrays: Arrays, claim: Claim, rng: np.random.Generator
) -> Inner:
    """Return blocks with test samples and draws resampled, shared by all compressors.

    Rates are scaled by what resampling does to the lengths of the samples coded alone;
    metrics are moved by what it does to balanced accuracy on all test samples. Where a
    record lacks its per-sample arrays, draws alone are resampled.
    """
    for of_samples in (True, False):
        n, n_datasets = claimed.block.rate.shape
        shape = (N_REPLICATES, n, n_datasets)
        found = {what: np.empty(shape) for what in ("rate", "metric")}
        shared = [_Shared(rng=rng, counts={}) for _ in claimed.datasets]
        gaps = 0
        for (name, dataset, what), values in claimed.cells.items():
            i, d = claimed.compressors.index(name), claimed.datasets.index(dataset)
            samples = arrays if of_samples else _no_arrays
            cell = _resampled_cell(values, samples, claim, (what, shared[d]))
            gaps += cell is None
            found[what][:, i, d] = 0 if cell is None else cell
        if not gaps:
            break
    family = claimed.block.family
    both = Replicates(rate=-found["rate"], metric=found["metric"], family=family)
    return Inner(replicates=both, of_samples=of_samples)


def _no_arrays(_: str) -> Mapping[str, NDArray[Any]]:
    return {}


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """How often each replicate holds each sample, and each draw: the same for everyone."""

    rng: np.random.Generator
    counts: dict[tuple[int, int], Floats]

    def of(self, draw: int, n: int) -> Floats:
        """Return counts of n things, shape (N_REPLICATES, n); -1 stands for the draws."""
        if (draw, n) not in self.counts:
            drawn = self.rng.multinomial(n, np.full(n, 1 / n), N_REPLICATES)
            self.counts[draw, n] = drawn.astype(np.float64)
        return self.counts[draw, n]


def _resampled_cell(
    values: Sequence[Value],
    arrays: Arrays,
    claim: Claim,
    where: tuple[str, _Shared],
) -> Floats | None:
    """Return a cell in each replicate, (N_REPLICATES,); None where arrays are missing."""
    what, shared = where
    by_draw = []
    for draw, (value, key, _) in enumerate(values):
        if arrays is _no_arrays:
            by_draw.append(np.full(N_REPLICATES, value))
            continue
        loaded = arrays(key)
        if what == "rate":
            factor = _rate_factor(loaded, draw, shared)
            moved = None if factor is None else value * factor
        else:
            change = _metric_change(loaded, claim.score, draw, shared)
            moved = None if change is None else value + change
        if moved is None:
            return None
        by_draw.append(moved)
    weights = shared.of(-1, len(by_draw)) / len(by_draw)  # (K, n_draws)
    cell: Floats = (weights * np.stack(by_draw, axis=1)).sum(axis=1)
    return cell


def _rate_factor(
    arrays: Mapping[str, NDArray[Any]], draw: int, shared: _Shared
) -> Floats | None:
    lengths = arrays.get("heldout_bits", arrays.get("isolated_bits"))
    sizes = arrays.get("n_bytes")
    if lengths is None or sizes is None or lengths.sum() <= 0:
        return None
    counts = shared.of(draw, len(lengths))
    rate: Floats = (counts @ lengths) / np.maximum(counts @ sizes, 1)
    whole = float(lengths.sum()) / max(float(sizes.sum()), 1.0)
    factor: Floats = rate / whole
    return factor


def _metric_change(
    arrays: Mapping[str, NDArray[Any]], score: str, draw: int, shared: _Shared
) -> Floats | None:
    suffix = score.removeprefix("balanced_accuracy")
    names = (suffix, suffix.removesuffix(COMMON_DIMENSION))
    for name in names:
        credit = arrays.get(f"credit{name}")
        labels = arrays.get(f"labels{name}", arrays.get("labels"))
        if credit is not None and labels is not None:
            counts = shared.of(draw, len(labels))
            return _balanced(credit, labels, counts) - _balanced(
                credit, labels, np.ones((1, len(labels)))
            )
    return None


def _balanced(credit: Floats, labels: NDArray[np.int64], counts: Floats) -> Floats:
    """Return balanced accuracy of samples repeated by counts: (K, n) -> (K,)."""
    truth = np.eye(credit.shape[1])[labels]
    actual = counts @ truth
    recall = (counts @ (truth * credit)) / np.where(actual > 0, actual, np.inf)
    balanced: Floats = recall.sum(axis=1) / (actual > 0).sum(axis=1)
    return balanced
