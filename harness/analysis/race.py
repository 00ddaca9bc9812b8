"""Race of predictors of a network's accuracy: bits, size, compute, learning rate, loss."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.compute import artifact_bits, compute_seconds
from harness.analysis.preregistered.block import ClaimBlock
from harness.records.record import Record
from harness.statistics.block import Floats
from harness.statistics.cells import family_correlations
from harness.statistics.estimate import Estimate, mean_of
from harness.statistics.race import Lap, lap

BITS = "held-out bits"


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Predictor, over the data sets on which it took part.

    Attributes:
        correlation: mean Spearman with accuracy inside families.
        alone: share of the variance inside families predicted on held-out configurations.
        added: share that it adds to all the other predictors.
        n_datasets: data sets on which it took part.
    """

    correlation: Estimate
    alone: Estimate
    added: Estimate
    n_datasets: int


@dataclass(frozen=True, kw_only=True)
class Race:
    """Predictors of accuracy over all configurations of all data sets.

    Attributes:
        runners: by the predictor's name.
        n_configurations: over all data sets.
        n_datasets: data sets with enough configurations.
        together: share that all predictors predict.
        sentence: the answer in words.
    """

    runners: Mapping[str, Runner]
    n_configurations: int
    n_datasets: int
    together: Estimate
    sentence: str


def race_of(records: Sequence[Record], claimed: ClaimBlock) -> Race | None:
    """Return the race over the configurations of a claim R; None where none can be run."""
    predictors = _predictors(records, claimed)
    laps: dict[int, Lap] = {}
    for d in range(len(claimed.datasets)):
        columns = {name: values[:, d] for name, values in predictors.items()}
        result = lap(columns, claimed.block.metric[:, d], claimed.block.family)
        if result is not None and BITS in result.alone:
            laps[d] = result
    if not laps:
        return None
    runners = {
        name: _runner(name, values, claimed, laps)
        for name, values in predictors.items()
        if any(name in each.alone for each in laps.values())
    }
    shares = np.array([each.together for each in laps.values()])
    together = mean_of(shares).within(-math.inf, 1.0)
    return Race(
        runners=runners,
        n_configurations=sum(each.n for each in laps.values()),
        n_datasets=len(laps),
        together=together,
        sentence=_sentence(runners[BITS], together, laps),
    )


def _predictors(records: Sequence[Record], claimed: ClaimBlock) -> dict[str, Floats]:
    """Return the predictors, (n, D) each: nan where missing, signed to rise with accuracy."""
    rates = [subject.fields.get("learning_rate") for subject in claimed.subjects]
    # Without a number of its own a network has the rate of its class, the same for all.
    rates = [rate if isinstance(rate, float) else 0.0 for rate in rates]
    cells = {
        "parameters": artifact_bits(records),
        "CPU seconds of the fit": compute_seconds(records),
        "training loss": _losses(records),
    }
    tables = {
        name: np.array(
            [
                [by_cell.get((spec, dataset), math.nan) for dataset in claimed.datasets]
                for spec in claimed.compressors
            ],
            np.float64,
        )
        for name, by_cell in cells.items()
    }
    return {
        BITS: claimed.block.rate,
        "parameters": tables["parameters"],
        "CPU seconds of the fit": tables["CPU seconds of the fit"],
        "learning rate": np.repeat(
            np.array(rates)[:, None], len(claimed.datasets), axis=1
        ),
        # A lower loss should go with a higher accuracy, as fewer bits should.
        "training loss": -tables["training loss"],
    }


def _losses(records: Sequence[Record]) -> dict[tuple[str, str], float]:
    """Return the final training loss by compressor and data set, mean over draws."""
    by_draw: dict[tuple[str, str], list[float]] = defaultdict(list)
    for record in records:
        if record.is_fit and record.training_loss_bits is not None:
            by_draw[record.spec, record.job.dataset].append(record.training_loss_bits)
    return {cell: float(np.mean(draws)) for cell, draws in by_draw.items()}


def _runner(
    name: str, values: Floats, claimed: ClaimBlock, laps: Mapping[int, Lap]
) -> Runner:
    block = claimed.block.with_rate(values)
    with np.errstate(invalid="ignore"):
        table = family_correlations(block)
    on = [d for d, each in laps.items() if name in each.alone]
    means = [
        cells.mean() for d in on if len(cells := table[:, d][np.isfinite(table[:, d])])
    ]
    return Runner(
        correlation=mean_of(np.array(means)).within(-1.0, 1.0),
        alone=mean_of(np.array([laps[d].alone[name] for d in on])).within(
            -math.inf, 1.0
        ),
        added=mean_of(np.array([laps[d].added[name] for d in on])),
        n_datasets=len(on),
    )


def _sentence(bits: Runner, together: Estimate, laps: Mapping[int, Lap]) -> str:
    """Return what bits know that all other predictors do not."""
    n = sum(each.n for each in laps.values())
    known = f"{together.value - bits.added.value:.0%}"
    more = f"{bits.added.value:+.0%}"
    if not math.isnan(bits.added.ci_low):
        more += f" [{bits.added.ci_low:+.0%}, {bits.added.ci_high:+.0%}]"
    return (
        f"Over {n} configurations on {len(laps)} data sets, size, compute, learning rate and "
        f"training loss, where known, predict {known} of the variance of accuracy inside a "
        f"family on held-out configurations; bits alone predict {bits.alone.value:.0%}, and "
        f"add {more} to all the others."
    )
