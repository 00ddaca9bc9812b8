"""`bitprobe report` and `bitprobe figures`: a run folder or a published one, in any format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.analysis.results import Results, results_of
from harness.errors import StoreError
from harness.records.store import Store
from harness.report.document import document
from harness.report.terminal import print_results, wide_console


def print_folder(folder: Path) -> None:
    """Print the leaderboards of a folder of records, and the answer.

    Raises:
        StoreError: it has no records, or a record is damaged.
    """
    print_results(results_of(Store(folder)), wide_console())


def folder_document(folder: Path, output_format: str) -> str:
    """Return a folder of records in a format of `harness.report.document`.

    Raises:
        StoreError: it has no records, or a record is damaged.
    """
    return document(results_of(Store(folder)), output_format)


def write_figures(folder: Path, target: Path) -> list[Path]:
    """Write the figures that a folder of records allows, as SVG; return their paths.

    Raises:
        StoreError: the folder has no records, or the target cannot be written.
    """
    return write_charts(results_of(Store(folder)), target)


def write_charts(results: Results, target: Path) -> list[Path]:
    """Write the figures that results allow, as SVG; return their paths.

    Raises:
        StoreError: the target cannot be written.
    """
    from harness.report.charts.theme import save

    figures = _figures(results)
    _make_folder(target)
    paths = []
    for name, chart in figures.items():
        if chart is not None:
            paths.append(target / f"{name}.svg")
            save(chart, paths[-1])
    return paths


def _make_folder(target: Path) -> None:
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot write to {target}: {error.strerror}; give another --output"
        ) from error


def _figures(results: Results) -> dict[str, Any]:
    """Return charts by name; None where there is nothing to draw."""
    from harness.report.charts import joint, label_curves, ladders
    from harness.report.charts.leaderboard import (
        rate_against_accuracy,
        rates_by_compressor,
    )

    figures: dict[str, Any] = {}
    for board in results.leaderboards:
        name = board.dataset
        figures[f"accuracy-{name}"] = rate_against_accuracy(board, results.families)
        figures[f"rates-{name}"] = rates_by_compressor(board)
        figures[f"ladders-{name}"] = ladders.accuracy_by_layer(results.ladders, name)
        curves = label_curves.accuracy_by_labels(results.label_curves, name)
        figures[f"labels-{name}"] = curves
    figures["joint-savings"] = joint.savings_against_quality(results.records)
    figures["joint-matrix"] = joint.savings_matrix(results.records)
    figures["transfer"] = joint.transfer_scatter(results.records)
    return figures | _test_figures(results)


def _test_figures(results: Results) -> dict[str, Any]:
    """Return the figures of the preregistered test, if there is one."""
    from harness.report.charts import preregistered

    figures: dict[str, Any] = {}
    if results.test is None:
        return figures
    for claim in results.test.claims:
        title = claim.title.replace(" ", "-")
        figures[f"claim-{title}"] = preregistered.scatter_by_dataset(claim)
        figures[f"slopes-{title}"] = preregistered.forest_of_slopes(claim)
        figures[f"families-{title}"] = preregistered.correlations_by_cell(claim)
    curve = results.test.curve
    if curve is not None:
        figures["interventions"] = preregistered.accuracy_against_bits(curve)
    return figures
