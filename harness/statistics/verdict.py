"""Verdicts: from estimates to one word, by rules; docs/hypothesis.md has them in prose."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Word = Literal[
    "supported", "not supported", "opposite", "undecided", "undecided by design"
]
MIN_FAMILIES, MIN_DATASETS = 6, 5
NEEDED_CHECKS = ("isolated rates", "prequential rates", "equal bytes")


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A statistic with its two-way bootstrap interval, 95 %; nan where there is none."""

    value: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Statistics and counts that decide a claim.

    Attributes:
        deciding: the statistic between families (claim G) or within them (claim R).
        overall: the preregistered statistic over all compressors; None where it is the
            deciding one.
        p: of the deciding statistic, adjusted over the claims; nan where it is undefined,
            None where the interval alone decides.
        n_families: families that the deciding statistic rests on; None where it does not
            rest on families.
        n_datasets: data sets of the block.
        checks: the deciding statistic under other rates and at equal bytes, by the names
            of NEEDED_CHECKS; None inside where one was not measured, None in place of all
            where the claim needs none.
        alpha: preregistered level.
        smallest_effect: preregistered; a correlation below it would not matter. None where
            no such effect was named, so that nothing is "not supported".
    """

    deciding: Estimate
    n_datasets: int
    overall: Estimate | None = None
    p: float | None = None
    n_families: int | None = None
    checks: Mapping[str, float | None] | None = None
    alpha: float = 0.05
    smallest_effect: float | None = None

    @property
    def is_significant(self) -> bool:
        """Significance by p alone; the interval must agree."""
        return self.p is None or self.p <= self.alpha

    @property
    def overall_value(self) -> float:
        """The preregistered statistic."""
        return (self.overall or self.deciding).value


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Word of a verdict, and the facts that led to it."""

    word: Word
    reasons: tuple[str, ...]


def verdict(findings: Findings) -> Verdict:
    """Return the verdict: the first rule that holds.

    1. Too few families or data sets: undecided by design.
    2. p at most alpha (where there is a p), interval above 0, the preregistered statistic
       positive, and the sign the same under every check: supported. One check missing or
       changed: undecided.
    3. p at most alpha, interval below 0, the preregistered statistic negative: opposite.
    4. The interval lies below the smallest effect that matters: not supported.
    5. Otherwise: undecided.
    """
    shortages = _shortages(findings)
    if shortages:
        return Verdict(word="undecided by design", reasons=shortages)
    # A claim needs p and the interval: p permutes families, the interval resamples
    # data sets too.
    deciding, overall = findings.deciding, findings.overall_value
    if findings.is_significant and deciding.ci_low > 0 and overall > 0:
        return _positive(findings)
    if findings.is_significant and deciding.ci_high < 0 and overall < 0:
        return Verdict(word="opposite", reasons=_p_words(findings))
    # No evidence is not evidence of no effect: that needs an interval short of it.
    smallest = findings.smallest_effect
    if smallest is not None and deciding.ci_high < smallest:
        ruled_out = (
            f"the interval ends at {deciding.ci_high:+.2f}, below the smallest effect that "
            f"matters, {smallest:g}"
        )
        return Verdict(word="not supported", reasons=(*_p_words(findings), ruled_out))
    return Verdict(word="undecided", reasons=_open(findings))


def _positive(findings: Findings) -> Verdict:
    """Return "supported", unless a check that the claim needs speaks against it."""
    if findings.checks is None:
        return Verdict(word="supported", reasons=_p_words(findings))
    objections = _unstable(findings.checks)
    if objections:
        return Verdict(word="undecided", reasons=objections)
    stable = "same sign in every check"
    return Verdict(word="supported", reasons=(*_p_words(findings), stable))


def _shortages(findings: Findings) -> tuple[str, ...]:
    reasons = []
    n_families, n_datasets = findings.n_families, findings.n_datasets
    if n_families is not None and n_families < MIN_FAMILIES:
        reasons.append(
            f"families that can decide: {n_families}, needed: {MIN_FAMILIES}"
        )
    if n_datasets < MIN_DATASETS:
        reasons.append(f"data sets: {n_datasets}, needed: {MIN_DATASETS}")
    return tuple(reasons)


def _unstable(checks: Mapping[str, float | None]) -> tuple[str, ...]:
    """Return which checks are missing or do not have the positive sign."""
    reasons = []
    for name in NEEDED_CHECKS:
        value = checks.get(name)
        if value is None or math.isnan(value):
            reasons.append(f"{name}: not measured")
        elif value <= 0:
            reasons.append(f"{name}: the sign changes ({value:+.2f})")
    return tuple(reasons)


def _p_words(findings: Findings) -> tuple[str, ...]:
    if findings.p is None:
        return ()
    return (f"adjusted p {findings.p:.3g} at level {findings.alpha:g}",)


def _open(findings: Findings) -> tuple[str, ...]:
    d = findings.deciding
    reasons = [*_p_words(findings)]
    if findings.is_significant and d.ci_low <= 0 <= d.ci_high:
        reasons.append("the interval, which also resamples data sets, holds 0")
    elif findings.is_significant:
        reasons.append(f"the preregistered statistic is {findings.overall_value:+.2f}")
    reasons.append(f"effects up to {d.ci_high:+.2f} are not ruled out")
    return tuple(reasons)
