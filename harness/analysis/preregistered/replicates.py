"""Replicates of a claim's block: test samples and draws resampled, shared by all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.preregistered.block import ClaimBlock
from harness.analysis.preregistered.readings import Reading
from harness.records.score import BALANCED_ACCURACY, Score
from harness.statistics.accuracy import weighted_balanced_accuracies
from harness.statistics.bootstrap import Replicates

Floats = NDArray[np.float64]
SampleArrays = Mapping[str, NDArray[Any]]
Arrays = Callable[[str], SampleArrays]
"""Gives the per-sample arrays beside the record of a key; empty where there are none."""
N_REPLICATES = 200
OF_DRAWS = -1
"""Stands for the draws themselves where a draw's number is asked for."""


@dataclass(frozen=True, kw_only=True)
class Inner:
    """Replicates of a block, and whether test samples were resampled or draws alone."""

    replicates: Replicates
    of_samples: bool


def inner_level(block: ClaimBlock, arrays: Arrays, rng: np.random.Generator) -> Inner:
    """Return blocks with test samples and draws resampled, shared by all compressors.

    Rates are scaled by what resampling does to the lengths of the samples coded alone;
    metrics are moved by what it does to balanced accuracy on all test samples. Where a
    record lacks its per-sample arrays, draws alone are resampled.
    """
    replicates, of_samples = _replicates(block, arrays, rng)
    if not of_samples:
        replicates, _ = _replicates(block, None, rng)
    return Inner(replicates=replicates, of_samples=of_samples)


def _replicates(
    claimed: ClaimBlock, arrays: Arrays | None, rng: np.random.Generator
) -> tuple[Replicates, bool]:
    """Return the replicates, and whether every cell has what they need.

    Without arrays draws alone are resampled, which every cell has.
    """
    shape = (N_REPLICATES, *claimed.block.rate.shape)
    tables = {what: np.empty(shape) for what in ("rate", "metric")}
    shared = [_Shared(rng=rng, counts={}) for _ in claimed.datasets]
    is_complete = True
    # Every cell is visited, complete or not: the draws of `rng` depend on it.
    for (name, dataset, what), draws in claimed.cells.items():
        i, d = claimed.compressors.index(name), claimed.datasets.index(dataset)
        cell = _resampled_cell(what, draws, arrays, shared[d])
        is_complete &= cell is not None
        tables[what][:, i, d] = 0 if cell is None else cell
    replicates = Replicates(
        rate=-tables["rate"], metric=tables["metric"], family=claimed.block.family
    )
    return replicates, is_complete


@dataclass(frozen=True, kw_only=True)
class _Shared:
    """Counts of each sample, and each draw, in each replicate: the same for all rows."""

    rng: np.random.Generator
    counts: dict[tuple[int, int], Floats]

    def of(self, draw: int, n: int) -> Floats:
        """Return counts of n things, shape (N_REPLICATES, n)."""
        if (draw, n) not in self.counts:
            counts = self.rng.multinomial(n, np.full(n, 1 / n), N_REPLICATES)
            self.counts[draw, n] = counts.astype(np.float64)
        return self.counts[draw, n]


def _resampled_cell(
    what: str, draws: Sequence[Reading], arrays: Arrays | None, shared: _Shared
) -> Floats | None:
    """Return a cell in each replicate, (N_REPLICATES,); None where arrays are missing."""
    by_draw = []
    for draw, reading in enumerate(draws):
        resampled = (
            np.full(N_REPLICATES, reading.value)
            if arrays is None
            else _resampled(what, reading, arrays(reading.key), (draw, shared))
        )
        if resampled is None:
            return None
        by_draw.append(resampled)
    weights = shared.of(OF_DRAWS, len(by_draw)) / len(by_draw)  # (K, n_draws)
    cell: Floats = (weights * np.stack(by_draw, axis=1)).sum(axis=1)
    return cell


def _resampled(
    what: str, reading: Reading, arrays: SampleArrays, where: tuple[int, _Shared]
) -> Floats | None:
    """Return the value of a draw in each replicate; None where its arrays are missing."""
    if what == "rate":
        factor = _rate_factor(arrays, *where)
        return None if factor is None else reading.value * factor
    change = _metric_change(arrays, reading.score, *where)
    return None if change is None else reading.value + change


def _rate_factor(arrays: SampleArrays, draw: int, shared: _Shared) -> Floats | None:
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
    arrays: SampleArrays, score: Score, draw: int, shared: _Shared
) -> Floats | None:
    if score.metric != BALANCED_ACCURACY:
        return None
    # Answers on projected features may not be stored: those on all features stand in.
    for variant in (score.variant, replace(score.variant, n_dimensions=0)):
        credit = arrays.get(f"credit{variant.words}")
        labels = arrays.get(f"labels{variant.words}", arrays.get("labels"))
        if credit is not None and labels is not None:
            counts = shared.of(draw, len(labels))
            once = np.ones((1, len(labels)))
            return weighted_balanced_accuracies(
                labels, credit, counts
            ) - weighted_balanced_accuracies(labels, credit, once)
    return None
