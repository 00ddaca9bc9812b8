import gzip
import hashlib
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.commands.report import folder_hypothesis
from harness.errors import StoreError
from harness.planning.preregistration import (
    Claim,
    Registered,
    Registration,
    read_registered,
    register,
    why_exploratory,
)
from harness.planning.suite import suites_folder
from harness.records.store import RECORD_FORMAT

CLAIMS = [Claim(name="G", task="class_adapt"), Claim(name="R", task="layer_probe")]


def registration(**changes):
    return Registration(**({"claims": CLAIMS, "datasets": ["a", "b"]} | changes))


def test_the_hash_is_that_of_the_sorted_compact_json():
    values = registration().model_dump()
    text = json.dumps(values, sort_keys=True, separators=(",", ":")).encode()
    assert registration().hash == hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.01},
        {"datasets": ["a"]},
        {"families": ["f"]},
        {"draws": 2},
        {"claims": CLAIMS[:1]},
    ],
)
def test_any_change_changes_the_hash(change):
    assert registration(**change).hash != registration().hash


def test_a_registration_written_before_the_records_is_not_exploratory(tmp_path):
    found = register(tmp_path, registration())
    assert read_registered(tmp_path) == found
    assert why_exploratory(registration(), found) == ""


def test_a_second_run_keeps_what_the_first_registered(tmp_path):
    first = register(tmp_path, registration())
    again = register(tmp_path, registration(alpha=0.01))
    assert again == first
    assert "changed" in why_exploratory(registration(alpha=0.01), again)


def test_records_before_the_registration_make_it_exploratory(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "k.json").write_text("{}")
    found = register(tmp_path, registration())
    assert why_exploratory(registration(), found).startswith("1 records were there")


def test_a_folder_without_a_registration_is_exploratory(tmp_path):
    assert read_registered(tmp_path) is None
    assert "does not say" in why_exploratory(registration(), None)
    none = register(tmp_path, None)
    assert none == Registered(hash="", n_records_before=0)
    assert "changed" in why_exploratory(registration(), none)


def test_a_damaged_registration_says_what_to_do(tmp_path):
    (tmp_path / "hypothesis.json").write_text("{")
    with pytest.raises(StoreError, match="delete it"):
        read_registered(tmp_path)


def test_claims_of_one_name_need_labels():
    with pytest.raises(ValidationError, match="give one a label"):
        registration(claims=[CLAIMS[0], CLAIMS[0]])


def test_other_claims_than_g_and_r_are_refused():
    with pytest.raises(ValidationError):
        Claim(name="X", task="class_adapt")


def test_a_spelling_changes_specs_and_nothing_else():
    claims = [CLAIMS[0].model_copy(update={"compressors": ["a(b=1)"]}), CLAIMS[1]]
    written = registration(claims=claims, interventions={"size": ["a(b=1)", "a(c=2)"]})
    spelled = written.spelled({"a(b=1)": "a", "a(c=2)": "a(c=2)"}.__getitem__)
    assert spelled.claims[0].compressors == ["a"]
    assert spelled.interventions == {"size": ["a", "a(c=2)"]}
    back = {"claims": written.claims, "interventions": written.interventions}
    assert spelled.model_copy(update=back) == written


def interventions_of(folder, text):
    """What the published records of the suite say if this text were their suite."""
    path = Path(__file__).parents[1] / "results" / "interventions" / "records.jsonl.gz"
    if not path.exists():
        pytest.skip("no published records of interventions")
    suite = folder / "suite.toml"
    suite.write_text(text)
    (folder / "records").mkdir(parents=True, exist_ok=True)
    for line in gzip.decompress(path.read_bytes()).splitlines():
        record = json.loads(line)
        record["job"]["suite"] = str(suite)
        record["format"] = RECORD_FORMAT
        (folder / "records" / f"{record['key']}.json").write_text(json.dumps(record))
    return json.loads(folder_hypothesis(folder, "json"))["interventions"]


def test_interventions_written_with_their_defaults_give_the_same_curve(tmp_path):
    head, table, tail = (
        (suites_folder() / "interventions.toml")
        .read_text()
        .partition("[hypothesis.interventions]")
    )
    longer = tail.replace('"pixel_mlp(', "\"pixel_mlp(size='50k', ")
    assert longer != tail
    short, long = (interventions_of(tmp_path, head + table + t) for t in (tail, longer))
    assert long == short
    lost = tail.replace('"pixel_mlp(', '"pixel_nothing(')
    found = interventions_of(tmp_path, head + table + lost)
    named = set(found["without_records"]) - set(short["without_records"])
    assert named
    assert all(spec.startswith("pixel_nothing(") for spec in named)
