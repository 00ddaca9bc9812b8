"""A suite file: rows, expansion, and errors in the words of its author."""

from pathlib import Path

import pytest

from harness.contract.registry import load_registry
from harness.errors import SuiteError, UsageError
from harness.planning.plan import Selection, plan
from harness.planning.suite import Suite, load_suite, suite_size

REGISTRY = load_registry()
HEAD = 'name = "x"\ntitle = "x"\n'
BODY = 'compressors = ["gzip"]\ndatasets = ["digits"]\ntasks = ["rates"]\n'
CLAIM = '\n[[hypothesis.claims]]\nname = "R"\ntask = "rates"\n'


def loaded(folder, text):
    path = folder / "mine.toml"
    path.write_text(text)
    return load_suite(str(path), REGISTRY)


def test_a_plain_name_is_a_row_without_caps(tmp_path):
    rows = 'datasets = ["digits", {name = "mnist_5k", train = 1000}]'
    text = HEAD + BODY.replace('datasets = ["digits"]', rows)
    suite = loaded(tmp_path, text)
    assert [(row.name, row.train) for row in suite.datasets] == [
        ("digits", None),
        ("mnist_5k", 1000),
    ]
    assert [(row.name, row.parameters) for row in suite.tasks] == [("rates", {})]


def test_every_list_of_specs_is_expanded(tmp_path):
    text = f"""{HEAD}
compressors = ["zstd(level=[1, 9])"]
rates_only = ["xz(preset=[0, 1])"]
datasets = [{{name = "digits", also = ["lz4(level=[1, 9])"]}}]
tasks = ["rates"]
[hypothesis]
datasets = ["digits"]
{CLAIM}
compressors = ["zstd(level=[1, 9])"]
[hypothesis.interventions]
level = ["zstd(level=[9, 1])", "gzip"]
"""
    suite = loaded(tmp_path, text)
    assert suite.compressors == ["zstd(level=1)", "zstd(level=9)"]
    assert suite.rates_only == ["xz(preset=0)", "xz(preset=1)"]
    assert suite.datasets[0].also == ["lz4(level=1)", "lz4(level=9)"]
    assert suite.hypothesis.claims[0].compressors == ["zstd(level=1)", "zstd(level=9)"]
    assert suite.hypothesis.interventions == {
        "level": ["zstd(level=9)", "zstd(level=1)", "gzip"]
    }
    # Two of each list, and none twice.
    assert suite_size(suite) == {"n_datasets": 1, "n_compressors": 6, "n_draws": 1}


def test_a_hypothesis_is_the_same_whether_its_lists_are_written_out_or_not(tmp_path):
    head = f'{HEAD}{BODY}[hypothesis]\ndatasets = ["digits"]{CLAIM}'
    short = 'compressors = ["zstd(level=[1, 9])"]'
    full = 'compressors = ["zstd(level=1)", "zstd(level=9)"]'
    other = 'compressors = ["zstd(level=9)", "zstd(level=1)"]'
    tests = [loaded(tmp_path, head + c).hypothesis for c in (short, full, other)]
    assert tests[0] == tests[1] != tests[2]


def test_a_suite_that_is_expanded_again_stays(tmp_path):
    suite = loaded(tmp_path, HEAD + BODY.replace("gzip", "zstd(level=[1, 9])"))
    assert suite.expanded(REGISTRY) == suite


