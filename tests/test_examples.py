import json
import math
from pathlib import Path

import numpy as np
import pytest

from harness.conformance import check_all
from harness.contract.registry import load_plugin, load_registry
from harness.planning.plan import Selection, plan
from harness.planning.suite import load_suite

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "docs" / "examples"
PLUGINS = ["bz2_codec", "order1_model"]
NOTEBOOK = json.loads((EXAMPLES / "records.ipynb").read_text())
HAS_RECORDS = (ROOT / "results" / "bench" / "suite.json").is_file()


def compressor_of(name: str):
    (entry,) = load_plugin(EXAMPLES / f"{name}.py")
    assert entry.kind is not None, entry.unavailable
    return entry.kind()


@pytest.mark.parametrize("name", PLUGINS)
def test_an_example_plugin_keeps_the_contract(name: str):
    check_all(compressor_of(name), long_bytes=10_000)


def test_the_order_1_model_has_the_code_length_of_its_counts():
    model = compressor_of("order1_model").fit([b"abab"], seed=0)
    # After "a" came "b" twice: (1 + 32 * 2) of 256 + 32 * 2. A sample began with "a" once.
    expected = -math.log2(33 / 288) - math.log2(65 / 320)
    assert model.code_lengths([b"ab"]) == pytest.approx([expected], abs=1e-3)


def test_a_context_counts_for_the_order_1_model_as_if_it_were_fitted_last():
    model = compressor_of("order1_model")
    fitted = model.fit([b"abcabc"], seed=0)
    after = model.code_lengths([b"abc"], context=b"abcabc")
    _, rows = fitted.step(fitted.start(1), np.array([ord("c")]))
    first = 24 - np.log2(rows[0, ord("a")])
    rest = fitted.code_lengths([b"abc"]) - fitted.code_lengths([b"a"])
    assert after == pytest.approx(first + rest)


def test_the_example_suite_plans_both_example_plugins_in_every_task():
    suite = load_suite(str(EXAMPLES / "my_suite.toml"))
    planned = plan(suite, load_registry(EXAMPLES), Selection())
    cells = {(job.task, job.subject.name) for job in planned.jobs}
    for name in ("bz2_example", "order1_example"):
        assert {("rates", name), ("class_scratch", name)} <= cells
    assert planned.refused == ()


def test_every_example_is_listed_in_the_readme_of_the_examples():
    text = (EXAMPLES / "README.md").read_text()
    names = [path.name for path in EXAMPLES.iterdir() if path.name != "README.md"]
    assert [n for n in names if f"]({n})" not in text and "__" not in n] == []


def test_the_notebook_is_legal_and_has_no_output():
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in NOTEBOOK["cells"]:
        assert cell["cell_type"] in ("markdown", "code")
        assert cell.get("outputs", []) == []
        compile(
            "".join(cell["source"]) if cell["cell_type"] == "code" else "", "", "exec"
        )


@pytest.mark.skipif(not HAS_RECORDS, reason="results/bench has no suite.json")
def test_the_cells_of_the_notebook_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    names: dict = {}
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102  (the notebook is ours)
    assert len(names["correlations"]) > 1
    assert all(-1 <= value <= 1 for value in names["correlations"].values())
