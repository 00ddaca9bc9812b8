"""Compressors that run: by `skip`, `only` and `also` of a suite, and by options."""

import pytest

from harness.contract.registry import load_registry
from harness.errors import HarnessError, SpecError, SuiteError
from harness.planning.plan import plan
from harness.planning.selection import Selection
from harness.planning.suite import Suite

REGISTRY = load_registry()
GENERAL = {"gzip", "zstd(level=1)", "zstd(level=9)", "ppmd(order=2)", "ppmd(order=4)"}
PLUGIN = """
from dataclasses import dataclass
from harness import Codec, hookimpl


@dataclass(frozen=True, kw_only=True)
class Mine(Codec):
    name = "my_codec"
    family = "mine"
    level: int = 1

    def pack(self, data):
        return data

    def unpack(self, code, length):
        return code


@hookimpl
def compressors():
    return [Mine]
"""


def specs_of(changes=None, registry=REGISTRY, **selection):
    """Return the specs that run, by data set and task, fits left out."""
    suite = {
        "name": "s",
        "title": "s",
        "compressors": ["gzip", "zstd(level=[1, 9])", "ppmd(order=[2, 4])"],
        "datasets": ["digits", "iid"],
        "tasks": ["rates", "class_scratch"],
    }
    plain = Suite.model_validate({**suite, **(changes or {})})
    jobs = plan(plain, registry, Selection(**selection)).jobs
    specs: dict[tuple[str, str], set[str]] = {}
    for job in jobs:
        if job.task != "fit":
            cell = (job.dataset, job.task)
            specs.setdefault(cell, set()).add(job.subject.spec)
    return specs


def rates_of(*args, **selection):
    return specs_of(*args, tasks=["rates"], datasets=["digits"], **selection)[
        "digits", "rates"
    ]


def test_lists_of_a_suite_run_as_single_configurations():
    # 4 is not the default order of ppmd; the shortest specs are those as written.
    assert rates_of() == GENERAL


@pytest.mark.parametrize(
    ("row", "specs"),
    [
        ({"skip": ["zstd"]}, GENERAL - {"zstd(level=1)", "zstd(level=9)"}),
        ({"skip": ["zstd(level=[9])", "gz*"]}, GENERAL - {"gzip", "zstd(level=9)"}),
        ({"only": ["family:PPM"]}, {"ppmd(order=2)", "ppmd(order=4)"}),
        ({"only": ["*(level=*)"], "skip": ["zstd(level=9)"]}, {"zstd(level=1)"}),
    ],
)
def test_tasks_and_data_sets_skip_and_restrict_by_patterns(row, specs):
    tasks = ["rates", {"name": "class_scratch", **row}]
    by_task = specs_of({"tasks": tasks})
    assert by_task["digits", "class_scratch"] == specs
    assert by_task["digits", "rates"] == GENERAL
    by_dataset = specs_of({"datasets": [{"name": "digits", **row}, "iid"]})
    assert by_dataset["digits", "class_scratch"] == specs
    assert by_dataset["iid", "class_scratch"] == GENERAL


def test_compressors_of_one_data_set_come_on_top_of_its_restriction():
    row = {"name": "digits", "only": ["gzip"], "also": ["lz4(level=[1, 9])"]}
    specs = specs_of({"datasets": [row, "iid"]})
    assert specs["digits", "rates"] == {"gzip", "lz4", "lz4(level=9)"}
    assert specs["iid", "rates"] == GENERAL


def test_rates_only_means_the_configuration_and_not_its_name():
    # gzip(level=6) is gzip: its shortest spec is a name, which is not a pattern here.
    specs = specs_of({"compressors": ["gzip(level=1)"], "rates_only": ["gzip"]})
    assert specs["digits", "rates"] == {"gzip", "gzip(level=1)"}
    assert specs["digits", "class_scratch"] == {"gzip(level=1)"}


@pytest.mark.parametrize(
    ("only", "specs"),
    [
        (["zstd"], {"zstd(level=1)", "zstd(level=9)"}),
        (["zstd*", "gzip"], {"zstd(level=1)", "zstd(level=9)", "gzip"}),
        (["family:PPM"], {"ppmd(order=2)", "ppmd(order=4)"}),
        (["ppmd(order=[2, 4])"], {"ppmd(order=2)", "ppmd(order=4)"}),
    ],
)
def test_only_selects_from_the_suite(only, specs):
    assert rates_of(only=only) == specs


