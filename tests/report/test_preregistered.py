"""A preregistered test as text, Markdown, JSON and figures."""

import json
import re
from dataclasses import replace

import altair as alt
import jsonschema
import numpy as np
import pytest

from harness.planning.preregistration import Claim
from harness.report.charts.preregistered import (
    accuracy_against_bits,
    correlations_by_cell,
    forest_of_slopes,
    scatter_by_dataset,
)
from harness.report.preregistered import hypothesis_document


def test_json_has_the_promised_fields_and_no_nan(claimed):
    promised = {
        *("name", "value", "generalities", "by_dataset", "by_family", "by_cell"),
        *("n_compressors", "n_networks", "n_families", "n_units", "n_datasets"),
    }
    for records in (
        claimed.records_of(claimed.block_of(0.5)),
        claimed.records_of(claimed.block_of(0.5))[:4],
    ):
        text = hypothesis_document(claimed.report_on(records), "json")
        claims = json.loads(text, parse_constant=pytest.fail)["claims"]
        assert [claim["name"] for claim in claims] == ["C", "R"]
        assert all(promised <= set(claim) for claim in claims)


def test_causes_is_never_printed_and_only_r_speaks_of_representations(claimed):
    effects = (0.99, -0.99, 0.0)
    reports = [
        claimed.report_on(claimed.records_of(claimed.block_of(effect)))
        for effect in effects
    ]
    reports.append(
        claimed.report_on(
            claimed.records_of(claimed.block_of(0.9, sizes=claimed.sizes[:4]))
        )
    )
    for report in reports:
        for kind in ("text", "markdown", "json"):
            assert "cause" not in hypothesis_document(report, kind).lower()
        c, r = (" ".join(claim.sentences) for claim in report.claims)
        assert "representation" not in c
        assert c.count("classification by compression") == 2
        assert r.count("representations") == 2


def test_the_hash_stands_in_every_format(claimed):
    report = claimed.report_on(claimed.records_of(claimed.block_of(0.5)))
    for kind in ("text", "markdown", "json"):
        assert report.hash[:16] in hypothesis_document(report, kind)


def test_figures_are_legal_vega_lite_with_every_compressor_on_every_data_set(claimed):
    records = claimed.records_of(claimed.block_of(0.5))
    claim = claimed.report_on(records).claims[0]
    schema = alt.load_schema()
    charts = [scatter_by_dataset(claim), forest_of_slopes(claim)]
    for chart in charts:
        spec = chart.to_dict(validate=False)
        jsonschema.Draft7Validator(schema).validate(spec)
    sets = charts[0].to_dict()["datasets"].values()
    assert sum(len(rows) for rows in sets) == sum(claimed.sizes) * len(claimed.datasets)


def test_the_bars_of_a_point_are_the_intervals_of_its_own_scores(claimed, make_score):
    """Another score of the record may have the same value and another interval."""
    records = claimed.records_of(claimed.block_of(0.5))
    twins = [
        make_score(value=score.value, half=0.4, option="no_prior")
        for score in records[1].scores
    ]
    records[1] = replace(records[1], scores=(*records[1].scores, *twins))
    chart = scatter_by_dataset(claimed.report_on(records).claims[0])
    tables = chart.to_dict()["datasets"].values()
    widths = [row["high"] - row["low"] for rows in tables for row in rows]
    assert widths == pytest.approx([0.02] * len(widths))


def test_a_claim_without_a_block_says_so_and_has_no_figures(claimed):
    report = claimed.report_on(
        claimed.records_of(claimed.block_of(0.5)), claims=[Claim(name="C", task="none")]
    )
    (claim,) = report.claims
    assert {each.word for each in claim.generalities} == {"undecided by design"}
    assert "fewer than 3 compressors" in hypothesis_document(report, "text")
    assert scatter_by_dataset(claim) is None
    assert forest_of_slopes(claim) is None


def intervened(claimed, make_record, lift):
    """Networks with more steps, or more data, or other targets; the last is lifted."""
    draw, records = np.random.default_rng(3), []
    names = {k: [f"net({k}={i})" for i in range(4)] for k in ("steps", "data", "q")}
    for kind, specs in names.items():
        for spec in specs:
            for dataset in claimed.datasets[:3]:
                bits = draw.uniform(1, 4)
                noise = 0.002 * draw.normal()
                value = 0.9 - 0.1 * bits + noise + (lift if kind == "q" else 0.0)
                readouts = {
                    "rates": claimed.rates(bits),
                    "layer_probe": [claimed.middle(value)],
                }
                records += [
                    make_record(spec, task, scores, dataset=dataset)
                    for task, scores in readouts.items()
                ]
    return records, names


