"""Results of a preregistered test, as values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.analysis.preregistered.block import ClaimBlock
from harness.analysis.race import Race
from harness.planning.preregistration import Claim
from harness.statistics.cells import NearTies
from harness.statistics.estimate import NO_ESTIMATE, Estimate
from harness.statistics.monotone_curve import Deviation, Points
from harness.statistics.power import Detectable
from harness.statistics.slopes import Slope

Population = Literal["new data sets", "new compressors"]
POPULATIONS: tuple[Population, ...] = ("new data sets", "new compressors")
"""To new data sets, for these compressors; to new compressors of these kinds as well."""
NO_PAIRS = NearTies()


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Size of a claim's block.

    Attributes:
        networks: compressors that are networks.
        units: families, or superfamilies, that stand for new compressors.
        cells: pairs of family and data set with a correlation; 0 for a claim over
            compressors.
    """

    datasets: int
    compressors: int = 0
    networks: int = 0
    families: int = 0
    units: int = 0
    cells: int = 0


@dataclass(frozen=True, kw_only=True)
class Generality:
    """Claim as it stands for one population.

    Attributes:
        estimate: of the deciding statistic; p is not adjusted.
        detectable: effect that the layout can detect, and the half-width to expect.
        shortages: what the design lacks for this population.
        p_adjusted, word, reasons, sentence: empty before the claim is decided.
    """

    population: Population
    detectable: Detectable
    estimate: Estimate = NO_ESTIMATE
    shortages: tuple[str, ...] = ()
    p_adjusted: float = math.nan
    word: str = ""
    reasons: tuple[str, ...] = ()
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Statistics of a claim's block; nan and empty where it was not tested.

    Attributes:
        value: the deciding statistic: mean over data sets of Spearman over compressors, or
            mean over families and data sets of Spearman inside each.
        by_dataset: Spearman on each data set, or the mean over families there.
        by_family: mean over data sets of Spearman inside each family; claim R alone.
        by_cell: Spearman inside each (family, data set); claim R alone.
        between: Spearman of families' mean ranks, over compressors alone.
        kendall_tau: over compressors alone.
        p_sign_flips: of a mean of 0, family means flipped in sign; claim R alone.
        slopes: over compressors alone.
        near_ties: pairs inside families whose rates hardly differ.
    """

    value: float = math.nan
    by_dataset: Mapping[str, float] = field(default_factory=dict)
    by_family: Mapping[str, float] = field(default_factory=dict)
    by_cell: Mapping[tuple[str, str], float] = field(default_factory=dict)
    between: float = math.nan
    kendall_tau: float = math.nan
    p_sign_flips: float = math.nan
    slopes: Mapping[str, Slope] = field(default_factory=dict)
    near_ties: NearTies = NO_PAIRS


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Deciding statistic under other choices; None where one was not measured.

    Attributes:
        without: with one unit of compressors, or one data set, left out.
        rates: with isolated and prequential rates.
        others: under choices that decide nothing, such as given what models cost.
    """

    without: Mapping[str, float | None] = field(default_factory=dict)
    rates: Mapping[str, float | None] = field(default_factory=dict)
    others: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """Result of one claim.

    Attributes:
        generalities: one for each population.
        block: the numbers themselves, for figures; None where too few are there.
        dropped: compressors with some cells but not all, and what each lacks.
    """

    claim: Claim
    counts: Counts
    generalities: tuple[Generality, ...]
    statistics: Statistics = Statistics()
    sensitivity: Sensitivity = Sensitivity()
    block: ClaimBlock | None = None
    dropped: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name of the claim in tables."""
        return self.claim.title

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdicts in words, one for each population."""
        return tuple(each.sentence for each in self.generalities)


@dataclass(frozen=True, kw_only=True)
class CurveResult:
    """Result of fitting one monotone curve of accuracy against bits to all interventions.

    Attributes:
        task, score: the readout, of the first claim R, else of the first claim.
        points: bits and accuracy of each network on each data set in each draw.
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
        race: of predictors, over the configurations of the first claim R; None without.
    """

    hash: str
    status: str
    registration: tuple[str, ...]
    official: bool
    n_draws: int
    claims: tuple[ClaimResult, ...]
    curve: CurveResult | None = None
    race: Race | None = None
