"""Registrations of a run folder, and the standing of records to them."""

import pytest

from harness.errors import StoreError
from harness.planning.preregistration import ANALYSIS_VERSION
from harness.planning.registered_design import (
    FILE,
    read_registration,
    standing_of,
    write_registration,
)

DATE = "2026-11-25T12:00:00+00:00"
DOCUMENT = {
    "compressors": {"gzip": []},
    "draws": 1,
    "versions": {"analysis": ANALYSIS_VERSION},
}


@pytest.fixture
def registered(make_registration):
    return make_registration(DOCUMENT, DATE)


def test_a_registration_is_read_back_from_its_folder(tmp_path, registered):
    assert read_registration(tmp_path) is None
    write_registration(tmp_path / "new", registered)
    assert read_registration(tmp_path / "new") == registered


def test_a_document_edited_by_hand_is_refused(tmp_path, registered):
    write_registration(tmp_path, registered)
    text = (tmp_path / FILE).read_text().replace('"draws": 1', '"draws": 2')
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StoreError, match="its hash is not that of its document"):
        read_registration(tmp_path)


def test_records_after_a_registration_of_the_same_design_are_registered(
    registered, make_record
):
    records = [make_record("gzip", date="2026-11-25T12:00:01+00:00")]
    standing = standing_of(registered, DOCUMENT, records)
    assert standing.reasons == ()
    assert standing.sentences == (f"Registered {registered.hash[:16]} on {DATE}.",)


def test_records_before_the_registration_are_counted(registered, make_record):
    dates = ["2026-11-25T11:59:59+00:00", "2026-11-25T12:00:00+00:00"]
    records = [make_record("gzip", date=date) for date in dates]
    standing = standing_of(registered, DOCUMENT, records)
    assert standing.reasons == ("registered after 1 of 2 records existed",)


def test_a_changed_design_says_what_changed(registered):
    standing = standing_of(registered, DOCUMENT | {"draws": 2}, [])
    assert standing.reasons == ("changed after registration: draws: 1 -> 2",)


def test_a_compressor_that_was_added_to_the_run_alone_is_a_change(
    registered, make_record
):
    records = [make_record("gzip"), make_record("xz"), make_record("m", "baseline")]
    standing = standing_of(registered, DOCUMENT, records)
    assert standing.changes == ("compressors, xz: added",)


def test_a_report_by_another_analysis_is_a_change(make_registration):
    document = DOCUMENT | {"versions": {"analysis": 0}}
    standing = standing_of(make_registration(document, DATE), document, [])
    assert standing.changes == (f"versions, analysis: 0 -> {ANALYSIS_VERSION}",)


def test_without_a_registration_results_are_exploratory():
    (sentence,) = standing_of(None, DOCUMENT, []).sentences
    assert sentence.startswith("Exploratory: no registration.json")


def test_a_long_list_of_changes_is_cut_and_counted(registered):
    design = DOCUMENT | dict.fromkeys("abcd", 1) | {"draws": 2}
    standing = standing_of(registered, design, [])
    short = standing.shortened(3)
    assert len(standing.changes) == 5
    assert short.changes[:3] == standing.changes[:3]
    assert short.changes[3].startswith("and 2 more")
    assert standing.shortened(5) == standing
