"""Design of a claim: its layout, what that can detect, and what it lacks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from harness.analysis.preregistered.result import (
    POPULATIONS,
    Counts,
    Generality,
    Population,
)
from harness.planning.preregistration import Claim, Registration
from harness.records.job import BASELINE, Job
from harness.statistics.block import MIN_COMPRESSORS
from harness.statistics.power import (
    CellLayout,
    Detectable,
    Layout,
    detectable_inside_families,
    detectable_over_datasets,
    detectable_over_families,
)
from harness.statistics.verdict import shortages_of

Sizes = Mapping[str, Sequence[int]]
"""Configurations with both numbers of each family on each data set."""
POWERLESS = "no correlation up to .95 would be detected in 80 % of runs"


def planned_sizes(
    registration: Registration, claim: Claim, jobs: Sequence[Job]
) -> Sizes:
    """Return the configurations that a plan gives a claim, by family and data set.

    Every planned readout counts; a layer probe of a compressor without layers does not
    apply, which a plan cannot know, so that codecs are told by what they need.
    """
    datasets = claim.datasets or registration.datasets
    specs: dict[tuple[str, str], set[str]] = {}
    for job in jobs:
        subject = job.subject
        is_of_claim = not claim.compressors or subject.spec in claim.compressors
        is_model = not claim.is_within_families or "fit" in subject.needs
        is_excluded = subject.family in (BASELINE, *registration.excluded_families)
        is_listed = not registration.families or subject.family in registration.families
        is_in = is_of_claim and is_model and is_listed and not is_excluded
        if job.task == claim.task and is_in:
            specs.setdefault((subject.family, job.dataset), set()).add(subject.spec)
    families = sorted({family for family, _ in specs})
    return {f: [len(specs.get((f, d), ())) for d in datasets] for f in families}


def counts_of(
    registration: Registration, claim: Claim, sizes: Sizes, n_networks: int = 0
) -> Counts:
    """Return the size of a claim's design."""
    n_datasets = len(claim.datasets or registration.datasets)
    if not claim.is_within_families:
        # Over compressors a block is complete: a family is the same everywhere.
        members = {family: min(row) for family, row in sizes.items() if min(row)}
        return Counts(
            datasets=n_datasets,
            compressors=sum(members.values()),
            networks=n_networks,
            families=len(members),
            units=len({registration.unit_of(family) for family in members}),
        )
    table = np.array([*sizes.values()]).reshape(-1, n_datasets)
    has_cell = table >= MIN_COMPRESSORS
    n_families = int(has_cell.any(axis=1).sum())
    return Counts(
        datasets=int(has_cell.any(axis=0).sum()),
        # Trained networks: configurations may differ from data set to data set.
        compressors=int(table[has_cell].sum()),
        networks=n_networks,
        families=n_families,
        units=n_families,
        cells=int(has_cell.sum()),
    )


def undecided_generalities(
    registration: Registration, claim: Claim, sizes: Sizes
) -> tuple[Generality, ...]:
    """Return both generalities of a claim as they are known before there are records."""
    counts = counts_of(registration, claim, sizes)
    units = "families"
    if not claim.is_within_families and registration.superfamilies:
        units = "superfamilies"
    generalities = []
    for population in POPULATIONS:
        to_compressors = population == "new compressors"
        detectable = _detectable(registration, claim, sizes, population)
        shortages = shortages_of(
            n_datasets=counts.datasets,
            n_families=counts.units if to_compressors else None,
            units=units,
        )
        if counts.compressors < MIN_COMPRESSORS:
            shortages += (f"compressors: {counts.compressors}",)
        elif not shortages and math.isnan(detectable.effect):
            shortages = (POWERLESS,)
        generalities.append(
            Generality(
                population=population, detectable=detectable, shortages=shortages
            )
        )
    return tuple(generalities)


def _detectable(
    registration: Registration, claim: Claim, sizes: Sizes, population: Population
) -> Detectable:
    to_compressors = population == "new compressors"
    level, seed = registration.level_of(claim), registration.seed
    if claim.is_within_families:
        return detectable_inside_families(
            CellLayout(
                sizes=tuple(tuple(row) for row in sizes.values()),
                heterogeneity=registration.heterogeneity,
            ),
            families_random=to_compressors,
            alpha=level,
            seed=seed,
        )
    n_datasets = len(claim.datasets or registration.datasets)
    if not to_compressors:
        return detectable_over_datasets(
            n_datasets, heterogeneity=registration.heterogeneity, alpha=level
        )
    by_unit: dict[str, int] = {}
    for family, row in sizes.items():
        if min(row):
            unit = registration.unit_of(family)
            by_unit[unit] = by_unit.get(unit, 0) + min(row)
    layout = Layout(
        sizes=tuple(by_unit.values()),
        n_datasets=n_datasets,
        intra_family=registration.intra_family,
    )
    return detectable_over_families(layout, alpha=level, seed=seed)