@pytest.mark.parametrize(
    ("lift", "words"),
    [
        (0.0, "Bits suffice to predict accuracy under these interventions"),
        (-0.3, "Bits do not suffice to predict accuracy under these interventions"),
    ],
)
def test_interventions_are_told_in_the_allowed_words_with_a_figure(
    claimed, make_record, lift, words
):
    records, names = intervened(claimed, make_record, lift)
    report = claimed.report_on(
        records, interventions=names, datasets=claimed.datasets[:3]
    )
    for kind in ("text", "markdown", "json"):
        assert words in hypothesis_document(report, kind)
    assert report.curve.points.bits.shape == (36,)
    spec = accuracy_against_bits(report.curve).to_dict(validate=False)
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)


def test_interventions_without_records_are_undecided(claimed):
    names = {"steps": ["net(steps=1)"], "data": ["net(data=1)"]}
    report = claimed.report_on(
        claimed.records_of(claimed.block_of(0.5)), interventions=names
    )
    assert report.curve.word == "undecided"
    assert accuracy_against_bits(report.curve) is None


def test_interventions_that_match_no_record_are_named(claimed, make_record):
    records, names = intervened(claimed, make_record, 0.0)
    lost = names | {"q": ["net(p=0)", *names["q"]]}
    report = claimed.report_on(
        records, interventions=lost, datasets=claimed.datasets[:3]
    )
    assert report.curve.without_records == ("net(p=0)",)
    (line,) = [
        line
        for line in hypothesis_document(report, "text").splitlines()
        if "net(p=0)" in line
    ]
    assert "no record has both numbers of" in line


def test_what_has_no_interval_has_a_dash_with_its_reason(claimed):
    block = claimed.block_of(0.9, sizes=(4,), n_datasets=1)
    report = claimed.report_on(claimed.records_of(block), datasets=claimed.datasets[:1])
    for kind in ("text", "markdown"):
        text = hypothesis_document(report, kind)
        assert "[-, too few to tell]" in text
        assert "nan" not in text
        assert not re.search(r"\[([+-][\d.]+), \1\]", text)
    claim = json.loads(hypothesis_document(report, "json"))["claims"][0]
    estimate = claim["generalities"]["new data sets"]["estimate"]
    assert estimate["ci_low"] is None


def test_a_slope_without_an_interval_is_drawn_as_a_point_alone(claimed):
    block = claimed.block_of(0.9, sizes=(4, 3), n_datasets=1)
    claim = claimed.report_on(
        claimed.records_of(block), datasets=claimed.datasets[:1]
    ).claims[0]
    spec = forest_of_slopes(claim).to_dict()
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)
    rows = [row for rows in spec["datasets"].values() for row in rows]
    assert {row["low"] for row in rows if row.get("kind") == "family"} == {None}


def test_both_generalities_stand_in_every_format_with_what_the_layout_detects(claimed):
    report = claimed.report_on(claimed.records_of(claimed.block_of(0.5)))
    for kind in ("text", "markdown"):
        text = hypothesis_document(report, kind)
        for words in (
            "to new data sets, for these compressors",
            "to new compressors of these kinds",
            "detectable, to new data sets",
            "detectable, to new compressors",
            "within 0.01 of each other's rate",
        ):
            assert text.count(words) == 2
    claims = json.loads(hypothesis_document(report, "json"))["claims"]
    names = {"value", "ci_low", "ci_high", "half_width", "p", "freedom"}
    for claim in claims:
        assert set(claim["generalities"]) == {"new data sets", "new compressors"}
        for each in claim["generalities"].values():
            assert set(each["estimate"]) == names
            assert each["sentence"].startswith(each["word"].capitalize())


def test_the_checks_that_decide_nothing_are_told_from_those_that_do(claimed):
    report = claimed.report_on(claimed.records_of(claimed.block_of(0.5)))
    text = hypothesis_document(report, "text")
    assert text.count("check: without family 0") == 2
    for name in (
        "within one size",
        "given log parameters",
        "last layer",
        "1 label per",
    ):
        assert f"beside: {name}" in text


def test_the_cells_of_r_are_drawn_by_family_and_data_set(claimed):
    c, r = claimed.report_on(claimed.records_of(claimed.block_of(0.5))).claims
    assert correlations_by_cell(c) is None
    spec = correlations_by_cell(r).to_dict(validate=False)
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)
    rows = [row for rows in spec["datasets"].values() for row in rows]
    cells = {(row["family"], row["dataset"]) for row in rows if "dataset" in row}
    assert cells == set(r.statistics.by_cell)
