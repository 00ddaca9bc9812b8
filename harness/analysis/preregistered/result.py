"""What a registered test found, as values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from harness.analysis.preregistered.block import ClaimBlock
from harness.statistics.monotone_curve import Deviation, Points
from harness.statistics.power import Detectable
from harness.statistics.slopes import Slope
from harness.statistics.verdict import Estimate

DECIDED_BY = {"G": "between", "R": "within"}
MIN_COMPRESSORS = 3
"""Of a block, below which it has no correlation."""
NO_ESTIMATE = Estimate(value=math.nan, ci_low=math.nan, ci_high=math.nan)


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """What was found about one claim.

    Attributes:
        statistic, ci_low, ci_high: mean over data sets of Spearman inside each.
        between, within: the same between and within families.
        decided_by: which of them decides.
        p_between, p_within: two-sided, by permutation; p_adjusted of the deciding one.
        n_families_deciding: families that the deciding statistic rests on.
        by_dataset: Spearman inside each data set.
        without_family: the statistic with one family left out.
        checks: the deciding statistic under other rates and at equal bytes.
        partials: the statistic given log parameters, given log compute, and of final
            checkpoints only; None where not every cell has the number.
        of_samples: whether intervals resample test samples too.
        block: the numbers themselves, for figures; None where no compressor is complete.
    """

    name: str
    title: str
    task: str
    score: str
    secondary: bool
    decided_by: str
    statistic: float
    ci_low: float
    ci_high: float
    between: Estimate
    within: Estimate
    p_between: float
    p_within: float
    p_adjusted: float
    n_compressors: int
    n_families: int
    n_families_deciding: int
    n_datasets: int
    kendall_tau: float
    by_dataset: Mapping[str, float]
    without_family: Mapping[str, float]
    slopes: Mapping[str, Slope]
    checks: Mapping[str, float | None]
    partials: Mapping[str, float | None]
    detectable: Detectable
    dropped: Mapping[str, str]
    ambiguous: int
    of_samples: bool
    verdict: str
    reasons: tuple[str, ...]
    sentence: str
    block: ClaimBlock | None


@dataclass(frozen=True, kw_only=True)
class CurveResult:
    """Whether interventions on one network fall on one curve of accuracy against bits.

    Attributes:
        task, score: the readout, of the first claim R, else of the first claim.
        points: bits and accuracy of each network on each data set.
        compressors: of each point.
        interventions, datasets: names by their numbers in `points`.
        deviations: of each intervention from the curve of the others.
        without_records: registered specs that have no point on any data set.
        word: "suffice", "do not suffice" or "undecided".
    """

    task: str
    score: str
    points: Points
    compressors: tuple[str, ...]
    interventions: tuple[str, ...]
    datasets: tuple[str, ...]
    deviations: Mapping[str, Deviation]
    without_records: tuple[str, ...]
    word: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """The test of a run.

    Attributes:
        status: "registered" or "exploratory"; `why` says why the latter.
        official: whether no record is of a run with --limit or --seed.
        curve: of the registered interventions; None where there are none.
    """

    hash: str
    status: str
    why: str
    official: bool
    n_draws: int
    claims: tuple[ClaimResult, ...]
    curve: CurveResult | None = None
