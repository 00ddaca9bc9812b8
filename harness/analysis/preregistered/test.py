"""The registered test: records -> block -> statistics -> verdict, one result per claim."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.preregistered.block import (
    Arrays,
    ClaimBlock,
    Record,
    claim_block,
    inner_level,
)
from harness.analysis.preregistered.checks import checks_of, partials_of
from harness.analysis.preregistered.interventions import curve_of
from harness.analysis.preregistered.result import (
    DECIDED_BY,
    MIN_COMPRESSORS,
    NO_ESTIMATE,
    ClaimResult,
    Report,
)
from harness.analysis.preregistered.sentences import sentence
from harness.planning.preregistration import (
    Claim,
    Registered,
    Registration,
    why_exploratory,
)
from harness.statistics.block import (
    STATISTICS,
    kendall,
    spearman_by_dataset,
    without_each_family,
)
from harness.statistics.bootstrap import two_way_intervals
from harness.statistics.permutation import between_p, holm_over, within_p
from harness.statistics.power import Detectable, Layout, minimum_detectable_effect
from harness.statistics.slopes import Slope, slopes
from harness.statistics.verdict import Estimate, Findings, verdict


def hypothesis_report(
    records: Sequence[Record],
    registration: Registration,
    registered: Registered | None,
    arrays: Arrays,
    shortest: Callable[[str], str] = str,
) -> Report:
    """Return the test of the registered claims on a run's records.

    Args:
        records: of the run.
        registration: the suite's.
        registered: what stands in the records' folder since its first run.
        arrays: gives the per-sample arrays beside a record, such as `stored_arrays`.
        shortest: gives the shortest form of a registered spec that matches no record as
            it is written; records have that form.
    """
    why = why_exploratory(registration, registered)
    written = registration.hash
    in_records = {str(record["job"]["subject"]["spec"]) for record in records}
    registration = registration.spelled(
        lambda spec: spec if spec in in_records else shortest(spec)
    )
    results = [_tested(records, registration, c, arrays) for c in registration.claims]
    adjusted = _adjusted(results)
    return Report(
        hash=written,
        status="exploratory" if why else "registered",
        why=why,
        official=all(record["job"]["official"] for record in records),
        n_draws=registration.draws,
        claims=tuple(
            _decided(result, adjusted[result.title], registration) for result in results
        ),
        curve=curve_of(records, registration),
    )


def stored_arrays(folder: Path) -> Arrays:
    """Return a reader of the arrays beside the records of a folder, those it needs."""

    def read(key: str) -> Mapping[str, NDArray[Any]]:
        path = folder / "arrays" / f"{key}.npz"
        if not path.exists():
            return {}
        with np.load(path, allow_pickle=False) as arrays:
            wanted = [n for n in arrays.files if n.startswith(("credit", "labels"))]
            wanted += [n for n in arrays.files if n.endswith("_bits") or n == "n_bytes"]
            return {name: arrays[name] for name in wanted}

    return read


def detectable_effects(
    registration: Registration, families: Mapping[str, str]
) -> dict[str, Detectable]:
    """Return, before a run, the effect each claim can detect if every cell succeeds.

    Args:
        registration: the suite's.
        families: of the specs that the suite lists.
    """
    found = {}
    for claim in registration.claims:
        counted = [
            family
            for spec, family in families.items()
            if (not claim.compressors or spec in claim.compressors)
            and (not registration.families or family in registration.families)
            and family not in registration.excluded_families
        ]
        sizes = tuple(counted.count(family) for family in sorted(set(counted)))
        n_datasets = len(claim.datasets or registration.datasets)
        found[claim.title] = _detectable(registration, claim, sizes, n_datasets)
    return found


def _detectable(
    registration: Registration, claim: Claim, sizes: tuple[int, ...], n_datasets: int
) -> Detectable:
    n_claims = sum(not each.secondary for each in registration.claims)
    return minimum_detectable_effect(
        Layout(
            sizes=sizes, n_datasets=n_datasets, intra_family=registration.intra_family
        ),
        decided_by=DECIDED_BY[claim.name],
        alpha=registration.alpha / (1 if claim.secondary else max(n_claims, 1)),
        seed=registration.seed,
    )


def _adjusted(results: Sequence[ClaimResult]) -> dict[str, float]:
    """Return p-values: Holm's over the registered claims, plain for secondary ones."""
    deciding = {r.title: r.p_between if r.name == "G" else r.p_within for r in results}
    primary = [result.title for result in results if not result.secondary]
    return deciding | holm_over({title: deciding[title] for title in primary})


