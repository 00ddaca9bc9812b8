"""Charts of a leaderboard, by what is drawn: the SVG that Vega renders of their specs."""

import json
import re
import xml.etree.ElementTree as ET

import altair as alt
import jsonschema
import pytest
import vl_convert

from harness.errors import UsageError
from harness.report.charts.leaderboard import (
    MENU,
    rate_against_accuracy,
    rates_by_compressor,
    scatter_points,
)
from harness.report.charts.theme import appearance, save

RATES = {"press(level=0)": 4.0, "press(level=1)": 3.0, "press(level=2)": 2.0}
ACCURACIES = {
    "class_scratch": {
        "press(level=0)": 0.5,
        "press(level=1)": 0.6,
        "press(level=2)": 0.7,
    },
    "class_adapt": {"press(level=1)": 0.9},
}
NUMBER = r"(-?[\d.]+)"


@pytest.fixture
def board_with(make_record, measured, results_from):
    def board(tasks=("class_scratch",), extra=(), rates=RATES):
        records = [
            make_record(
                spec,
                "rates",
                [measured("heldout_bpb", rate), measured("stream_bpb", rate + 1)],
            )
            for spec, rate in rates.items()
        ]
        records += [
            make_record(spec, task, [measured("balanced_accuracy", accuracy)])
            for task in tasks
            for spec, accuracy in ACCURACIES[task].items()
        ]
        majority = [measured("balanced_accuracy", 0.25)]
        records.append(make_record("majority", "baseline", majority))
        return results_from([*records, *extra]).leaderboards[0]

    return board


@pytest.fixture
def two_readouts(board_with, make_record, measured):
    """Return a board with a menu, and scores that are no accuracy beside."""
    completions = [
        measured("completion_accuracy", -0.8, option="lower", reference="mean_image")
    ]
    extra = [make_record("press(level=1)", "completion", completions)]
    return board_with(("class_scratch", "class_adapt"), extra)


def scatter(board):
    return rate_against_accuracy(board, ["press"])


def drawn_marks(chart, role, choice=None):
    """Return the labels of marks in the SVG that Vega draws with a choice of the menu."""
    spec = chart.to_dict()
    for param in spec.get("params", []):
        if param["name"] == MENU and choice is not None:
            param["value"] = choice
    root = ET.fromstring(vl_convert.vegalite_to_svg(spec))  # noqa: S314  (our own file)
    return [
        mark.get("aria-label", "")
        for mark in root.iter()
        if mark.get("aria-roledescription") == role
    ]


def accuracies_of(labels):
    return sorted(float(re.search(f"accuracy: {NUMBER}", label)[1]) for label in labels)


def menu_of(chart):
    (menu,) = [p for p in chart.to_dict()["params"] if p["name"] == MENU]
    return menu


def test_a_point_is_drawn_for_each_compressor_with_both_numbers(board_with):
    labels = drawn_marks(scatter(board_with()), "point")
    assert accuracies_of(labels) == [0.5, 0.6, 0.7]


@pytest.mark.parametrize("header", ["class bal. acc.", "adapted bal. acc."])
def test_every_entry_of_the_menu_draws_its_own_points_alone(two_readouts, header):
    """Count as a reader of the table would: rows with a rate and this readout."""
    place = [c.header for c in two_readouts.columns].index(header)
    expected = [
        row.cells[place].value
        for row in two_readouts.compressors
        if row.cells[0].is_measured and row.cells[place].is_measured
    ]
    labels = drawn_marks(scatter(two_readouts), "point", header)
    assert accuracies_of(labels) == sorted(expected)
    assert all(f"readout: {header}" in label for label in labels)


def test_the_axis_of_a_menu_entry_reaches_no_further_than_its_own_points(two_readouts):
    svg = vl_convert.vegalite_to_svg(scatter(two_readouts).to_dict())
    (y_axis,) = re.findall(
        r"Y-axis titled '[^']*' for a linear scale with ([^\"]*)\"", svg
    )
    low, high = map(float, re.findall(NUMBER, y_axis.removesuffix(".")))
    # class_adapt reaches 0.99 and the completion -0.8: neither is on this entry.
    assert 0.0 <= low <= 0.25
    assert 0.77 <= high < 0.99


