"""Preregistered test: records -> block -> statistics -> verdict, one result per claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from harness.analysis.preregistered.block import ClaimBlock, claim_block
from harness.analysis.preregistered.checks import checks_of, partials_of
from harness.analysis.preregistered.interventions import curve_of
from harness.analysis.preregistered.replicates import Arrays, inner_level
from harness.analysis.preregistered.result import (
    DECIDED_BY,
    NO_ESTIMATE,
    ClaimResult,
    Counts,
    Report,
    Sensitivity,
    Statistics,
)
from harness.analysis.preregistered.sentences import sentence
from harness.errors import SuiteError
from harness.planning.manifest import Manifest
from harness.planning.preregistration import Claim, Registration
from harness.planning.registered_design import Standing
from harness.records.record import Record
from harness.statistics.block import (
    MIN_COMPRESSORS,
    STATISTICS,
    kendall,
    spearman_by_dataset,
    without_each_family,
)
from harness.statistics.bootstrap import two_way_intervals
from harness.statistics.crossed import crossed, family_correlations, near_ties
from harness.statistics.p_values import holm
from harness.statistics.permutation import between_p, within_p
from harness.statistics.power import Detectable, Layout, minimum_detectable_effect
from harness.statistics.slopes import Slope, slopes
from harness.statistics.verdict import Estimate, Findings, verdict


def hypothesis_report(
    records: Sequence[Record], manifest: Manifest, arrays: Arrays, standing: Standing
) -> Report:
    """Return the test of the preregistered claims on a run's records.

    Args:
        records: of the run.
        manifest: of the records' folder; its preregistration has specs as records do.
        arrays: gives the per-sample arrays beside a record, such as `Store.read_arrays`.
        standing: relation of the records to the registration of their run.

    Raises:
        SuiteError: the suite preregisters nothing.
    """
    registration = manifest.registration
    if registration is None:
        raise SuiteError(f"the suite {manifest.name} preregisters no [hypothesis]")
    results = [_tested(records, registration, c, arrays) for c in registration.claims]
    adjusted = _adjusted(results)
    return Report(
        hash=standing.registered.hash if standing.registered else "",
        status="exploratory" if standing.reasons else "preregistered",
        registration=standing.sentences,
        official=all(record.job.official for record in records),
        n_draws=registration.draws,
        claims=tuple(
            _decided(result, adjusted[result.title], registration) for result in results
        ),
        curve=curve_of(records, registration),
    )


def _adjusted(results: Sequence[ClaimResult]) -> dict[str, float]:
    """Return p-values: Holm's over the primary claims, plain for secondary ones."""
    # A secondary claim costs the primary ones nothing, and gets no correction.
    plain = {result.title: result.p_deciding for result in results}
    primary = [result.title for result in results if not result.claim.secondary]
    return plain | holm({title: plain[title] for title in primary})


def _decided(result: ClaimResult, p: float, registration: Registration) -> ClaimResult:
    decision = verdict(
        Findings(
            deciding=result.deciding,
            overall=result.statistics.overall,
            p=p,
            n_families=result.counts.families_deciding,
            n_datasets=result.counts.datasets,
            checks=result.sensitivity.checks,
            alpha=registration.alpha,
            smallest_effect=registration.smallest_effect,
        )
    )
    # The sentence names the verdict, so it is written last.
    decided = replace(
        result, p_adjusted=p, verdict=decision.word, reasons=decision.reasons
    )
    return replace(decided, sentence=sentence(decided))


def _tested(
    records: Sequence[Record], registration: Registration, claim: Claim, arrays: Arrays
) -> ClaimResult:
    """Return the statistics of a claim, not yet decided."""
    n_datasets = len(claim.datasets or registration.datasets)
    claimed = claim_block(records, registration, claim)
    sizes = () if claimed is None else tuple(claimed.block.sizes.tolist())
    untested = ClaimResult(
        claim=claim,
        counts=Counts(datasets=n_datasets),
        detectable=_detectable(registration, claim, sizes, n_datasets),
    )
    if claimed is None:
        return untested
    counts = Counts(
        datasets=n_datasets,
        compressors=len(claimed.compressors),
        families=len(sizes),
        families_deciding=_n_deciding(claim, sizes),
    )
    if counts.compressors < MIN_COMPRESSORS:
        # Families that cannot be tested decide nothing.
        counts = replace(counts, families_deciding=0)
        return replace(untested, counts=counts, dropped=claimed.dropped)
    return replace(
        untested,
        counts=counts,
        statistics=_statistics(claimed, registration, arrays),
        sensitivity=Sensitivity(
            without_family={
                claimed.families[family]: value
                for family, value in without_each_family(claimed.block).items()
            },
            checks=checks_of(records, registration, claim, claimed),
            partials=partials_of(records, claimed),
        ),
        dropped=claimed.dropped,
        block=claimed,
    )


def _n_deciding(claim: Claim, sizes: Sequence[int]) -> int:
    """Return the number of families that count: all, or those with two members or more."""
    is_between = DECIDED_BY[claim.name] == "between"
    return len(sizes) if is_between else sum(size > 1 for size in sizes)


def _statistics(
    claimed: ClaimBlock, registration: Registration, arrays: Arrays
) -> Statistics:
    block = claimed.block
    # One stream for all that follows: the order of the calls is part of the result.
    rng = np.random.default_rng([registration.seed, 11])
    inner = inner_level(claimed, arrays, rng)
    intervals = two_way_intervals(inner.replicates, rng, registration.n_resamples)
    estimates = {
        name: Estimate(value=of(block), ci_low=low, ci_high=high)
        for name, of in STATISTICS.items()
        for low, high in [intervals[name]]
    }
    n_permutations = registration.n_permutations
    correlations = spearman_by_dataset(block).tolist()
    # A stream of its own: what decides must not change with what is reported beside it.
    flips = np.random.default_rng([registration.seed, 13])
    return Statistics(
        overall=estimates["overall"],
        between=estimates["between"] if block.n_families > 1 else NO_ESTIMATE,
        within=estimates["within"] if max(block.sizes) > 1 else NO_ESTIMATE,
        p_between=between_p(block, rng, n_permutations),
        p_within=within_p(block, rng, n_permutations),
        kendall_tau=kendall(block),
        by_dataset=dict(zip(claimed.datasets, correlations, strict=True)),
        slopes={_slope_name(slope, claimed): slope for slope in slopes(block, rng)},
        of_samples=inner.of_samples,
        crossed=crossed(family_correlations(block), flips),
        near_ties=near_ties(block),
    )


def _detectable(
    registration: Registration, claim: Claim, sizes: tuple[int, ...], n_datasets: int
) -> Detectable:
    n_primary = sum(not each.secondary for each in registration.claims)
    return minimum_detectable_effect(
        Layout(
            sizes=sizes, n_datasets=n_datasets, intra_family=registration.intra_family
        ),
        decided_by=DECIDED_BY[claim.name],
        # The first of Holm's steps divides alpha by the number of primary claims.
        alpha=registration.alpha / (1 if claim.secondary else max(n_primary, 1)),
        seed=registration.seed,
    )


def _slope_name(slope: Slope, claimed: ClaimBlock) -> str:
    if slope.family is None:
        names = {"within": "all, within families", "between": "between families"}
        return names[slope.kind]
    return claimed.families[slope.family]