def _decided(result: ClaimResult, p: float, registration: Registration) -> ClaimResult:
    decision = verdict(
        Findings(
            deciding=result.between if result.name == "G" else result.within,
            overall=Estimate(
                value=result.statistic, ci_low=result.ci_low, ci_high=result.ci_high
            ),
            p=p,
            n_families=result.n_families_deciding,
            n_datasets=result.n_datasets,
            checks=result.checks,
            alpha=registration.alpha,
            smallest_effect=registration.smallest_effect,
        )
    )
    decided = replace(
        result, p_adjusted=p, verdict=decision.word, reasons=decision.reasons
    )
    return replace(decided, sentence=sentence(decided))


def _tested(
    records: Sequence[Record], registration: Registration, claim: Claim, arrays: Arrays
) -> ClaimResult:
    """Return the statistics of a claim, not yet decided."""
    found = claim_block(records, registration, claim)
    rng = np.random.default_rng([registration.seed, 11])
    if found is None:
        return _untested(registration, claim)
    block = found.block
    untested = replace(
        _untested(registration, claim, tuple(block.sizes.tolist())),
        n_compressors=len(found.compressors),
        n_families=block.n_families,
        dropped=found.dropped,
    )
    if len(found.compressors) < MIN_COMPRESSORS:
        return untested
    inner = inner_level(found, arrays, claim, rng)
    intervals = two_way_intervals(inner.replicates, rng, registration.n_resamples)
    estimates = {
        name: Estimate(value=of(block), ci_low=low, ci_high=high)
        for name, of in STATISTICS.items()
        for low, high in [intervals[name]]
    }
    n_permutations = registration.n_permutations
    decided_by = DECIDED_BY[claim.name]
    n_ladders = int((block.sizes > 1).sum())
    n_deciding = block.n_families if decided_by == "between" else n_ladders
    return replace(
        untested,
        statistic=estimates["overall"].value,
        ci_low=estimates["overall"].ci_low,
        ci_high=estimates["overall"].ci_high,
        between=estimates["between"] if block.n_families > 1 else NO_ESTIMATE,
        within=estimates["within"] if n_ladders else NO_ESTIMATE,
        p_between=between_p(block, rng, n_permutations),
        p_within=within_p(block, rng, n_permutations),
        n_families_deciding=n_deciding,
        kendall_tau=kendall(block),
        by_dataset=dict(
            zip(found.datasets, spearman_by_dataset(block).tolist(), strict=True)
        ),
        without_family={
            found.families[f]: value for f, value in without_each_family(block).items()
        },
        slopes={_slope_name(s, found): s for s in slopes(block, rng)},
        checks=checks_of(records, registration, claim, found),
        partials=partials_of(records, found),
        ambiguous=found.ambiguous,
        of_samples=inner.of_samples,
        block=found,
    )


def _untested(
    registration: Registration, claim: Claim, sizes: tuple[int, ...] = ()
) -> ClaimResult:
    n_datasets = len(claim.datasets or registration.datasets)
    return ClaimResult(
        name=claim.name,
        title=claim.title,
        task=claim.task,
        score=claim.score,
        secondary=claim.secondary,
        decided_by=DECIDED_BY[claim.name],
        statistic=math.nan,
        ci_low=math.nan,
        ci_high=math.nan,
        between=NO_ESTIMATE,
        within=NO_ESTIMATE,
        p_between=math.nan,
        p_within=math.nan,
        p_adjusted=math.nan,
        n_compressors=0,
        n_families=0,
        n_families_deciding=0,
        n_datasets=n_datasets,
        kendall_tau=math.nan,
        by_dataset={},
        without_family={},
        slopes={},
        checks={},
        partials={},
        detectable=_detectable(registration, claim, sizes, n_datasets),
        dropped={},
        ambiguous=0,
        of_samples=False,
        verdict="",
        reasons=(),
        sentence="",
        block=None,
    )


def _slope_name(slope: Slope, found: ClaimBlock) -> str:
    if slope.family is None:
        return {"within": "all, within families", "between": "between families"}[
            slope.kind
        ]
    return found.families[slope.family]
