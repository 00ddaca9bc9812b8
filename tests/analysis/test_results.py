"""One set of records out of a folder, and sentences for the others."""

import dataclasses
import gzip
import json

import pytest

from harness.analysis import results as results_module
from harness.analysis.results import QUESTION, results_of
from harness.errors import StoreError, UnavailableError
from harness.planning.manifest import Manifest, RunSet, cell_of, write_manifest
from harness.planning.preregistration import Claim, Registration
from harness.records.store import PUBLISHED, Store


@pytest.fixture
def rates(make_record, measured):
    def record(spec, value=2.0, **about):
        return make_record(spec, "rates", [measured("heldout_bpb", value)], **about)

    return record


def manifest_of(records, **about):
    keys = {cell_of(record.job): record.key for record in records}
    sets = [RunSet(keys=keys, date="2026-01-01", command="bitprobe run t")]
    defaults = {"name": "t", "title": "T", "datasets": ["d"], "sets": sets}
    return Manifest(**(defaults | about))


def specs_and_rates(results):
    return {(r.spec, r.scores[0].value) for r in results.records}


def test_a_manifest_with_keys_chooses_the_records(rates, results_from):
    now, before = rates("a", 2.0), rates("a", 3.0, source_hash="older")
    results = results_from([now, before], manifest_of([now]))
    assert specs_and_rates(results) == {("a", 2.0)}


def test_a_manifest_without_keys_takes_all_records(rates, results_from):
    records = [rates("a"), rates("b")]
    results = results_from(records, manifest_of([]))
    assert list(results.records) == records


def test_without_a_manifest_the_newest_version_of_a_cell_stands(rates, results_from):
    records = [rates("a", 9.0, version=1), rates("a", 2.0, version=2), rates("b", 4.0)]
    results = results_from(records)
    assert specs_and_rates(results) == {("a", 2.0), ("b", 4.0)}


def test_without_a_manifest_an_official_record_goes_before_a_capped_one(
    rates, results_from
):
    capped = rates("a", 9.0, n_train=10, official=False, version=3)
    results = results_from([capped, rates("a", 2.0)])
    assert specs_and_rates(results) == {("a", 2.0)}


def test_parameters_of_a_task_are_questions_of_their_own(
    make_record, measured, results_from
):
    accuracy = [measured("balanced_accuracy", 0.5)]
    records = [
        make_record("a", "class_scratch", accuracy, parameters={"equal_bytes": equal})
        for equal in (True, False)
    ]
    assert len(results_from(records).records) == 2


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"n_train": 10}, "of other caps or another seed"),
        ({"version": 7}, "of another version of their task"),
        ({"source_hash": "older"}, "of another version of their plugin"),
        ({"dataset": "elsewhere"}, "outside the cells that the run plans"),
    ],
)
def test_a_sentence_says_what_else_lies_in_the_folder(
    rates, results_from, about, words
):
    now = rates("a")
    results = results_from([now, rates("a", **about)], manifest_of([now]))
    (sentence,) = results.elsewhere
    assert sentence.startswith(f"1 more record is {words}")


def test_other_records_of_one_kind_are_counted_in_one_sentence(rates, results_from):
    now = [rates("a"), rates("b")]
    capped = [rates(spec, n_test=5) for spec in ("a", "b")]
    (sentence,) = results_from([*now, *capped], manifest_of(now)).elsewhere
    assert sentence.startswith("2 more records are of other caps")


def test_a_run_folder_and_its_published_form_give_the_same_results(tmp_path, rates):
    records = [rates("a"), rates("b", 3.0)]
    run, published = tmp_path / "run", tmp_path / "published"
    store = Store(run)
    store.open()
    for record in records:
        store.write(record)
    write_manifest(run, manifest_of(records))
    write_manifest(published, manifest_of([]))
    lines = "".join(f"{json.dumps(record.to_json())}\n" for record in records)
    (published / PUBLISHED).write_bytes(gzip.compress(lines.encode()))
    both = [results_of(Store(folder)) for folder in (run, published)]
    assert both[0].records == both[1].records
    assert both[0].leaderboards == both[1].leaderboards


