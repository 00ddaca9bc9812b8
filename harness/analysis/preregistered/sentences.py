"""Sentences of a verdict. Only claim R speaks of representations; nothing of causes."""

from __future__ import annotations

import math

from harness.analysis.preregistered.result import ClaimResult, Counts, Generality
from harness.planning.preregistration import Claim
from harness.statistics.estimate import Estimate
from harness.statistics.monotone_curve import Deviation
from harness.statistics.slopes import Slope
from harness.words import counted

ASSOCIATIONS = {
    "supported": "a better held-out rate goes with better {what}",
    "opposite": "a better held-out rate goes with worse {what}",
    "not supported": (
        "a better held-out rate does not go with better {what}, or less than would matter "
        "(correlation {smallest:g})"
    ),
    "undecided": (
        "it remains open whether a better held-out rate goes with better {what}"
    ),
    "undecided by design": (
        "this design cannot tell whether a better held-out rate goes with better {what}"
    ),
}


def sentence(
    result: ClaimResult, generality: Generality, smallest_effect: float
) -> str:
    """Return a verdict as one sentence: scope, association, numbers and reasons."""
    words = ASSOCIATIONS[generality.word].format(
        what=subject_of(result.claim), smallest=smallest_effect
    )
    details = "; ".join([*_numbers(result.claim, generality), *generality.reasons])
    scope = _scope(result.claim, result.counts, generality)
    opening = f"{generality.word.capitalize()}, to {generality.population}"
    return f"{opening}: {scope}, {words} ({details})."


def _scope(claim: Claim, counts: Counts, generality: Generality) -> str:
    """Return the population that a verdict is about, with the sizes behind it."""
    measured = f"{counts.datasets} measured"
    if generality.population == "new data sets":
        compressors = (
            f"{counted(counts.families, 'network family')} "
            f"({counted(counts.compressors, 'trained network')})"
            if claim.is_within_families
            else f"{counted(counts.compressors, 'compressor')} of "
            f"{counted(counts.families, 'family')} "
            f"({counts.networks or 'none'} of them {_networks(counts.networks)})"
        )
        return f"for {compressors}, on a new data set of these kinds ({measured})"
    kind = "network family" if claim.is_within_families else "family of compressors"
    from_units = counted(counts.families, "family")
    if not claim.is_within_families and counts.units != counts.families:
        from_units += f" of {counted(counts.units, 'descent')}"
    noun = "trained network" if claim.is_within_families else "compressor"
    return (
        f"for a new {kind} of these kinds (from {from_units}, "
        f"{counted(counts.compressors, noun)}), on a new data set ({measured})"
    )


def _networks(n_networks: int) -> str:
    return "a network" if n_networks == 1 else "networks"


def _numbers(claim: Claim, generality: Generality) -> list[str]:
    """Return the deciding statistic with interval, half-width and p, if there is one."""
    estimate = generality.estimate
    if math.isnan(estimate.value):
        return []
    where = "families" if claim.is_within_families else "data sets"
    parts = [f"mean Spearman within {where} {estimate_words(estimate, '+.2f')}"]
    if not math.isnan(estimate.half_width):
        parts.append(f"half-width {estimate.half_width:.2f}")
    if not math.isnan(estimate.p):
        kind = "p" if claim.secondary else "adjusted p"
        parts.append(f"{kind} {generality.p_adjusted:.2g}")
    return parts


def estimate_words(estimate: Estimate | Slope | Deviation, form: str) -> str:
    """Return a number with its interval, or a dash and why there is none."""
    if math.isnan(estimate.value):
        return "not measured"
    # A dash with its reason: "nan" would tell a reader nothing.
    if math.isnan(estimate.ci_low):
        return f"{estimate.value:{form}} [-, too few to tell]"
    ends = f"[{estimate.ci_low:{form}}, {estimate.ci_high:{form}}]"
    return f"{estimate.value:{form}} {ends}"


def subject_of(claim: Claim) -> str:
    """Return what a claim says gets better."""
    measure = f"{claim.task} {claim.score.replace('_', ' ')}"
    if claim.name == "C":
        return f"classification by compression ({measure})"
    if claim.name == "L":
        return f"features without labels ({measure})"
    return f"representations ({measure})"


def curve_sentence(word: str, tolerance: float) -> str:
    """Return whether bits suffice, in the only words allowed for it."""
    what = "to predict accuracy under these interventions"
    if word == "undecided":
        return (
            f"Undecided: whether bits suffice {what} within {tolerance:g} remains open."
        )
    return f"Bits {word} {what} within {tolerance:g}."
