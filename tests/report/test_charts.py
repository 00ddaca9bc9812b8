import json
import xml.etree.ElementTree as ET

import altair as alt
import jsonschema
import pytest

from harness.analysis.estimates import estimates, readouts
from harness.analysis.score_table import frame
from harness.errors import UsageError
from harness.report.charts.leaderboard import (
    appearance,
    rate_against_accuracy,
    rates_by_compressor,
    save,
)


def score(name, value, **about):
    half = 0.1 * value
    return {
        "name": name,
        "value": value,
        "unit": "bits/byte",
        "state": "fit(train)",
        "route": "native",
        "n": 50,
        "note": "given this split",
        "realised": "decoded",
        "ci_low": value - half,
        "ci_high": value + half,
        **about,
    }


def record(
    spec, family, task, scores, *, status="done", reason="", draw=0, **parameters
):
    subject = {"spec": spec, "family": family, "prior_bytes": 0}
    job = {
        "suite": "t",
        "dataset": "texts",
        "subject": subject,
        "task": task,
        "seed": 0,
        "draw": draw,
        "official": True,
        "remark": "",
        "parameters": parameters,
    }
    key = f"{spec}/{task}/{draw}/{sorted(parameters)}"
    rest = {"status": status, "reason": reason, "scores": scores}
    return {"job": job, "key": key, **rest}


def table(*, second_readout=False):
    records = []
    for level, (rate, accuracy) in enumerate([(4.0, 0.5), (3.0, 0.6), (2.0, 0.7)]):
        spec = f"press(level={level})"
        rates = [score("heldout_bpb", rate), score("stream_bpb", rate + 1)]
        records.append(record(spec, "LZ", "rates", rates))
        class_scores = [score("balanced_accuracy", accuracy, unit="fraction")]
        records.append(record(spec, "LZ", "class_scratch", class_scores))
        if second_readout:
            records.append(record(spec, "LZ", "class_adapt", class_scores))
    reason = "copy cannot be conditioned"
    copy = [score("heldout_bpb", 8.0, note="unconditioned", route="none")]
    records.append(record("copy", "identity", "rates", copy))
    absent = record("copy", "identity", "class_scratch", [], status="not_applicable")
    records.append({**absent, "reason": reason})
    majority = [score("balanced_accuracy", 0.25, unit="fraction", realised="")]
    records.append(record("majority", "baseline", "baseline", majority))
    return frame(records)


def values_of(chart, field):
    sets = chart.to_dict()["datasets"].values()
    return [row[field] for rows in sets for row in rows if field in row]


def test_the_scatter_has_a_point_for_each_compressor_with_both_numbers():
    chart = rate_against_accuracy(table(), "texts")
    assert sorted(values_of(chart, "bpb")) == [2.0, 3.0, 4.0]


def test_the_scatter_shows_better_rates_to_the_right():
    layers = rate_against_accuracy(table(), "texts").to_dict()["layer"]
    scales = [
        layer["encoding"]["x"]["scale"]
        for layer in layers
        if "scale" in layer["encoding"].get("x", {})
    ]
    assert scales
    assert all(scale["reverse"] for scale in scales)


def test_the_strip_has_a_point_for_each_rate_and_lists_the_best_compressor_first():
    spec = rates_by_compressor(table(), "texts").to_dict()
    (rows,) = spec["datasets"].values()
    assert len(rows) == 3 * 2 + 1
    order = spec["layer"][0]["encoding"]["y"]["sort"]
    assert order == ["press(level=2)", "press(level=1)", "press(level=0)", "copy"]


def test_charts_are_legal_vega_lite():
    schema = alt.load_schema()
    for make in (rate_against_accuracy, rates_by_compressor):
        spec = make(table(second_readout=True), "texts").to_dict(validate=False)
        jsonschema.Draft7Validator(schema).validate(spec)


def test_several_readouts_are_chosen_from_a_menu():
    chart = rate_against_accuracy(table(second_readout=True), "texts")
    (menu,) = [p for p in chart.to_dict()["params"] if p["name"] == "readout_choice"]
    assert menu["bind"]["options"] == ["class_adapt", "class_scratch"]
    assert menu["value"] == "class_adapt"


def test_a_data_set_without_class_readouts_has_no_scatter():
    rates_only = table().query("task == 'rates'")
    assert rate_against_accuracy(rates_only, "texts") is None
    assert rates_by_compressor(rates_only, "texts") is not None


def test_a_chart_without_positive_rates_has_no_logarithmic_axis():
    with_zero = table()
    with_zero.loc[with_zero["score"] == "stream_bpb", ["value", "ci_low"]] = 0.0
    x = rates_by_compressor(with_zero, "texts").to_dict()["layer"][0]["encoding"]["x"]
    assert x["scale"]["type"] == "linear"


def test_draws_are_averaged_and_their_interval_covers_each():
    draws = [
        record("a", "f", "rates", [score("heldout_bpb", rate)], draw=draw)
        for draw, rate in enumerate([2.0, 3.0, 4.0])
    ]
    (row,) = estimates(frame(draws)).to_dict("records")
    assert row["value"] == pytest.approx(3.0)
    assert row["ci_low"] < 1.8
    assert row["ci_high"] > 4.4
    assert row["ci_high"] - 3.0 == pytest.approx(3.0 - row["ci_low"])
    assert row["n_draws"] == 3


def test_scores_of_different_states_are_not_averaged():
    first = [
        score("balanced_accuracy", 0.5),
        score("balanced_accuracy", 0.9, state="x"),
    ]
    (row,) = estimates(frame([record("a", "f", "class_scratch", first)])).to_dict(
        "records"
    )
    assert row["value"] == 0.5


def test_equal_byte_variants_are_readouts_of_their_own():
    scores = [score("balanced_accuracy", 0.5), score("balanced_accuracy_dedup", 0.4)]
    both = [
        record("a", "f", "class_scratch", scores, equal_bytes=True),
        record("a", "f", "class_scratch", scores),
    ]
    labels = [readout.label for readout in readouts(estimates(frame(both)))]
    assert labels == ["class_scratch", "class_scratch, equal bytes"]


def test_the_first_56_families_look_different():
    assert len({appearance(index) for index in range(56)}) == 56


def test_saved_charts_are_what_their_suffix_says(tmp_path):
    chart = rates_by_compressor(table(), "texts")
    for suffix in (".svg", ".png", ".json"):
        save(chart, tmp_path / f"chart{suffix}")
    root = ET.fromstring((tmp_path / "chart.svg").read_bytes())  # noqa: S314  (our own file)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    spec = json.loads((tmp_path / "chart.json").read_text())
    assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/")


def test_saving_under_another_suffix_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match=r"chart\.pdf.*\.svg, \.png or \.json"):
        save(rates_by_compressor(table(), "texts"), tmp_path / "chart.pdf")
