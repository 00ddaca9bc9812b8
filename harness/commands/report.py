"""What a folder of records says: tables, documents, comparisons, the registered test."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.analysis.compare import compare_stored, comparison_text
from harness.analysis.ladders import ladder_points
from harness.analysis.leaderboard import undecided
from harness.analysis.preregistered.result import Report
from harness.analysis.preregistered.test import hypothesis_report, stored_arrays
from harness.analysis.score_table import frame
from harness.contract.compressor import spec_of
from harness.contract.registry import Registry, load_registry
from harness.errors import HarnessError, SuiteError
from harness.planning.preregistration import read_registered
from harness.planning.suite import Suite, load_suite
from harness.records.store import Store
from harness.report.document import document
from harness.report.preregistered import hypothesis_document
from harness.report.terminal import print_tables, wide_console
from harness.tasks.baseline import METHODS

Records = Sequence[Mapping[str, Any]]
MARKDOWN = "markdown"


def answers(records: Records, suite: Suite, store: Store) -> list[str]:
    """Return a run's answer in words: a sentence per registered claim."""
    if suite.hypothesis is None:
        return [undecided(frame(records))]
    found = _tested(records, suite, store)
    opening = "Does better compression give better representations?"
    if found.status == "exploratory":
        opening += f" (Exploratory: {found.why}.)"
    return [opening, *(claim.sentence for claim in found.claims)]


def print_folder(folder: Path) -> None:
    """Print the leaderboards of a folder of records, and the answer."""
    store = Store(folder)
    records, console = store.read_all(), wide_console()
    print_tables(frame(records), console)
    for sentence in answers(records, _suite_of(records), store):
        console.print(sentence, style="bold", highlight=False)


def folder_document(folder: Path, output_format: str) -> str:
    """Return a folder of records as "markdown", "csv", "json" or "html"."""
    store = Store(folder)
    records = store.read_all()
    words = answers(records, _suite_of(records), store)
    return document(records, output_format, answer=" ".join(words))


def folder_hypothesis(folder: Path, output_format: str) -> str:
    """Return the registered test of a folder of records as "text", "markdown" or "json".

    Raises:
        SuiteError: the suite of the records registers none.
    """
    store = Store(folder)
    records = store.read_all()
    suite = _suite_of(records)
    if suite.hypothesis is None:
        raise SuiteError(f"the suite {suite.name} registers no [hypothesis]; add one")
    return hypothesis_document(_tested(records, suite, store), output_format)


def folder_joint(folder: Path) -> str:
    """Return what the joint and transfer records of a folder say, as Markdown."""
    from harness.report.joint import joint_markdown

    return joint_markdown(Store(folder).read_all())


def write_figures(folder: Path, target: Path) -> list[Path]:
    """Write the figures that a folder of records allows, as SVG; return their paths."""
    from harness.report.charts.leaderboard import save

    store = Store(folder)
    records = store.read_all()
    figures = _figures(records, _suite_of(records), store)
    target.mkdir(parents=True, exist_ok=True)
    written = []
    for name, chart in figures.items():
        if chart is not None:
            save(chart, target / f"{name}.svg")
            written.append(target / f"{name}.svg")
    return written


def _figures(records: Records, suite: Suite, store: Store) -> dict[str, Any]:
    """Return charts by name; None where there is nothing to draw."""
    from harness.report.charts import joint as joint_charts
    from harness.report.charts import ladders as ladder_charts
    from harness.report.charts import leaderboard as charts
    from harness.report.charts import preregistered as hypothesis_charts

    table, ladders = frame(records), ladder_points(records)
    figures: dict[str, Any] = {}
    for name in sorted(table["dataset"].unique()):
        figures[f"accuracy-{name}"] = charts.rate_against_accuracy(table, str(name))
        figures[f"rates-{name}"] = charts.rates_by_compressor(table, str(name))
        layers = ladder_charts.accuracy_by_layer(ladders, str(name))
        figures[f"ladders-{name}"] = layers
    figures["joint-savings"] = joint_charts.savings_against_quality(records)
    figures["joint-matrix"] = joint_charts.savings_matrix(records)
    figures["transfer"] = joint_charts.transfer_scatter(records)
    if suite.hypothesis is not None:
        found = _tested(records, suite, store)
        for claim in found.claims:
            title = claim.title.replace(" ", "-")
            scatter = hypothesis_charts.scatter_by_dataset(claim, records)
            figures[f"claim-{title}"] = scatter
            figures[f"slopes-{title}"] = hypothesis_charts.forest_of_slopes(claim)
        if found.curve is not None:
            curve = hypothesis_charts.accuracy_against_bits(found.curve)
            figures["interventions"] = curve
    return figures


def compare_in(
    folder: Path, first: str, second: str, *, dataset: str, task: str
) -> str:
    """Return the comparison of two compressors in a folder of records, as text.

    Raises:
        UsageError: a spec is unknown, or the folder lacks its record.
    """
    registry = load_registry()
    specs = [
        spec if spec in METHODS else spec_of(registry.parse(spec))
        for spec in (first, second)
    ]
    found = compare_stored(Store(folder), *specs, dataset=dataset, task=task)
    return comparison_text(found)


def _tested(records: Records, suite: Suite, store: Store) -> Report:
    if suite.hypothesis is None:
        raise SuiteError(f"the suite {suite.name} registers no [hypothesis]")
    return hypothesis_report(
        records,
        suite.hypothesis,
        read_registered(store.folder),
        stored_arrays(store.folder),
        _shortest,
    )


def _shortest(spec: str) -> str:
    """Return the form of a spec that records have; one that cannot be read stays.

    A plugin of another folder or machine is unknown here, its records may still match.
    """
    try:
        return spec_of(_registry().parse(spec))
    except HarnessError:
        return spec


@cache
def _registry() -> Registry:
    return load_registry()


def _suite_of(records: Records) -> Suite:
    """Return the suite that the records name.

    Raises:
        SuiteError: they name several, or one that is not at hand.
    """
    names = sorted({json.dumps(record["job"]["suite"]) for record in records})
    if len(names) > 1:
        raise SuiteError(f"records of several suites: {', '.join(names)}; give one run")
    return load_suite(json.loads(names[0]))
