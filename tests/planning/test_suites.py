"""Every suite that comes with bitprobe loads, and plans without a refusal."""

from functools import cache

import pytest

from harness.contract.registry import load_registry
from harness.planning.plan import Plan, Selection, plan
from harness.planning.suite import load_suite, suite_names
from harness.records.job import FIT

REGISTRY = load_registry()
REGISTERED = [name for name in suite_names() if load_suite(name).hypothesis]


@cache
def planned(name: str) -> Plan:
    return plan(load_suite(name), REGISTRY, Selection())


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_bears_the_name_of_its_file_and_plans_jobs_once(name: str):
    suite, whole = load_suite(name), planned(name)
    assert suite.name == name
    assert {job.dataset for job in whole.jobs} == {row.name for row in suite.datasets}
    assert len({job.key for job in whole.jobs}) == len(whole.jobs) > 0
    # A package may be missing on this machine; nothing else is refused.
    assert all("is not installed" in reason for _, reason in whole.refused)


# Data sets by draws by compressors of all of them, then what single data sets have beside.
RATES = {
    "bench": 6 * (24 + 5 + 3) + 2 * (4 + 1),
    "calibration": 6 * 21,
    "confirmation": 6 * 3 * (21 + 1),
    "igpt": 3 * 3 * (4 * 7 + 4 + 1),
    "interventions": 7 + 2 + 4 + 3 + 3 + 4 + 6 + 4,
    "joint": 6 * 3 * 19,
    "ladders": 2 * 3 * 4 * 6 + 3 * 6,
    "ratio": 4 * 21,
    "representations": 8 * (13 * 7 + 3 * 4),
    "smoke": 5,
    "standard": 12 * 3 * (21 + 1),
}
# The rates, less `rates_only` everywhere and less what a task skips.
BENCH = {
    "prequential": 202 - 6 * (3 + 5) - 2,
    "class_scratch": 202 - 6 * 3,
    "ncd_knn": 202 - 6 * (3 + 2 + 3 + 1 + 3 + 4 + 2 + 1 + 5) - 2 * (4 + 1),
    "landmark_probe": 202 - 6 * (3 + 1 + 1 + 2 + 2 + 5) - 2,
    "layer_probe": 6 * 5 + 2,
    "completion": 2,
}
READOUTS = {
    ("anchors", "class_scratch"): 7 + 1,
    ("joint_networks", "joint"): 2 * 6,
    ("transfer", "transfer"): 6 * 10,
    ("standard", "landmark_probe"): 12 * 3 * 21,
}
COUNTS = (
    {(name, "rates"): n for name, n in RATES.items()}
    | {("bench", task): n for task, n in BENCH.items()}
    | READOUTS
)


@pytest.mark.parametrize(("name", "task"), COUNTS)
def test_a_suite_has_as_many_jobs_of_a_task_as_its_rows_give(name: str, task: str):
    whole = planned(name)
    if whole.refused:
        pytest.skip("a package is missing: the family that a task skips is unknown")
    assert sum(job.task == task for job in whole.jobs) == COUNTS[name, task]


def test_bench_has_networks_of_five_families_on_every_data_set():
    families: dict[str, set[str]] = {}
    for job in planned("bench").jobs:
        if job.task == "class_scratch" and job.subject.name.startswith("byte_"):
            families.setdefault(job.dataset, set()).add(job.subject.family)
    assert [len(group) for group in families.values()] == [5] * 6


def test_ladders_runs_every_checkpoint_of_every_network():
    steps = (0, 25, 50, 100, 200, 400)
    # 50k is the default size, which the shortest spec leaves out.
    networks = ["pixel_mlp(", "pixel_gru(", "pixel_transformer("]
    networks += ["pixel_transformer(size='10k', "]
    common = {f"{network}steps={n})" for network in networks for n in steps}
    large = {f"pixel_transformer(size='200k', steps={n})" for n in steps}
    jobs = [job for job in planned("ladders").jobs if job.task == "layer_probe"]
    cells = {(job.dataset, job.draw, job.subject.spec) for job in jobs}
    assert cells == {
        (dataset, draw, spec)
        for dataset, specs in (("digits", common | large), ("mnist_5k_14", common))
        for draw in range(3)
        for spec in specs
    }


@pytest.mark.parametrize("name", REGISTERED)
def test_every_spec_that_a_suite_registers_is_one_it_runs(name: str):
    registration = load_suite(name).hypothesis
    assert registration is not None
    whole = planned(name)
    planned_specs = {job.subject.spec for job in whole.jobs}
    planned_specs |= {job.subject.spec for job, _ in whole.refused}
    specs = [spec for specs in registration.interventions.values() for spec in specs]
    specs += [spec for claim in registration.claims for spec in claim.compressors]
    assert [spec for spec in specs if spec not in planned_specs] == []


@pytest.mark.parametrize("name", REGISTERED)
def test_superfamilies_name_families_that_there_are(name: str):
    registration = load_suite(name).hypothesis
    assert registration is not None
    known = {entry.kind.family for entry in REGISTRY.entries.values() if entry.kind}
    named = {f for group in registration.superfamilies.values() for f in group}
    assert named <= known


@pytest.mark.parametrize("name", ["interventions", "igpt"])
def test_no_network_counts_for_two_interventions(name: str):
    registration = load_suite(name).hypothesis
    assert registration is not None
    specs = [spec for specs in registration.interventions.values() for spec in specs]
    assert len(specs) == len(set(specs)) > 0


def test_igpt_has_four_sizes_of_six_checkpoints_in_three_draws():
    jobs = [job for job in planned("igpt").jobs if job.task == FIT]
    plain = [
        (job.dataset, job.subject.fields["size"], job.rung, job.draw)
        for job in jobs
        if job.subject.fields["context"] is job.subject.fields["shuffle_seed"] is None
    ]
    for dataset in ("mnist", "fashion_mnist"):
        fits = [fit[1:] for fit in plain if fit[0] == dataset]
        sizes = {size for size, _, _ in fits}
        assert len(sizes) >= 4
        for size in sizes:
            steps = {rung for fit_size, rung, _ in fits if fit_size == size}
            assert len(steps) >= 6
            assert {(size, rung, draw) for rung in steps for draw in range(3)} <= set(
                fits
            )
    contexts = {job.subject.fields["context"] for job in jobs}
    assert contexts == {None, 1, 4, 16, 64}
