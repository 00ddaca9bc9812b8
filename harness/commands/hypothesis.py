"""`bitprobe hypothesis`: the preregistered test of a folder, or the power of a suite."""

from __future__ import annotations

from pathlib import Path

from harness.analysis.results import results_of
from harness.errors import SuiteError
from harness.records.store import Store
from harness.report.preregistered import hypothesis_document, power_text


def hypothesis(target: str, output_format: str) -> str:
    """Return the test of a folder, or what the claims of a suite can detect.

    Args:
        target: a folder of records; else a suite, by its name or a path to a TOML file.
        output_format: "text", "markdown" or "json", of a test.

    Raises:
        SuiteError: there is neither, or the suite registers no claim.
    """
    if Path(target).is_dir():
        return folder_hypothesis(Path(target), output_format)
    return suite_power(target)


def folder_hypothesis(folder: Path, output_format: str) -> str:
    """Return the preregistered test of a folder as "text", "markdown" or "json".

    Raises:
        SuiteError: its suite registers none, or its records do not allow it.
        StoreError: it has no records, or a record is damaged.
    """
    results = results_of(Store(folder))
    if results.test is None:
        raise SuiteError(f"{folder}: {results.why_untested}")
    return hypothesis_document(results.test, output_format)


def suite_power(name: str) -> str:
    """Return the layout of each claim of a suite, what it detects and how precisely.

    Raises:
        SuiteError: there is no such suite, or it registers no claim.
    """
    from harness.contract.registry import load_registry
    from harness.data.shelf import load_shelf
    from harness.planning.plan import Selection, plan
    from harness.planning.suite import load_suite

    registry, shelf = load_registry(), load_shelf()
    suite = load_suite(name, registry, shelf)
    if suite.hypothesis is None:
        raise SuiteError(
            f"the suite {suite.name} preregisters no [hypothesis]; add one"
        )
    jobs = plan(suite, registry, Selection(), shelf).jobs
    return power_text(suite.hypothesis, jobs)
