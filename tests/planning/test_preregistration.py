"""Preregistrations: their claims, the spelling of their specs."""

import pytest
from pydantic import ValidationError

from harness.planning.preregistration import Claim, Registration

CLAIMS = [Claim(name="G", task="class_adapt"), Claim(name="R", task="layer_probe")]


def registration(**changes):
    return Registration(**({"claims": CLAIMS, "datasets": ["a", "b"]} | changes))


def test_claims_of_one_name_need_labels():
    with pytest.raises(ValidationError, match="give one a label"):
        registration(claims=[CLAIMS[0], CLAIMS[0]])


def test_other_claims_than_g_and_r_are_refused():
    with pytest.raises(ValidationError):
        Claim(name="X", task="class_adapt")


def test_a_spelling_changes_specs_and_nothing_else():
    claims = [CLAIMS[0].model_copy(update={"compressors": ["a(b=1)"]}), CLAIMS[1]]
    plain = registration(claims=claims, interventions={"size": ["a(b=1)", "a(c=2)"]})
    spelled = plain.spelled({"a(b=1)": "a", "a(c=2)": "a(c=2)"}.__getitem__)
    assert spelled.claims[0].compressors == ["a"]
    assert spelled.interventions == {"size": ["a", "a(c=2)"]}
    back = {"claims": plain.claims, "interventions": plain.interventions}
    assert spelled.model_copy(update=back) == plain
