"""Preregistrations: their claims, the spelling of their specs."""

import pytest
from pydantic import ValidationError

from harness.planning.preregistration import Claim, Registration

CLAIMS = [Claim(name="C", task="class_scratch"), Claim(name="R", task="layer_probe")]


def registration(**changes):
    return Registration(**({"claims": CLAIMS, "datasets": ["a", "b"]} | changes))


def test_claims_of_one_name_need_labels():
    with pytest.raises(ValidationError, match="give one a label"):
        registration(claims=[CLAIMS[0], CLAIMS[0]])


@pytest.mark.parametrize("name", ["G", "X"])
def test_other_claims_than_r_c_and_l_are_refused(name):
    with pytest.raises(ValidationError):
        Claim(name=name, task="class_scratch")


def test_a_family_has_one_ancestor_and_is_its_own_where_none_is_named():
    named = registration(superfamilies={"contexts": ["PPM", "context model"]})
    assert [named.unit_of(f) for f in ("PPM", "BWT")] == ["contexts", "BWT"]
    with pytest.raises(ValidationError, match="'PPM' stands in two; keep it in one"):
        registration(superfamilies={"a": ["PPM"], "b": ["PPM"]})


def test_the_level_of_a_claim_is_shared_by_the_primary_ones():
    second = Claim(name="R", label="R2", task="layer_probe", secondary=True)
    mine = registration(claims=[*CLAIMS, second], alpha=0.04)
    assert [mine.level_of(claim) for claim in mine.claims] == [0.02, 0.02, 0.04]


def test_a_spelling_changes_specs_and_nothing_else():
    claims = [CLAIMS[0].model_copy(update={"compressors": ["a(b=1)"]}), CLAIMS[1]]
    plain = registration(claims=claims, interventions={"size": ["a(b=1)", "a(c=2)"]})
    spelled = plain.spelled({"a(b=1)": "a", "a(c=2)": "a(c=2)"}.__getitem__)
    assert spelled.claims[0].compressors == ["a"]
    assert spelled.interventions == {"size": ["a", "a(c=2)"]}
    back = {"claims": plain.claims, "interventions": plain.interventions}
    assert spelled.model_copy(update=back) == plain
