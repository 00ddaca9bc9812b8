"""What a run folder says about itself."""

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
    claim = {"name": "C", "task": "class_scratch"}
    about = {"claims": [claim], "datasets": ["digits"]}
    return Suite.model_validate(
        {
            "name": name,
            "title": "A suite",
            "compressors": ["gzip"],
            "datasets": [{"name": "digits"}],
            "tasks": [{"name": "class_scratch"}],
            "hypothesis": about | hypothesis,
        }
    )


@pytest.fixture
def run_into(tmp_path, make_record):
    """Return what notes a run of a suite into a folder, before its first record."""

    def run(suite, design=None, **caps):
        jobs = [make_record(task="class_scratch").job]
        return record_run(tmp_path, suite, jobs, RunSet(**caps), design or {})

    return run


def test_the_manifest_keeps_the_design_of_the_newest_official_run(run_into, tmp_path):
    assert run_into(suite_of(), {"draws": 9}, limit=10).design == {}
    assert run_into(suite_of(), {"draws": 1}).design == {"draws": 1}
    assert run_into(suite_of(), {"draws": 9}, seed=7).design == {"draws": 1}
    manifest = run_into(suite_of(), {"draws": 2})
    assert manifest.design == {"draws": 2}
    assert read_manifest(tmp_path) == manifest


def test_a_cell_that_is_planned_again_gets_its_new_key(run_into, make_record, tmp_path):
    old = run_into(suite_of()).current.keys
    job = make_record(task="class_scratch", version=2).job
    new = record_run(tmp_path, suite_of(), [job], RunSet(), {}).current.keys
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
