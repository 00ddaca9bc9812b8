"""Few labels against bits: points read from records, correlations, table and figure."""

import re
import xml.etree.ElementTree as ET
from collections import Counter

import altair as alt
import jsonschema
import numpy as np
import pytest
import vl_convert
from scipy import stats as scipy_stats

from harness.analysis.estimates import estimates
from harness.analysis.label_curves import curve_rows, curve_table, label_points
from harness.analysis.ladders import ALL
from harness.analysis.score_table import score_table
from harness.records.score import HEADLINE
from harness.report.charts.label_curves import accuracy_by_labels

NUMBERS = (1, 5, 0)
RNG = np.random.default_rng(3)
BITS = {f"net(size={i})": bits for i, bits in enumerate(RNG.uniform(1, 3, 12))}
ACCURACY = {
    (spec, n): 0.9 - bits / 10 + RNG.normal(0, 0.03 if n else 0.0)
    for spec, bits in BITS.items()
    for n in NUMBERS
}


@pytest.fixture
def points(make_record, make_score):
    """Return what makes the points of twelve networks of two families."""

    def make(**about_rate):
        records = []
        for i, (spec, bits) in enumerate(BITS.items()):
            probed = [
                make_score(
                    value=ACCURACY[spec, n],
                    half=0.02,
                    role="middle",
                    n_dimensions=64,
                    n_labels=n,
                )
                for n in NUMBERS
            ]
            # Another layer, and a control: neither is a point of the curve.
            probed += [
                make_score(value=0.1, role="last", n_dimensions=64),
                make_score(value=0.1, role="middle", control="permuted"),
            ]
            rate = make_score(HEADLINE, bits, **({"realised": "decoded"} | about_rate))
            about = {"dataset": "texts", "family": f"family {i % 2}"}
            records += [
                make_record(spec, "rates", [rate], **about),
                make_record(spec, "layer_probe", probed, **about),
            ]
        return label_points(estimates(score_table(records)))

    return make


def test_each_network_has_a_point_at_each_number_of_labels(points):
    table = points()
    assert len(table) == len(BITS) * len(NUMBERS)
    for row in table.itertuples():
        assert row.bits == BITS[row.compressor]
        assert row.accuracy == ACCURACY[row.compressor, row.n_labels]
        assert row.accuracy_high - row.accuracy_low == pytest.approx(0.04)


def test_a_likelihood_is_no_point_of_a_curve(points):
    assert points(realised="likelihood").empty


def test_correlations_are_scipys_inside_each_family_and_over_all(points):
    rows = {(row.networks, row.n_labels): row for row in curve_rows(points())}
    assert len(rows) == 3 * len(NUMBERS)
    for name, specs in {
        "family 0": list(BITS)[::2],
        "family 1": list(BITS)[1::2],
        ALL: list(BITS),
    }.items():
        for n in NUMBERS:
            bits = [-BITS[spec] for spec in specs]
            accuracy = [ACCURACY[spec, n] for spec in specs]
            expected = scipy_stats.spearmanr(bits, accuracy).statistic
            assert rows[name, n].correlation == pytest.approx(expected)
            assert rows[name, n].n == len(specs)


def test_the_table_has_a_column_per_number_of_labels_and_all_of_them_last(points):
    header, *lines = curve_table(list(curve_rows(points())), "texts")
    assert header == ("networks", "1 label per class", "5 per class", "all labels")
    assert [line[0] for line in lines] == ["family 0", "family 1", ALL]
    # Without noise, accuracy is a falling function of bits.
    assert [line[-1] for line in lines] == [
        "+1.00 (n 6)",
        "+1.00 (n 6)",
        "+1.00 (n 12)",
    ]


def test_one_or_two_networks_have_no_line_and_alone_no_table(points):
    table = points()
    of_first = table["family"] == "family 0"
    pair = table["compressor"].isin(list(BITS)[:4:2])
    _, *lines = curve_table(list(curve_rows(table[~of_first | pair])), "texts")
    assert [line[0] for line in lines] == ["family 1", ALL]
    assert curve_table(list(curve_rows(table[pair])), "texts") == ()


def test_all_labels_alone_are_no_curve_over_labels(points):
    table = points()
    every = table[table["n_labels"] == 0]
    assert curve_table(list(curve_rows(every)), "texts") == ()
    assert accuracy_by_labels(every, "texts") is None


def test_the_figure_is_legal_vega_lite_with_every_point(points):
    table = points()
    spec = accuracy_by_labels(table, "texts").to_dict(validate=False)
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)
    (rows,) = spec["datasets"].values()
    assert len(rows) == len(table)
    assert accuracy_by_labels(table, "images") is None


def test_vega_draws_a_mark_for_each_point_in_the_panel_of_its_labels(points):
    table = points()
    svg = vl_convert.vegalite_to_svg(accuracy_by_labels(table, "texts").to_dict())
    root = ET.fromstring(svg)  # noqa: S314  (our own file)
    labels = [
        mark.get("aria-label", "")
        for mark in root.iter()
        if mark.get("aria-roledescription") == "point"
    ]
    counts = Counter(
        re.search(r"labels: ([^;]*)", label)[1].strip() for label in labels
    )
    words = ("1 label per class", "5 per class", "all labels")
    assert counts == dict.fromkeys(words, len(BITS))
    heights = sorted(
        float(re.search(r"balanced accuracy: ([\d.]+)", label)[1]) for label in labels
    )
    assert heights == pytest.approx(sorted(ACCURACY.values()), abs=5e-4)
