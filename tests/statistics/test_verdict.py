"""The rules from numbers to one word."""

import math

import pytest

from harness.statistics.verdict import Estimate, Findings, verdict


def estimate(value, half=0.1):
    return Estimate(value=value, ci_low=value - half, ci_high=value + half)


def findings(value, p=0.01, **changes):
    same = {"isolated rates": 0.3, "prequential rates": 0.3, "equal bytes": 0.3}
    about = {
        "deciding": estimate(value),
        "overall": estimate(value),
        "p": p,
        "n_families": 6,
        "n_datasets": 5,
        "checks": same,
        "smallest_effect": 0.5,
    }
    return Findings(**(about | changes))


@pytest.mark.parametrize(
    ("facts", "word"),
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
def test_the_verdict_follows_its_rules(facts, word):
    assert verdict(facts).word == word


BY_INTERVAL = {"p": None, "checks": None, "smallest_effect": None, "overall": None}


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        (findings(0.5, **BY_INTERVAL), "supported"),
        (findings(-0.5, **BY_INTERVAL), "opposite"),
        (findings(0.05, **BY_INTERVAL), "undecided"),
        (findings(0.5, **BY_INTERVAL, n_families=5), "undecided by design"),
        (findings(0.5, **BY_INTERVAL, n_datasets=4), "undecided by design"),
        (findings(math.nan, **BY_INTERVAL), "undecided"),
    ],
)
def test_without_p_checks_and_smallest_effect_the_interval_alone_decides(facts, word):
    assert verdict(facts).word == word


def test_where_families_do_not_count_their_number_decides_nothing():
    about = {"n_families": None, "checks": None, "smallest_effect": None}
    assert verdict(findings(0.5, 0.01, **about)).word == "supported"
    assert verdict(findings(0.5, 0.2, **about)).word == "undecided"
    assert verdict(findings(0.5, 0.01, **about, n_datasets=4)).word == (
        "undecided by design"
    )


def test_reasons_name_the_check_that_changes_the_sign_and_the_one_not_measured():
    checks = {"isolated rates": -0.1, "equal bytes": 0.3}
    reasons = verdict(findings(0.6, 0.01, checks=checks)).reasons
    assert reasons == (
        "isolated rates: the sign changes (-0.10)",
        "prequential rates: not measured",
    )
