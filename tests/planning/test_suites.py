"""Every suite that comes with bitprobe loads, and plans without a refusal."""

import pytest

from harness.contract.registry import load_registry
from harness.planning.plan import Plan, Selection, plan
from harness.planning.suite import load_suite, suite_names
from harness.records.job import FIT

REGISTRY = load_registry()
REGISTERED = [name for name in suite_names() if load_suite(name).hypothesis]


def planned(name: str) -> Plan:
    return plan(load_suite(name), REGISTRY, Selection())


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_bears_the_name_of_its_file_and_plans_jobs_once(name: str):
    suite, found = load_suite(name), planned(name)
    assert suite.name == name
    assert {job.dataset for job in found.jobs} == {row.name for row in suite.datasets}
    assert len({job.key for job in found.jobs}) == len(found.jobs) > 0
    # A package may be missing on this machine; nothing else is refused.
    assert all("is not installed" in reason for _, reason in found.refused)


@pytest.mark.parametrize("name", REGISTERED)
def test_every_spec_that_a_suite_registers_is_one_it_runs(name: str):
    registration = load_suite(name).hypothesis
    assert registration is not None
    found = planned(name)
    run = {job.subject.spec for job in found.jobs}
    run |= {job.subject.spec for job, _ in found.refused}
    named = [spec for specs in registration.interventions.values() for spec in specs]
    named += [spec for claim in registration.claims for spec in claim.compressors]
    assert [spec for spec in named if spec not in run] == []


@pytest.mark.parametrize("name", ["interventions", "igpt"])
def test_no_network_counts_for_two_interventions(name: str):
    registration = load_suite(name).hypothesis
    assert registration is not None
    named = [spec for specs in registration.interventions.values() for spec in specs]
    assert len(named) == len(set(named)) > 0


def test_igpt_has_four_sizes_of_six_checkpoints_in_three_draws():
    jobs = [job for job in planned("igpt").jobs if job.task == FIT]
    plain = [
        (job.dataset, job.subject.fields["size"], job.rung, job.draw)
        for job in jobs
        if job.subject.fields["context"] is job.subject.fields["shuffle_seed"] is None
    ]
    for dataset in ("mnist", "fashion_mnist"):
        here = [one[1:] for one in plain if one[0] == dataset]
        sizes = {size for size, _, _ in here}
        assert len(sizes) >= 4
        for size in sizes:
            steps = {rung for which, rung, _ in here if which == size}
            assert len(steps) >= 6
            wanted = {(size, rung, draw) for rung in steps for draw in range(3)}
            assert wanted <= set(here)
    contexts = {job.subject.fields["context"] for job in jobs}
    assert contexts == {None, 1, 4, 16, 64}
