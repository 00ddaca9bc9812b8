"""The rules from numbers to one word."""

import math

import pytest

from harness.statistics.verdict import Estimate, Findings, verdict


def estimate(value, half=0.1):
    return Estimate(value=value, ci_low=value - half, ci_high=value + half)


def findings(value, p, **changes):
    same = {"isolated rates": 0.3, "prequential rates": 0.3, "equal bytes": 0.3}
    about = {
        "deciding": estimate(value),
        "overall": estimate(value),
        "p": p,
        "n_families": 6,
        "n_datasets": 5,
        "checks": same,
    }
    return Findings(**(about | changes))


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (findings(0.6, 0.01), "supported"),
        (findings(-0.6, 0.01), "opposite"),
        (findings(0.05, 0.6), "not supported"),
        (findings(0.6, 0.2, deciding=estimate(0.6, 0.7)), "undecided"),
        (findings(0.6, 0.01, n_families=5), "undecided by design"),
        (findings(0.6, 0.01, n_datasets=4), "undecided by design"),
        # What a test needs beyond p:
        (findings(0.6, 0.01, deciding=estimate(0.6, 0.7)), "undecided"),
        (findings(0.6, 0.01, overall=estimate(-0.1)), "undecided"),
        (findings(0.6, 0.01, checks={}), "undecided"),
        (
            findings(
                0.6,
                0.01,
                checks={
                    "isolated rates": -0.1,
                    "prequential rates": 0.3,
                    "equal bytes": 0.3,
                },
            ),
            "undecided",
        ),
        (findings(0.2, 0.01, overall=estimate(-0.1)), "not supported"),
        (findings(-0.6, 0.2), "not supported"),
        (findings(math.nan, math.nan, n_families=0), "undecided by design"),
        (findings(math.nan, 1.0), "undecided"),
    ],
)
def test_the_verdict_follows_its_rules(found, word):
    assert verdict(found).word == word


def test_reasons_name_the_check_that_changes_the_sign_and_the_one_not_measured():
    checks = {"isolated rates": -0.1, "equal bytes": 0.3}
    reasons = verdict(findings(0.6, 0.01, checks=checks)).reasons
    assert reasons == (
        "isolated rates: the sign changes (-0.10)",
        "prequential rates: not measured",
    )
