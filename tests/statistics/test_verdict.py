"""The rules from numbers to one word."""

import math

import pytest

from harness.statistics.estimate import Estimate
from harness.statistics.verdict import Findings, shortages_of, verdict

SAME = {"isolated rates": 0.3, "without LZ77": 0.2, "prequential rates": None}


def findings(value, p=0.01, *, half=0.1, **changes):
    estimate = Estimate(value=value, ci_low=value - half, ci_high=value + half, p=p)
    about = {"estimate": estimate, "checks": SAME, "smallest_effect": 0.3}
    return Findings(**(about | changes))


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (findings(0.6), "supported"),
        (findings(-0.6), "opposite"),
        (findings(0.05, 0.6), "not supported"),
        (findings(-0.6, 0.2), "not supported"),
        (findings(0.6, 0.2, half=0.7), "undecided"),
        (findings(0.6, 0.2), "undecided"),
        (findings(0.6, shortages=("data sets: 4, needed: 5",)), "undecided by design"),
        # The interval must agree with p.
        (findings(0.6, 0.01, half=0.7), "undecided"),
        # A check that was not measured changes no sign.
        (findings(0.6, checks={}), "supported"),
        (findings(0.6, checks={"isolated rates": math.nan}), "supported"),
        (findings(0.6, checks={**SAME, "without LZ77": -0.1}), "undecided"),
        (findings(0.6, checks={**SAME, "without LZ77": 0.0}), "undecided"),
        (findings(math.nan, 1.0), "undecided"),
    ],
)
def test_the_verdict_follows_its_rules(facts, word):
    assert verdict(facts).word == word


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (findings(0.5, math.nan, smallest_effect=None), "supported"),
        (findings(-0.5, math.nan, smallest_effect=None), "opposite"),
        (findings(0.05, math.nan, smallest_effect=None), "undecided"),
        (findings(math.nan, math.nan, smallest_effect=None), "undecided"),
    ],
)
def test_without_p_and_smallest_effect_the_interval_alone_decides(facts, word):
    assert verdict(facts).word == word


def test_shortages_name_what_is_there_and_what_is_needed():
    assert shortages_of(n_datasets=5) == shortages_of(n_datasets=5, n_families=6) == ()
    assert shortages_of(n_datasets=4, n_families=5, units="superfamilies") == (
        "superfamilies: 5, needed: 6",
        "data sets: 4, needed: 5",
    )


def test_reasons_name_the_check_that_changes_the_sign():
    checks = {"isolated rates": -0.1, "equal bytes": 0.3}
    reasons = verdict(findings(0.6, 0.01, checks=checks)).reasons
    assert reasons == ("isolated rates: the sign changes (-0.10)",)
