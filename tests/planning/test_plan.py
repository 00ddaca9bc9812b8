from dataclasses import replace

import pytest

from harness.contract.registry import load_registry
from harness.errors import SuiteError
from harness.planning.plan import Plan, Selection, plan
from harness.planning.suite import Suite
from harness.records.job import FIT, Job, Subject, from_json, to_json
from harness.run.order import longest_first

REGISTRY = load_registry()
SUITE = {
    "name": "s",
    "title": "s",
    "compressors": ["gzip", "deflate", "ppmd(order=6)"],
    "rates_only": ["bz2"],
    "datasets": [
        {"name": "digits", "train": 100, "test": 50, "also": ["png"]},
        {"name": "iid"},
    ],
    "tasks": [
        {"name": "rates"},
        {"name": "class_scratch", "test": 20, "skip": ["ppmd(order=6)"]},
        {"name": "ncd_knn", "train": 30, "skip": ["ppmd"]},
    ],
}


def planned(change: dict | None = None, **selection) -> Plan:
    suite = Suite.model_validate({**SUITE, **(change or {})})
    return plan(suite, REGISTRY, Selection(**selection))


def jobs_of(whole: Plan, **values: str) -> list[Job]:
    return [
        job
        for job in whole.jobs
        if all(
            value in (getattr(job, key, None), getattr(job.subject, key, None))
            for key, value in values.items()
        )
    ]


def test_the_stricter_cap_of_data_set_task_and_limit_holds():
    assert jobs_of(planned(), task="class_scratch", dataset="digits")[0].n_test == 20
    assert jobs_of(planned(), task="ncd_knn", dataset="digits")[0].n_train == 30
    limited = planned(limit=10)
    assert {job.n_test for job in limited.jobs if job.task != FIT} == {10}
    assert not any(job.official for job in limited.jobs)


def test_a_fit_comes_before_its_readers_and_is_shared_by_other_test_caps():
    whole = planned()
    keys = [job.key for job in whole.jobs]
    for job in whole.jobs:
        if job.fit_key:
            assert keys.index(job.fit_key) < keys.index(job.key)
    narrower = planned({"datasets": [{"name": "digits", "train": 100, "test": 7}]})
    wide, narrow = (jobs_of(p, task=FIT, name="deflate")[0] for p in (whole, narrower))
    assert wide.key == narrow.key


def test_skipped_compressors_and_those_for_rates_only_take_no_other_task():
    whole = planned()
    by_task = {
        task: {job.subject.spec for job in jobs_of(whole, task=task, dataset="digits")}
        for task in ("rates", "class_scratch", "ncd_knn")
    }
    assert by_task == {
        "rates": {"gzip", "deflate", "ppmd", "bz2", "png"},
        "class_scratch": {"gzip", "deflate", "png"},
        "ncd_knn": {"gzip", "deflate", "png"},
    }


def test_a_compressor_for_one_data_set_is_in_no_other():
    assert {job.dataset for job in jobs_of(planned(), name="png")} == {"digits"}


def test_shape_and_levels_come_from_the_card():
    (job,) = jobs_of(planned(), name="png", task="rates")
    assert job.subject.spec == "png"
    assert (tuple(job.subject.fields["shape"]), job.subject.fields["levels"]) == (
        (8, 8),
        17,
    )


def test_each_draw_has_its_own_seed_and_key():
    whole = planned({"draws": 3, "seed": 5})
    jobs = jobs_of(whole, name="gzip", task="rates", dataset="digits")
    assert [(job.draw, job.seed) for job in jobs] == [(0, 5), (1, 6), (2, 7)]
    assert len({job.key for job in jobs}) == 3


def test_the_key_knows_what_decides_a_result_and_no_names():
    job = jobs_of(planned(), name="deflate", task="class_scratch")[0]
    for renamed in (
        replace(job, suite="other"),
        replace(job, draw=9),
        replace(job, remark="x"),
    ):
        assert renamed.key == job.key
    subject = job.subject
    for changed in (
        replace(job, seed=1),
        replace(job, version=99),
        replace(job, n_test=1),
        replace(job, min_per_class=1),
        replace(job, content_hash="0"),
        replace(job, parameters={"equal_bytes": True}),
        replace(job, subject=replace(subject, source_hash="0")),
        replace(job, subject=replace(subject, fields={"level": 1})),
        replace(job, subject=replace(subject, versions={"zlib": "0"})),
    ):
        assert changed.key != job.key


def test_a_floor_of_classes_decides_nothing_without_a_cap_on_test():
    job = jobs_of(planned(), name="deflate", task="class_scratch", dataset="iid")[0]
    whole = replace(job, n_test=None)
    assert replace(whole, min_per_class=1).key == whole.key
    # Records from before there was a floor keep their keys.
    capped = replace(job, n_test=20, min_per_class=1)
    assert capped.caps == (capped.n_train, 20)


def test_a_job_comes_back_from_json():
    for job in planned().jobs:
        assert from_json(to_json(job)).key == job.key


def test_rungs_of_a_ladder_share_one_fit_and_keep_keys_of_their_own():
    specs = [f"pixel_mlp(steps={n})" for n in (10, 20)] + ["pixel_mlp(size='10k')"]
    whole = planned({"compressors": specs, "tasks": [{"name": "rates"}]})
    fits = jobs_of(whole, task=FIT, name="pixel_mlp", dataset="digits")
    assert [fit.rung for fit in fits] == [10, 20, 1000]
    assert len({fit.key for fit in fits}) == 3
    assert fits[0].ladder == fits[1].ladder != fits[2].ladder


def test_jobs_go_longest_first_and_a_fit_counts_with_what_waits_for_it():
    subject = Subject(spec="x", name="x", family="x")
    base = jobs_of(planned(), name="gzip", task="rates")[0]
    fit = replace(base, task=FIT, subject=subject, fit_key="")
    reader = replace(base, task="rates", subject=subject, fit_key=fit.key)
    alone = replace(base, task="ncd_knn", subject=subject, fit_key="")
    order = longest_first([alone, reader, fit], [5.0, 5.5, 0.1])
    assert [job.task for job in order] == [FIT, "rates", "ncd_knn"]


def test_what_needs_a_missing_package_is_refused_with_the_reason(tmp_path):
    (tmp_path / "odd.py").write_text("import no_such_package\n")
    registry = load_registry(tmp_path)
    suite = Suite.model_validate(
        {**SUITE, "compressors": ["gzip", "odd", "ppmd(order=6)"]}
    )
    whole = plan(suite, registry, Selection())
    reasons = {reason for _, reason in whole.refused}
    assert reasons == {
        "odd is unavailable: needs the package 'no_such_package', which is not installed"
    }
    assert jobs_of(whole, name="gzip")


def test_an_unknown_part_is_refused():
    with pytest.raises(SuiteError, match=r"did you mean digits\?"):
        planned(datasets=["digit"])
    with pytest.raises(SuiteError, match=r"did you mean rates\?"):
        planned(tasks=["rate"])