def test_a_folder_without_records_is_one_clear_line(tmp_path):
    with pytest.raises(
        StoreError, match=r"^no records in .*; run a suite into it first$"
    ):
        results_of(Store(tmp_path / "nothing"))


def test_without_a_registration_the_answer_is_undecided_by_design(rates, results_from):
    (sentence,) = results_from([rates("a")], manifest_of([])).answer
    assert sentence.startswith(QUESTION)
    assert "Undecided by design" in sentence
    assert "0 families on 0 data sets" in sentence


def test_without_a_manifest_the_answer_says_what_is_missing(rates, results_from):
    question, sentence = results_from([rates("a")]).answer
    assert question == QUESTION
    assert sentence == "Undecided: no suite.json says what was preregistered."


def test_records_that_lack_the_test_s_needs_are_said_and_do_not_fail(
    rates, results_from, monkeypatch
):
    def refuse(*_):
        raise UnavailableError("no arrays beside the records")

    monkeypatch.setattr(results_module, "hypothesis_report", refuse)
    claims = [Claim(name="C", task="class_scratch")]
    registration = Registration(claims=claims, datasets=["digits"])
    manifest = manifest_of([], registration=registration)
    results = results_from([rates("a")], manifest)
    assert results.test is None
    assert results.answer[-1] == (
        "Undecided: the preregistered test needs more than these records: "
        "no arrays beside the records."
    )


def test_class_readouts_are_counted_by_family_and_data_set(
    make_record, measured, results_from
):
    readout = [measured("balanced_accuracy", 0.5, n_neighbours=1)]
    records = [
        make_record(spec, "ncd_knn", readout, dataset=dataset)
        for spec in ("a", "b")
        for dataset in ("x", "y", "z")
    ]
    (sentence,) = results_from(records, manifest_of([])).answer
    assert "2 families on 3 data sets" in sentence


def test_provenance_names_the_command_and_the_seeds(rates, results_from):
    records = [rates("a", draw=0), rates("a", draw=1)]
    facts = results_from(records, manifest_of(records)).provenance
    assert facts["command"] == "bitprobe run t"
    assert facts["seeds"] == "0, 1"


def test_parts_are_computed_once(rates, results_from):
    results = results_from([rates("a")])
    assert results.leaderboards is results.leaderboards
    assert results.table is results.table
    with pytest.raises(dataclasses.FrozenInstanceError):
        results.manifest = None


def test_a_run_whose_jobs_have_no_record_yet_shows_nothing_and_says_what_lies_there(
    rates, results_from
):
    registration = Registration(
        claims=[Claim(name="C", task="class_scratch")], datasets=["d"]
    )
    manifest = manifest_of([rates("planned")], registration=registration)
    results = results_from([rates("a")], manifest)
    assert results.leaderboards == ()
    assert results.elsewhere == (
        "1 more record is outside the cells that the run plans; not shown",
    )
    assert results.answer[0].startswith(QUESTION)
    assert "No verdict" in results.answer[-1]
    assert results.table.empty


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ({"a": {"n_train": 10, "official": False}, "b": {}}, "caps or a seed"),
        ({"a": {}}, "holds 1 compressor of 2"),
        ({"a": {"dataset": "e"}, "b": {"dataset": "e"}}, "holds 0 data sets of 1"),
    ],
)
def test_a_part_of_a_suite_gets_no_verdict(rates, results_from, records, words):
    claims = [Claim(name="C", task="class_scratch")]
    registration = Registration(claims=claims, datasets=["digits"])
    design = {
        "compressors": {"a": [], "b": [], "c(x=1)": []},
        "plugins": {"a": {}, "b": {}, "c": "missing"},
    }
    held = [rates(spec, **about) for spec, about in records.items()]
    manifest = manifest_of(held, registration=registration, design=design)
    question, sentence = results_from(held, manifest).answer
    assert question == QUESTION
    assert sentence.startswith("No verdict: a claim is about the whole suite")
    assert words in sentence
    whole = [rates("a"), rates("b")]
    # What is not installed could not run: the claim itself says what it lacks.
    results = results_from(whole, manifest.model_copy(update={"sets": []}))
    assert results.missing_parts == ()
    assert not any("No verdict" in sentence for sentence in results.answer)