def test_a_missing_file_is_no_unknown_suite(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SuiteError, match=r"^there is no file mine\.toml$"):
        load_suite("mine.toml")
    with pytest.raises(SuiteError, match=r"^no suite 'smok'; did you mean smoke\?$"):
        load_suite("smok")
    (tmp_path / "mine.toml").write_text(HEAD + BODY)
    with pytest.raises(SuiteError, match=r"did you mean mine\.toml\?"):
        load_suite("mine")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(
        SuiteError, match=r"folder\.toml cannot be read: is a directory"
    ):
        load_suite("folder.toml")
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(SuiteError, match=r"latin\.toml is not a UTF-8 text"):
        load_suite("latin.toml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            BODY.replace('["digits"]', '["digits", {name = "iid", trian = 9}]'),
            "datasets, row 2: no field 'trian'; did you mean train?",
        ),
        (
            BODY.replace('["digits"]', '[{name = "iid", train = 0}]'),
            "datasets, row 1: train must be 1 or more, not 0",
        ),
        (
            BODY.replace('["digits"]', "[{train = 1}]"),
            "datasets, row 1: name is missing",
        ),
        (BODY.replace('["digits"]', "[3]"), "datasets, row 1: must be a table, not 3"),
        (
            BODY.replace('["rates"]', '["rates", {name = "speed", repaets = 3}]'),
            "tasks, row 2: no field 'repaets'; did you mean repeats?",
        ),
        (
            BODY.replace("rates", "rate"),
            "tasks, row 1: no task 'rate'; did you mean rates?",
        ),
        (
            BODY.replace('["gzip"]', "[]"),
            "compressors lists none; give one or more",
        ),
        (BODY.replace('"gzip"', '"gzip", 3'), "compressors, item 2: must be a string"),
        (BODY + "[limits]\ntimeout = 3", "limits: no field 'timeout'; did you mean"),
        (BODY + "draws = 0", "draws must be 1 or more, not 0"),
        (BODY + "draws = true", "draws must be a whole number, not True"),
        (
            BODY + 'baselines = ["majorty"]',
            "no baseline 'majorty'; did you mean majority?",
        ),
        (BODY.replace('"gzip"', '"gzip", "gzip"'), "'gzip' is listed twice"),
        (BODY.replace("gzip", "zstd(level=[1, 1])"), "'zstd(level=1)' is listed twice"),
        (BODY.replace("gzip", "gzip(("), "cannot read 'gzip(('"),
        (
            BODY + '[hypothesis]\ndatasets = ["digits"]' + CLAIM.replace('"R"', '"X"'),
            "hypothesis, claims, row 1: name must be 'R', 'C' or 'L', not 'X'",
        ),
        (
            BODY + '[hypothesis]\ndatasets = ["digit"]' + CLAIM,
            "hypothesis: the suite has no data set 'digit'; did you mean digits?",
        ),
        (
            BODY
            + '[hypothesis]\ndatasets = ["digits"]'
            + CLAIM.replace("rates", "rate"),
            "hypothesis, claims, row 1: the suite has no task 'rate'; did you mean rates?",
        ),
        ("title = ", "not valid TOML: invalid value (at end of document)"),
    ],
)
def test_an_error_says_table_row_field_and_what_is_allowed(tmp_path, text, message):
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, HEAD + text)
    line = str(caught.value)
    assert line.startswith("mine.toml: ")
    assert message in line
    assert "\n" not in line


def test_a_model_made_in_a_program_takes_the_same_rows():
    rows = {"compressors": ["gzip"], "datasets": ["digits"], "tasks": ["rates"]}
    suite = Suite.model_validate({"name": "x", "title": "x", **rows})
    assert suite.datasets[0].name == "digits"


def test_the_suite_of_the_documentation_is_legal(tmp_path):
    page = Path(__file__).parents[2] / "docs" / "suites.md"
    text = page.read_text().partition("```toml\n")[2].partition("```")[0]
    suite = loaded(tmp_path, text)
    jobs = plan(suite, REGISTRY, Selection()).jobs
    specs = {job.subject.spec for job in jobs if job.task == "class_scratch"}
    # Two levels of zstd, png of one data set, and the smaller of the two networks thrice.
    assert specs == {
        "zstd(level=1)",
        "zstd(level=9)",
        "png",
        *(f"pixel_transformer(size='10k', steps={n})" for n in (0, 50, 100)),
    }
