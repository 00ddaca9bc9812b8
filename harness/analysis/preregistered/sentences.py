"""Sentences of a verdict. Only claim R speaks of representations; nothing of causes."""

from __future__ import annotations

import math

from harness.analysis.preregistered.result import ClaimResult
from harness.statistics.monotone_curve import Deviation
from harness.statistics.slopes import Slope
from harness.statistics.verdict import Estimate

OPENINGS = {
    "supported": "Supported: a better held-out rate goes with better {what}.",
    "opposite": "Opposite: a better held-out rate goes with worse {what}.",
    "not supported": (
        "Not supported: a better held-out rate does not go with better {what}, or less "
        "than would matter."
    ),
    "undecided": (
        "Undecided: whether a better held-out rate goes with better {what} remains open."
    ),
    "undecided by design": (
        "Undecided by design: too few families or data sets to say whether a better "
        "held-out rate goes with better {what}."
    ),
}


def sentence(result: ClaimResult) -> str:
    """Return the verdict of a decided claim as sentences, with its reasons and numbers."""
    opening = OPENINGS[result.verdict].format(what=subject_of(result))
    # An untested claim has no numbers to name.
    named = {
        "mean within-data-set Spearman": result.statistics.overall,
        f"{result.decided_by} families": result.deciding,
    }
    n = result.counts
    numbers = [
        f"{name} {estimate_words(estimate, '+.2f', n_datasets=n.datasets)}"
        for name, estimate in named.items()
        if not math.isnan(estimate.value)
    ]
    sizes = (
        f"compressors: {n.compressors}, families: {n.families}, data sets: {n.datasets}"
    )
    return f"{opening} {'; '.join([*result.reasons, *numbers, sizes])}."


def estimate_words(
    estimate: Estimate | Slope | Deviation, form: str, *, n_datasets: int
) -> str:
    """Return a number with its interval, or a dash and why there is none."""
    if math.isnan(estimate.value):
        return "not measured"
    # A dash with its reason: "nan" would tell a reader nothing.
    if math.isnan(estimate.ci_low):
        why = "given this data set" if n_datasets == 1 else "too few to resample"
        return f"{estimate.value:{form}} [-, {why}]"
    ends = f"[{estimate.ci_low:{form}}, {estimate.ci_high:{form}}]"
    return f"{estimate.value:{form}} {ends}"


def subject_of(result: ClaimResult) -> str:
    """Return what a claim says gets better."""
    claim = result.claim
    measure = f"{claim.task} {claim.score.replace('_', ' ')}"
    if claim.name == "G":
        return f"{measure} as a generative classifier"
    return f"representations, as {measure} reads them"


def curve_sentence(word: str, tolerance: float) -> str:
    """Return whether bits suffice, in the only words allowed for it."""
    what = "to predict accuracy under these interventions"
    if word == "undecided":
        return (
            f"Undecided: whether bits suffice {what} within {tolerance:g} remains open."
        )
    return f"Bits {word} {what} within {tolerance:g}."