def test_points_of_the_chart_are_accuracies(two_readouts):
    points = scatter_points(two_readouts)
    assert points[["value", "ci_low", "ci_high"]].min().min() >= 0
    assert points[["value", "ci_low", "ci_high"]].max().max() <= 1
    assert set(points["readout"]) == {"class bal. acc.", "adapted bal. acc."}


def test_a_baseline_is_drawn_with_the_readouts_that_name_it(two_readouts):
    chart = scatter(two_readouts)
    with_baseline = drawn_marks(chart, "rule mark", "class bal. acc.")
    without = drawn_marks(chart, "rule mark", "adapted bal. acc.")
    baselines = scatter_points(two_readouts).query("kind == 'baseline'")
    assert list(baselines["readout"]) == ["class bal. acc."]
    # Each point has two bars, and a baseline one line.
    assert (len(with_baseline), len(without)) == (2 * 3 + 1, 2 * 1)


def test_the_menu_lists_the_columns_that_are_readouts(two_readouts):
    menu = menu_of(scatter(two_readouts))
    readouts = [c.header for c in two_readouts.columns if c.declaration.is_readout]
    assert menu["bind"]["options"] == readouts
    assert menu["value"] == readouts[0]


def test_a_picture_is_titled_with_the_readout_that_it_shows(two_readouts):
    assert "class bal. acc." in vl_convert.vegalite_to_svg(
        scatter(two_readouts).to_dict()
    )


def test_one_readout_has_no_menu(board_with):
    assert all(p["name"] != MENU for p in scatter(board_with()).to_dict()["params"])


def test_the_scatter_shows_better_rates_to_the_right(board_with):
    layers = scatter(board_with()).to_dict()["layer"]
    scales = [
        layer["encoding"]["x"]["scale"]
        for layer in layers
        if "scale" in layer["encoding"].get("x", {})
    ]
    assert scales
    assert all(scale["reverse"] for scale in scales)


def test_the_strip_has_a_point_for_each_rate_and_lists_the_best_compressor_first(
    board_with,
):
    chart = rates_by_compressor(board_with())
    assert len(drawn_marks(chart, "point")) == 3 * 2
    order = chart.to_dict()["layer"][0]["encoding"]["y"]["sort"]
    assert order == ["press(level=2)", "press(level=1)", "press(level=0)"]


def test_charts_are_legal_vega_lite(two_readouts):
    validator = jsonschema.Draft7Validator(alt.load_schema())
    for chart in (scatter(two_readouts), rates_by_compressor(two_readouts)):
        assert list(validator.iter_errors(chart.to_dict(validate=False))) == []


def test_a_data_set_without_class_readouts_has_no_scatter(board_with):
    rates_only = board_with(tasks=())
    assert scatter(rates_only) is None
    assert rates_by_compressor(rates_only) is not None


def test_a_chart_without_positive_rates_has_no_logarithmic_axis(board_with):
    board = board_with(rates={"free": 0.0, **RATES})
    x = rates_by_compressor(board).to_dict()["layer"][0]["encoding"]["x"]
    assert x["scale"]["type"] == "linear"


def test_the_first_56_families_look_different():
    assert len({appearance(index) for index in range(56)}) == 56


def test_saved_charts_are_what_their_suffix_says(tmp_path, board_with):
    chart = rates_by_compressor(board_with())
    for suffix in (".svg", ".png", ".json"):
        save(chart, tmp_path / f"chart{suffix}")
    root = ET.fromstring((tmp_path / "chart.svg").read_bytes())  # noqa: S314  (our own file)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    spec = json.loads((tmp_path / "chart.json").read_text())
    assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/")


def test_saving_under_another_suffix_says_what_to_do(tmp_path, board_with):
    with pytest.raises(UsageError, match=r"chart\.pdf.*\.svg, \.png or \.json"):
        save(rates_by_compressor(board_with()), tmp_path / "chart.pdf")
