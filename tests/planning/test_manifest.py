"""What a run folder says about itself, and whether its test was preregistered."""

import pytest

from harness.errors import StoreError
from harness.planning.manifest import (
    FILE,
    Manifest,
    RunSet,
    read_manifest,
    record_run,
)
from harness.planning.suite import Suite


def suite_of(name="mine", **hypothesis):
    claim = {"name": "G", "task": "class_adapt"}
    about = {"claims": [claim], "datasets": ["digits"]}
    return Suite.model_validate(
        {
            "name": name,
            "title": "A suite",
            "compressors": ["gzip"],
            "datasets": [{"name": "digits"}],
            "tasks": [{"name": "class_adapt"}],
            "hypothesis": about | hypothesis,
        }
    )


@pytest.fixture
def run_into(tmp_path, make_record):
    """Return what notes a run of a suite into a folder, before its first record."""

    def run(suite, shortest=str, **caps):
        jobs = [make_record(task="class_adapt").job]
        return record_run(tmp_path, suite, jobs, RunSet(**caps), shortest)

    return run


def test_a_suite_registered_before_its_records_is_not_exploratory(run_into, tmp_path):
    manifest = run_into(suite_of())
    assert manifest.why_exploratory == ""
    assert read_manifest(tmp_path) == manifest


def test_the_first_official_run_registers_and_later_runs_keep_it(run_into):
    trial = run_into(suite_of(alpha=0.2), limit=10)
    assert trial.registered is None
    assert trial.why_exploratory == "no official run has registered it"
    first = run_into(suite_of())
    again = run_into(suite_of())
    assert again.registered == first.registered
    assert again.why_exploratory == ""


def test_a_registration_changed_later_is_exploratory(run_into):
    first = run_into(suite_of())
    changed = run_into(suite_of(alpha=0.01))
    assert changed.registered == first.registered
    assert "changed after records existed" in changed.why_exploratory


def test_a_registration_added_later_is_exploratory(run_into):
    run_into(suite_of().model_copy(update={"hypothesis": None}))
    assert "changed after records existed" in run_into(suite_of()).why_exploratory


def test_records_before_the_registration_make_it_exploratory(run_into, tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "records" / "k.json").write_text("{}")
    assert run_into(suite_of()).why_exploratory.startswith("1 records were there")


def test_specs_of_the_registration_are_spelled_as_records_have_them(run_into):
    claim = {"name": "G", "task": "class_adapt", "compressors": ["gzip(level=6)"]}
    suite = suite_of(claims=[claim], interventions={"size": ["net(size=1)"]})
    short = {"gzip(level=6)": "gzip", "net(size=1)": "net"}
    manifest = run_into(suite, short.__getitem__)
    assert manifest.registration.claims[0].compressors == ["gzip"]
    assert manifest.registration.interventions == {"size": ["net"]}
    # The hash is of what the suite writes, so that spelling it anew changes nothing.
    assert manifest.registration_hash == suite.hypothesis.hash
    assert manifest.why_exploratory == ""


def test_a_cell_that_is_planned_again_gets_its_new_key(run_into, make_record, tmp_path):
    old = run_into(suite_of()).current.keys
    job = make_record(task="class_adapt", version=2).job
    new = record_run(tmp_path, suite_of(), [job], RunSet(), str).current.keys
    assert list(new) == list(old)
    assert [*new.values()] == [job.key] != [*old.values()]


def test_a_folder_of_another_suite_is_refused(run_into):
    run_into(suite_of())
    with pytest.raises(
        StoreError, match="holds the suite 'mine'; give 'yours' another"
    ):
        run_into(suite_of("yours"))


def test_a_folder_without_a_manifest_has_none(tmp_path):
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"name": 1}'])
def test_a_damaged_manifest_is_one_line_that_says_what_to_do(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(StoreError, match="delete it and run the suite again") as error:
        read_manifest(tmp_path)
    assert str(error.value).startswith(str(tmp_path / FILE))
    assert "\n" not in str(error.value)


def test_without_runs_the_current_set_is_empty_and_official():
    manifest = Manifest(name="mine", title="", datasets=[])
    assert manifest.current.keys == {}
    assert manifest.current.is_official
