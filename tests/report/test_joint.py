"""Tables and figures of joint compression show what constructed records hold."""

from pathlib import Path

import pytest

from harness.planning.manifest import read_manifest
from harness.records.store import Store
from harness.report.charts.joint import (
    quality_points,
    savings_against_quality,
    savings_matrix,
    transfer_scatter,
)
from harness.report.joint import joint_markdown

RESULTS = Path(__file__).parents[2] / "results"


def test_pairs_beyond_the_window_are_shown_with_a_dagger(joint):
    lines = joint_markdown(joint.records(beyond={7})).splitlines()
    line = next(line for line in lines if line.startswith("| c7 | x1 |"))
    assert "1.700 \u2020" in line
    assert "-0.100 \u2020" in line  # negative values are shown
    line = next(line for line in lines if line.startswith("| c6 | x1 |"))
    assert "\u2020" not in line


@pytest.mark.parametrize("suite", ["joint_networks", "transfer"])
def test_the_published_tables_are_those_of_the_published_records(suite):
    folder = RESULTS / suite
    if read_manifest(folder) is None:
        pytest.skip(f"no published folder of {suite}")
    text = joint_markdown(Store(folder).read_all())
    assert text == (folder / "joint.md").read_text()


def test_fewer_than_six_x_are_a_table(joint):
    text = joint_markdown(joint.transfer_records(1.0, n_sources=5))
    assert "| c0 | x3 |  | 0.600 | 0.680 |" in text
    assert "**transfer" not in text


def test_figures_have_a_line_per_kind_and_a_panel_per_compressor(joint):
    records = joint.records()
    points = quality_points(records)
    assert set(points["kind"]) == {"same class", "other class", "other data"}
    assert len(points) == 3 * joint.n * len(joint.sets)
    best = points[(points["compressor"] == "c7") & (points["kind"] == "same class")]
    assert best["quality"].tolist() == pytest.approx([3.5] * len(joint.sets))
    assert best["saved"].tolist() == pytest.approx([1.7] * len(joint.sets))
    lines = savings_against_quality(records)
    matrix = savings_matrix(records)
    scatter = transfer_scatter(joint.transfer_records(1.0))
    for chart in (lines, matrix, scatter):
        assert chart is not None
        chart.to_dict()  # altair validates against the Vega-Lite schema
    assert matrix.to_dict()["facet"]["field"] == "compressor"


@pytest.mark.parametrize(
    "figure", [savings_against_quality, savings_matrix, transfer_scatter]
)
def test_without_records_there_is_no_figure(figure):
    assert figure([]) is None
