"""Random configurations of a suite: reproducible, inside the ranges, different by data set."""

import ast
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from harness import Choice, LogUniform, SpecError
from harness.contract.registry import load_registry, parse_spec
from harness.errors import SuiteError
from harness.planning.configurations import Configurations
from harness.planning.plan import Selection, plan
from harness.planning.suite import load_suite

REGISTRY = load_registry()
WITH_RANGES = [
    name for name, entry in REGISTRY.entries.items() if entry.kind and entry.kind.ranges
]
SUITE = """
name = "x"
title = "x"
configurations = {rows}
datasets = ["digits", "japanese_vowels"]
tasks = ["rates"]
"""


def loaded(folder, rows):
    path = folder / "mine.toml"
    path.write_text(SUITE.replace("{rows}", rows))
    return load_suite(str(path), REGISTRY)


def specs(name, dataset="digits", **fields):
    return Configurations(family=name, **fields).specs(dataset, REGISTRY)


@given(st.floats(1e-6, 1e3), st.floats(1, 1e4), st.integers(0, 99))
def test_a_log_uniform_number_lies_between_its_bounds(low, factor, seed):
    number = LogUniform(low, low * factor).sample(np.random.default_rng(seed))
    assert low <= number <= low * factor


def test_the_logarithm_of_a_log_uniform_number_is_uniform():
    rng = np.random.default_rng(0)
    numbers = np.array([LogUniform(1e-3, 1e-1).sample(rng) for _ in range(4000)])
    # Two digits shift a logarithm by up to .02 of 2; the test of scipy would see .05.
    shares = (np.log10(numbers) + 3) / 2
    assert kstest(shares, "uniform").statistic < 0.03


def test_each_value_of_a_choice_is_equally_likely_and_keeps_its_type():
    rng = np.random.default_rng(0)
    values = [Choice("a", 2, None, (1, 2)).sample(rng) for _ in range(4000)]
    shares = [values.count(value) / 4000 for value in ("a", 2, None, (1, 2))]
    assert shares == pytest.approx([0.25] * 4, abs=0.03)


@pytest.mark.parametrize("bounds", [(0, 1), (2, 1), (-1, 1), (1, float("inf"))])
def test_bounds_that_have_no_logarithm_between_them_are_refused(bounds):
    with pytest.raises(SpecError, match="needs 0 < low <= high"):
        LogUniform(*bounds)


@pytest.mark.parametrize("name", WITH_RANGES)
def test_configurations_of_every_plugin_are_legal_different_and_inside_the_ranges(name):
    drawn = specs(name, n=12, seed=3, fields={"steps": 7})
    assert len(set(drawn)) == 12
    ranges = REGISTRY.find(name).kind.ranges
    assert {"size", "learning_rate", "weight_decay"} <= set(ranges)
    for spec in drawn:
        model = REGISTRY.parse(spec)
        assert model.steps == 7
        for field, values in ranges.items():
            value = getattr(model, field)
            if isinstance(values, Choice):
                assert value in values.values
            else:
                assert values.low <= value <= values.high


def test_a_drawn_learning_rate_is_the_one_that_training_uses():
    model = REGISTRY.parse("byte_gru(learning_rate=0.5, weight_decay=0.25)")
    course = model._course(seed=0)
    assert (course.recipe.learning_rate, course.recipe.weight_decay) == (0.5, 0.25)
    default = REGISTRY.parse("byte_gru")._course(seed=0).recipe
    assert default == type(model).recipe
    with pytest.raises(SpecError, match=r"learning_rate is -1\.0; give 0 or more"):
        REGISTRY.parse("byte_gru(learning_rate=-1.0)")


def test_one_seed_gives_the_same_configurations_in_another_process():
    code = (
        "from harness.contract.registry import load_registry\n"
        "from harness.planning.configurations import Configurations\n"
        "row = Configurations(family='byte_gru', n=5, seed=1)\n"
        "print(row.specs('digits', load_registry()))"
    )
    run = [sys.executable, "-c", code]
    output = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    assert ast.literal_eval(output) == specs("byte_gru", n=5, seed=1)


def test_data_sets_seeds_and_compressors_have_configurations_of_their_own():
    base = specs("byte_gru", n=5, seed=1)
    assert not set(base) & set(specs("byte_gru", "japanese_vowels", n=5, seed=1))
    assert not set(base) & set(specs("byte_gru", n=5, seed=2))
    # A larger number adds to the smaller one, so that a run can be widened.
    assert specs("byte_gru", n=8, seed=1)[:5] == base


def test_a_suite_gets_its_configurations_on_each_data_set_and_keeps_them(tmp_path):
    suite = loaded(tmp_path, '[{ family = "byte_gru", n = 4, fields = { steps = 3 } }]')
    assert [len(row.also) for row in suite.datasets] == [4, 4]
    assert suite.datasets[0].also != suite.datasets[1].also
    assert suite.expanded(REGISTRY) == suite
    jobs = plan(suite, REGISTRY, Selection()).jobs
    assert sorted(j.subject.spec for j in jobs if j.task == "rates") == sorted(
        spec for row in suite.datasets for spec in row.also
    )


def test_one_table_is_a_list_of_one_and_may_name_a_family_and_data_sets(tmp_path):
    suite = loaded(
        tmp_path, '{ family = "byte GRU", n = 2, datasets = ["japanese_vowels"] }'
    )
    assert [len(row.also) for row in suite.datasets] == [0, 2]
    assert parse_spec(suite.datasets[1].also[0])[0] == "byte_gru"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{ family = "byte_gro", n = 2 }', "'byte_gro' is no name of a compressor"),
        ('{ family = "gzip", n = 2 }', "gzip declares no ranges to draw from"),
        ('{ family = "byte_gru" }', "n is missing"),
        ('{ family = "byte_gru", n = 0 }', "n must be 1 or more"),
        ('{ family = "byte_gru", n = 1, fields = { step = 1 } }', "no field 'step'"),
        ('{ family = "byte_gru", n = 1, datasets = ["digit"] }', "no data set 'digit'"),
        (
            '{ family = "byte_gru", n = 9, fields = {learning_rate=1, weight_decay=1, taps=1} }',
            "the ranges gave 2 different ones, not 9",
        ),
    ],
)
def test_a_row_that_cannot_be_drawn_says_why(tmp_path, row, message):
    with pytest.raises((SuiteError, SpecError), match=message):
        loaded(tmp_path, row)


def test_a_suite_needs_compressors_or_configurations(tmp_path):
    with pytest.raises(SuiteError, match="compressors lists none; give one or more"):
        loaded(tmp_path, "[]")
