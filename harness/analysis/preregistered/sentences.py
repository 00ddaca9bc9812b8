"""The sentences of a verdict. Only claim R speaks of representations; nothing of causes."""

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
    deciding = result.between if result.decided_by == "between" else result.within
    registered = Estimate(
        value=result.statistic, ci_low=result.ci_low, ci_high=result.ci_high
    )
    named = {
        "mean within-data-set Spearman": registered,
        f"{result.decided_by} families": deciding,
    }
    numbers = [
        f"{name} {estimate_words(one, '+.2f', n_datasets=result.n_datasets)}"
        for name, one in named.items()
        if not math.isnan(one.value)
    ]
    counts = (
        f"compressors: {result.n_compressors}, families: {result.n_families}, "
        f"data sets: {result.n_datasets}"
    )
    return f"{opening} {'; '.join([*result.reasons, *numbers, counts])}."


def estimate_words(
    one: Estimate | Slope | Deviation, form: str, *, n_datasets: int
) -> str:
    """Return a number with its interval, or a dash and why there is none."""
    if math.isnan(one.value):
        return "not measured"
    if math.isnan(one.ci_low):
        why = "given this data set" if n_datasets == 1 else "too few to resample"
        return f"{one.value:{form}} [-, {why}]"
    return f"{one.value:{form}} [{one.ci_low:{form}}, {one.ci_high:{form}}]"


def subject_of(result: ClaimResult) -> str:
    """Return what a claim says gets better."""
    measure = f"{result.task} {result.score.replace('_', ' ')}"
    if result.name == "G":
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
