"""Results of a preregistered test, as values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.analysis.preregistered.block import ClaimBlock
from harness.planning.preregistration import Claim
from harness.statistics.crossed import Crossed, NearTies
from harness.statistics.monotone_curve import Deviation, Points
from harness.statistics.power import Detectable
from harness.statistics.slopes import Slope
from harness.statistics.verdict import Estimate

DECIDED_BY = {"G": "between", "R": "within"}
NO_ESTIMATE = Estimate(value=math.nan, ci_low=math.nan, ci_high=math.nan)
NOT_CROSSED = Crossed()
NO_PAIRS = NearTies()


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Size of a claim's block.

    Attributes:
        families_deciding: families that the deciding statistic rests on.
    """

    datasets: int
    compressors: int = 0
    families: int = 0
    families_deciding: int = 0


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Statistics of a claim's block; nan and empty where it was not tested.

    Attributes:
        overall: mean over data sets of Spearman inside each.
        between, within: the same between and within families.
        p_between, p_within: two-sided, by permutation.
        by_dataset: Spearman inside each data set.
        of_samples: whether intervals resample test samples too.
        crossed: mean correlation inside families, for new data sets and new compressors;
            reported beside the statistics that decide.
        near_ties: pairs inside families whose rates hardly differ.
    """

    overall: Estimate = NO_ESTIMATE
    between: Estimate = NO_ESTIMATE
    within: Estimate = NO_ESTIMATE
    p_between: float = math.nan
    p_within: float = math.nan
    kendall_tau: float = math.nan
    by_dataset: Mapping[str, float] = field(default_factory=dict)
    slopes: Mapping[str, Slope] = field(default_factory=dict)
    of_samples: bool = False
    crossed: Crossed = NOT_CROSSED
    near_ties: NearTies = NO_PAIRS


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Statistics of a claim under other choices.

    Attributes:
        without_family: the statistic with one family left out.
        checks: the deciding statistic under other rates and at equal bytes.
        partials: the statistic given log parameters, given log compute, and of final
            checkpoints only; None where not every cell has the number.
    """

    without_family: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, float | None] = field(default_factory=dict)
    partials: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """Result of one claim.

    Attributes:
        detectable: the effect that the block's layout can detect.
        block: the numbers themselves, for figures; None where no compressor is complete,
            or too few are.
        dropped: compressors with some cells but not all, and what each lacks.
        p_adjusted: of the deciding statistic, over the claims.
        verdict, reasons, sentence: empty before the claim is decided.
    """

    claim: Claim
    counts: Counts
    detectable: Detectable
    statistics: Statistics = Statistics()
    sensitivity: Sensitivity = Sensitivity()
    block: ClaimBlock | None = None
    dropped: Mapping[str, str] = field(default_factory=dict)
    p_adjusted: float = math.nan
    verdict: str = ""
    reasons: tuple[str, ...] = ()
    sentence: str = ""

    @property
    def title(self) -> str:
        """Name of the claim in tables."""
        return self.claim.title

    @property
    def decided_by(self) -> str:
        """Statistic that decides: "between" or "within" families."""
        return DECIDED_BY[self.claim.name]

    @property
    def deciding(self) -> Estimate:
        """The statistic that decides."""
        is_between = self.decided_by == "between"
        return self.statistics.between if is_between else self.statistics.within

    @property
    def p_deciding(self) -> float:
        """P-value of the statistic that decides, not adjusted."""
        is_between = self.decided_by == "between"
        return self.statistics.p_between if is_between else self.statistics.p_within


@dataclass(frozen=True, kw_only=True)
class CurveResult:
    """Result of fitting one monotone curve of accuracy against bits to all interventions.

    Attributes:
        task, score: the readout, of the first claim R, else of the first claim.
        points: bits and accuracy of each network on each data set.
        compressors: of each point.
        interventions, datasets: names by their numbers in `points`.
        deviations: of each intervention from the curve of the others.
        without_records: preregistered specs that have no point on any data set.
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
    """Test of a run.

    Attributes:
        hash: of the registered design; "" where there is none.
        status: "preregistered" or "exploratory".
        registration: hash and date in words, and why the test is exploratory.
        official: whether no record is of a run with --limit or --seed.
        curve: of the preregistered interventions; None where there are none.
    """

    hash: str
    status: str
    registration: tuple[str, ...]
    official: bool
    n_draws: int
    claims: tuple[ClaimResult, ...]
    curve: CurveResult | None = None
