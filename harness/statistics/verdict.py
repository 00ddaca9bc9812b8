"""From estimates to one word, by rules; docs/hypothesis.md has them in prose."""

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
    """What a claim is decided by.

    Attributes:
        deciding: the statistic between families (claim G) or within them (claim R).
        overall: the registered statistic over all compressors.
        p: of the deciding statistic, adjusted over the claims; nan where there is none.
        n_families: families that the deciding statistic rests on.
        n_datasets: data sets of the block.
        checks: the deciding statistic under other rates and at equal bytes, by the names
            of NEEDED_CHECKS; None where it was not measured.
        alpha: registered level.
        smallest_effect: registered; a correlation below it would not matter.
    """

    deciding: Estimate
    overall: Estimate
    p: float
    n_families: int
    n_datasets: int
    checks: Mapping[str, float | None]
    alpha: float = 0.05
    smallest_effect: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The word, and the facts that led to it."""

    word: Word
    reasons: tuple[str, ...]


def verdict(found: Findings) -> Verdict:
    """Return the verdict: the first rule that holds.

    1. Too few families or data sets: undecided by design.
    2. p at most alpha, interval above 0, the registered statistic positive, and the sign
       the same under every check: supported. One check missing or changed: undecided.
    3. p at most alpha, interval below 0, the registered statistic negative: opposite.
    4. The interval lies below the smallest effect that matters: not supported.
    5. Otherwise: undecided.
    """
    few = _too_few(found)
    if few:
        return Verdict(word="undecided by design", reasons=few)
    d = found.deciding
    significant = found.p <= found.alpha
    if significant and d.ci_low > 0 and found.overall.value > 0:
        against = _unstable(found.checks)
        word: Word = "undecided" if against else "supported"
        return Verdict(
            word=word, reasons=against or (_p_words(found), "same sign in every check")
        )
    if significant and d.ci_high < 0 and found.overall.value < 0:
        return Verdict(word="opposite", reasons=(_p_words(found),))
    if d.ci_high < found.smallest_effect:
        ruled_out = (
            f"the interval ends at {d.ci_high:+.2f}, below the smallest effect that "
            f"matters, {found.smallest_effect:g}"
        )
        return Verdict(word="not supported", reasons=(_p_words(found), ruled_out))
    return Verdict(word="undecided", reasons=_open(found))


def _too_few(found: Findings) -> tuple[str, ...]:
    reasons = []
    if found.n_families < MIN_FAMILIES:
        reasons.append(
            f"families that can decide: {found.n_families}, needed: {MIN_FAMILIES}"
        )
    if found.n_datasets < MIN_DATASETS:
        reasons.append(f"data sets: {found.n_datasets}, needed: {MIN_DATASETS}")
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


def _p_words(found: Findings) -> str:
    return f"adjusted p {found.p:.3g} at level {found.alpha:g}"


def _open(found: Findings) -> tuple[str, ...]:
    d = found.deciding
    reasons = [_p_words(found)]
    if found.p <= found.alpha and d.ci_low <= 0 <= d.ci_high:
        reasons.append("the interval, which also resamples data sets, holds 0")
    elif found.p <= found.alpha:
        reasons.append(f"the registered statistic is {found.overall.value:+.2f}")
    reasons.append(f"effects up to {d.ci_high:+.2f} are not ruled out")
    return tuple(reasons)
