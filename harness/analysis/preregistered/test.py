"""Preregistered test: records -> block -> statistics -> verdicts, one result per claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.analysis.preregistered.block import ClaimBlock, claim_block
from harness.analysis.preregistered.checks import sensitivity_of
from harness.analysis.preregistered.design import (
    Sizes,
    counts_of,
    undecided_generalities,
)
from harness.analysis.preregistered.interventions import curve_of
from harness.analysis.preregistered.result import (
    POPULATIONS,
    ClaimResult,
    Generality,
    Report,
    Statistics,
)
from harness.analysis.preregistered.sentences import sentence
from harness.analysis.race import Race, race_of
from harness.errors import SuiteError
from harness.planning.manifest import Manifest
from harness.planning.preregistration import Claim, Registration
from harness.planning.registered_design import Standing
from harness.records.record import Record
from harness.statistics.block import (
    MIN_COMPRESSORS,
    between,
    kendall,
    overall,
    spearman_by_dataset,
)
from harness.statistics.bootstrap import Replicates, two_way_interval
from harness.statistics.cells import family_correlations, near_ties
from harness.statistics.crossed import crossed, mean_of_cells
from harness.statistics.estimate import Estimate, mean_of
from harness.statistics.p_values import holm
from harness.statistics.permutation import between_p
from harness.statistics.slopes import Slope, slopes
from harness.statistics.verdict import Findings, verdict

Estimates = tuple[Estimate, Estimate]
"""To new data sets, and to new compressors."""


def hypothesis_report(
    records: Sequence[Record], manifest: Manifest, standing: Standing
) -> Report:
    """Return the test of the preregistered claims on a run's records.

    Args:
        records: of the run.
        manifest: of the records' folder; its preregistration has specs as records do.
        standing: relation of the records to the registration of their run.

    Raises:
        SuiteError: the suite preregisters nothing.
    """
    registration = manifest.registration
    if registration is None:
        raise SuiteError(f"the suite {manifest.name} preregisters no [hypothesis]")
    results = [_tested(records, registration, c) for c in registration.claims]
    return Report(
        hash=standing.registered.hash if standing.registered else "",
        status="exploratory" if standing.reasons else "preregistered",
        registration=standing.sentences,
        official=all(record.job.official for record in records),
        n_draws=registration.draws,
        claims=tuple(_decided(results, registration)),
        curve=curve_of(records, registration),
        race=_race(records, results),
    )


def _race(records: Sequence[Record], results: Sequence[ClaimResult]) -> Race | None:
    """Return the race of predictors over the configurations of the first claim R."""
    blocks = [r.block for r in results if r.claim.is_within_families and r.block]
    return race_of(records, blocks[0]) if blocks else None


def _decided(
    results: Sequence[ClaimResult], registration: Registration
) -> list[ClaimResult]:
    """Return the results with verdicts; p by Holm over primary claims of a population."""
    decided = list(results)
    for i, _ in enumerate(POPULATIONS):
        # A secondary claim costs the primary ones nothing, and gets no correction.
        plain = {r.title: r.generalities[i].estimate.p for r in decided}
        primary = [r.title for r in decided if not r.claim.secondary]
        adjusted = plain | holm({title: plain[title] for title in primary})
        decided = [
            _with_verdict(result, i, adjusted[result.title], registration)
            for result in decided
        ]
    return decided


def _with_verdict(
    result: ClaimResult, i: int, p: float, registration: Registration
) -> ClaimResult:
    generality = result.generalities[i]
    checks = {**result.sensitivity.without, **result.sensitivity.rates}
    decision = verdict(
        Findings(
            estimate=replace(generality.estimate, p=p),
            shortages=generality.shortages,
            checks=checks,
            alpha=registration.alpha,
            smallest_effect=registration.smallest_effect,
        )
    )
    # The sentence names the verdict, so it is written last.
    generality = replace(
        generality, p_adjusted=p, word=decision.word, reasons=decision.reasons
    )
    words = sentence(result, generality, registration.smallest_effect)
    generality = replace(generality, sentence=words)
    generalities = list(result.generalities)
    generalities[i] = generality
    return replace(result, generalities=tuple(generalities))


def _tested(
    records: Sequence[Record], registration: Registration, claim: Claim
) -> ClaimResult:
    """Return the statistics of a claim, not yet decided."""
    claimed = claim_block(records, registration, claim)
    sizes = _sizes(claimed) if claimed else {}
    n_networks = claimed.n_networks if claimed else 0
    result = ClaimResult(
        claim=claim,
        counts=counts_of(registration, claim, sizes, n_networks),
        generalities=undecided_generalities(registration, claim, sizes),
        dropped=claimed.dropped if claimed else {},
    )
    if claimed is None or result.counts.compressors < MIN_COMPRESSORS:
        return result
    # One stream for all that follows: the order of the calls is part of the result.
    rng = np.random.default_rng([registration.seed, 11])
    statistics, estimates, shortage = (
        _inside(claimed, rng)
        if claim.is_within_families
        else _over(claimed, registration, rng)
    )
    generalities = [
        _with_estimate(generality, estimate, shortage)
        for generality, estimate in zip(result.generalities, estimates, strict=True)
    ]
    return replace(
        result,
        generalities=tuple(generalities),
        statistics=statistics,
        sensitivity=sensitivity_of(records, registration, claim, claimed),
        block=claimed,
    )


def _with_estimate(
    generality: Generality, estimate: Estimate, shortage: str
) -> Generality:
    is_new = shortage and not generality.shortages
    shortages = (shortage,) if is_new else generality.shortages
    return replace(generality, estimate=estimate, shortages=shortages)


def _sizes(claimed: ClaimBlock) -> Sizes:
    """Return the configurations with both numbers, by family and data set."""
    is_complete = np.isfinite(claimed.block.rate + claimed.block.metric)
    return {
        family: is_complete[claimed.block.family == f].sum(axis=0).tolist()
        for f, family in enumerate(claimed.families)
    }


def _inside(
    claimed: ClaimBlock, rng: np.random.Generator
) -> tuple[Statistics, Estimates, str]:
    """Return the statistics inside families, both estimates, and what they lack."""
    table = family_correlations(claimed.block)
    result = crossed(table, rng)
    names = [(f, d) for f in claimed.families for d in claimed.datasets]
    cells = dict(zip(names, table.ravel().tolist(), strict=True))
    statistics = Statistics(
        value=result.new_datasets.value,
        by_dataset=mean_of_cells(table, claimed.datasets, axis=0),
        by_family=mean_of_cells(table, claimed.families, axis=1),
        by_cell={name: value for name, value in cells.items() if np.isfinite(value)},
        p_sign_flips=result.p_sign_flips,
        near_ties=near_ties(claimed.block),
    )
    return statistics, (result.new_datasets, result.new_compressors), result.shortage


def _over(
    claimed: ClaimBlock, registration: Registration, rng: np.random.Generator
) -> tuple[Statistics, Estimates, str]:
    """Return the statistics over compressors, and both estimates."""
    block = claimed.block
    correlations = spearman_by_dataset(block)
    units = [registration.unit_of(family) for family in claimed.families]
    names = list(dict.fromkeys(units))
    grouped = block.grouped([names.index(unit) for unit in units])
    to_datasets = mean_of(correlations).within(-1.0, 1.0)
    low, high = two_way_interval(Replicates.of(grouped), rng, registration.n_resamples)
    to_compressors = Estimate(
        value=overall(block),
        ci_low=low,
        ci_high=high,
        half_width=(high - low) / 2,
        p=between_p(grouped, rng, registration.n_permutations),
    )
    statistics = Statistics(
        value=overall(block),
        by_dataset=dict(zip(claimed.datasets, correlations.tolist(), strict=True)),
        between=between(grouped),
        kendall_tau=kendall(block),
        slopes={_slope_name(slope, claimed): slope for slope in slopes(block, rng)},
        # Here all compressors are compared with each other.
        near_ties=near_ties(block.grouped([0] * block.n_families)),
    )
    return statistics, (to_datasets, to_compressors), ""


def _slope_name(slope: Slope, claimed: ClaimBlock) -> str:
    if slope.family is None:
        names = {"within": "all, within families", "between": "between families"}
        return names[slope.kind]
    return claimed.families[slope.family]
