"""Verdicts: from estimates to one word, by rules; docs/hypothesis.md has them in prose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness.statistics.estimate import Estimate

Word = Literal[
    "supported", "not supported", "opposite", "undecided", "undecided by design"
]
MIN_FAMILIES, MIN_DATASETS = 6, 5


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Numbers that decide a claim for one population.

    Attributes:
        estimate: of the deciding statistic; its p is adjusted over the claims, nan where the
            interval alone decides.
        shortages: what the design lacks to decide anything; empty where it lacks nothing.
        checks: the deciding statistic under other choices, which must not change its sign;
            None where one was not measured.
        alpha: preregistered level.
        smallest_effect: preregistered; a correlation below it would not matter. None where
            no such effect was named, so that nothing is "not supported".
    """

    estimate: Estimate
    shortages: Sequence[str] = ()
    checks: Mapping[str, float | None] = field(default_factory=dict)
    alpha: float = 0.05
    smallest_effect: float | None = None

    @property
    def is_significant(self) -> bool:
        """Significance by p, where there is one; the interval must agree."""
        return not self.estimate.p > self.alpha


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Word of a verdict, and the facts that led to it."""

    word: Word
    reasons: tuple[str, ...]


def shortages_of(
    *, n_datasets: int, n_families: int | None = None, units: str = "families"
) -> tuple[str, ...]:
    """Return what a design has too few of, with what it needs.

    Args:
        n_datasets: data sets of the test.
        n_families: units that are resampled; None where the claim is about fixed ones.
        units: their name.
    """
    reasons = []
    if n_families is not None and n_families < MIN_FAMILIES:
        reasons.append(f"{units}: {n_families}, needed: {MIN_FAMILIES}")
    if n_datasets < MIN_DATASETS:
        reasons.append(f"data sets: {n_datasets}, needed: {MIN_DATASETS}")
    return tuple(reasons)


def verdict(findings: Findings) -> Verdict:
    """Return the verdict: the first rule that holds.

    1. The design lacks something: undecided by design.
    2. p at most alpha (where there is a p), interval above 0, and the sign the same under
       every check that was measured: supported. A sign that changes: undecided.
    3. p at most alpha, interval below 0: opposite.
    4. The interval lies below the smallest effect that matters: not supported.
    5. Otherwise: undecided.
    """
    if findings.shortages:
        return Verdict(word="undecided by design", reasons=tuple(findings.shortages))
    estimate = findings.estimate
    if findings.is_significant and estimate.ci_low > 0:
        return _positive(findings)
    if findings.is_significant and estimate.ci_high < 0:
        return Verdict(word="opposite", reasons=())
    # No evidence is not evidence of no effect: that needs an interval short of it.
    smallest = findings.smallest_effect
    if smallest is not None and estimate.ci_high < smallest:
        ruled_out = f"the interval ends below {smallest:g}, the smallest that matters"
        return Verdict(word="not supported", reasons=(ruled_out,))
    return Verdict(word="undecided", reasons=_open(findings))


def _positive(findings: Findings) -> Verdict:
    """Return "supported", unless a check changes the sign."""
    measured = {
        name: value
        for name, value in findings.checks.items()
        if value is not None and not math.isnan(value)
    }
    objections = tuple(
        f"{name}: the sign changes ({value:+.2f})"
        for name, value in measured.items()
        if value <= 0
    )
    if objections:
        return Verdict(word="undecided", reasons=objections)
    n_checks = f"the same sign in {len(measured)} checks"
    return Verdict(word="supported", reasons=(n_checks,) if measured else ())


def _open(findings: Findings) -> tuple[str, ...]:
    estimate = findings.estimate
    reasons = []
    # The interval also resamples data sets, where p permutes families alone.
    has_p = not math.isnan(estimate.p)
    if has_p and findings.is_significant and estimate.ci_low <= 0 <= estimate.ci_high:
        reasons.append("the interval holds 0")
    if not math.isnan(estimate.ci_high):
        reasons.append(f"values up to {estimate.ci_high:+.2f} are not ruled out")
    return tuple(reasons)