def test_only_runs_a_compressor_where_the_suite_runs_it():
    changes = {"datasets": [{"name": "digits", "also": ["lz4"]}, "iid"]}
    assert specs_of(changes, only=["lz4"]) == {
        ("digits", "rates"): {"lz4"},
        ("digits", "class_scratch"): {"lz4"},
    }


@pytest.mark.parametrize(
    ("only", "message"),
    [
        (
            "zstd(level=4)",
            r'zstd\(level=1\), zstd\(level=9\); --also "zstd\(level=4\)"',
        ),
        ("bz2", '--also "bz2" adds it'),
        ("zstd()", r"of zstd there are: zstd\(level=1\), zstd\(level=9\)"),
        ("gzpi", r"'gzpi'; did you mean gzip\?"),
        ("bz*2", "no compressor of the suite matches 'bz"),
        ("family:PMP", r"did you mean family:PPM\?"),
        ("family:image codec", "no compressor of the suite"),
    ],
)
def test_what_a_suite_does_not_have_is_refused_with_what_is_near(only, message):
    with pytest.raises(SpecError, match=message):
        specs_of(only=[only])


def test_also_adds_a_spec_to_every_data_set_and_to_what_is_selected():
    assert rates_of(also=["bz2"]) == GENERAL | {"bz2"}
    assert rates_of(also=["bz2(level=[1, 2])"], only=["gzip"]) == {
        "bz2(level=1)",
        "bz2(level=2)",
        "gzip",
    }
    assert rates_of(also=["bz2"], only=["bz2"]) == {"bz2"}


@pytest.mark.parametrize(
    ("only", "specs"),
    [
        ("my_codec", {"my_codec"}),
        ("my_codec(level=[2, 3])", {"my_codec(level=2)", "my_codec(level=3)"}),
        ("my_*", {"my_codec"}),
        ("family:mine", {"my_codec"}),
    ],
)
def test_only_adds_a_plugin_from_a_folder_of_the_users(tmp_path, only, specs):
    (tmp_path / "my_codec.py").write_text(PLUGIN)
    registry = load_registry(tmp_path)
    by_cell = specs_of(registry=registry, only=[only, "gzip"])
    assert len(by_cell) == 4
    assert all(each == {*specs, "gzip"} for each in by_cell.values())


@pytest.mark.parametrize("row", ["skip", "only"])
@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("zst", r"'zst'; did you mean zstd\?"),
        (
            "zstd(level=[1, 2])",
            r"'zstd\(level=2\)'; of zstd there are: zstd\(level=1\)",
        ),
        ("family:PPMD", r"did you mean family:PPM\?"),
        ("gz*x", "'gz"),
    ],
)
def test_a_pattern_of_a_suite_that_matches_nothing_is_refused(row, pattern, message):
    tasks = ["rates", {"name": "class_scratch", row: [pattern]}]
    with pytest.raises(
        HarnessError, match=rf"task 'class_scratch', {row}: .*{message}"
    ):
        specs_of({"tasks": tasks})
    datasets = ["iid", {"name": "digits", row: [pattern]}]
    with pytest.raises(HarnessError, match=rf"data set 'digits', {row}: .*{message}"):
        specs_of({"datasets": datasets})


def test_a_family_may_be_that_of_a_plugin_that_is_missing_here(tmp_path):
    (tmp_path / "odd.py").write_text("import no_such_package\n")
    registry = load_registry(tmp_path)
    changes = {
        "compressors": ["gzip", "odd"],
        "tasks": ["rates", {"name": "class_scratch", "skip": ["family:odd family"]}],
    }
    assert specs_of(changes, registry)["digits", "class_scratch"] == {"gzip"}


def test_data_sets_and_tasks_are_selected_by_globs():
    assert set(specs_of(datasets=["d*"], tasks=["class_*"])) == {
        ("digits", "class_scratch")
    }
    with pytest.raises(
        SuiteError, match=r"--datasets: .* 'digit'; did you mean digits"
    ):
        specs_of(datasets=["digit"])
    with pytest.raises(SuiteError, match=r"--tasks: .* 'rate'; did you mean rates"):
        specs_of(tasks=["rate"])


def test_a_selection_without_a_job_is_refused():
    changes = {"rates_only": ["xz"], "baselines": ["majority"]}
    with pytest.raises(SuiteError, match="nothing to run"):
        specs_of(changes, only=["xz"], tasks=["class_scratch"])
