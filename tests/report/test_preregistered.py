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
    forest_of_slopes,
    scatter_by_dataset,
)
from harness.report.preregistered import hypothesis_document


def test_json_has_the_promised_fields_and_no_nan(claimed):
    promised = {
        *("name", "statistic", "ci_low", "ci_high", "p_between", "p_within", "verdict"),
        *("n_compressors", "n_families", "n_datasets", "sentence"),
    }
    for records in (
        claimed.records_of(claimed.block_of(0.5)),
        claimed.records_of(claimed.block_of(0.5))[:4],
    ):
        text = hypothesis_document(claimed.report_on(records), "json")
        claims = json.loads(text, parse_constant=pytest.fail)["claims"]
        assert [claim["name"] for claim in claims] == ["G", "R"]
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
        g, r = report.claims
        assert "representation" not in g.sentence
        assert "as a generative classifier" in g.sentence
        assert "representations" in r.sentence


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
        claimed.records_of(claimed.block_of(0.5)), claims=[Claim(name="G", task="none")]
    )
    (claim,) = report.claims
    assert claim.verdict == "undecided by design"
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
                value = 0.9 - 0.1 * bits + (lift if kind == "q" else 0.0)
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


def test_what_cannot_be_resampled_has_a_dash_for_an_interval(claimed):
    block = claimed.block_of(0.9, sizes=(4,), n_datasets=1)
    report = claimed.report_on(claimed.records_of(block), datasets=claimed.datasets[:1])
    for kind in ("text", "markdown"):
        text = hypothesis_document(report, kind)
        assert "[-, given this data set]" in text
        assert "nan" not in text
        assert not re.search(r"\[([+-][\d.]+), \1\]", text)
    claim = json.loads(hypothesis_document(report, "json"))["claims"][0]
    assert claim["ci_low"] is None
    assert "[-, given this data set]" in claim["sentence"]


def test_a_slope_without_an_interval_is_drawn_as_a_point_alone(claimed):
    block = claimed.block_of(0.9, sizes=(4, 3), n_datasets=1)
    claim = claimed.report_on(
        claimed.records_of(block), datasets=claimed.datasets[:1]
    ).claims[0]
    spec = forest_of_slopes(claim).to_dict()
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)
    rows = [row for rows in spec["datasets"].values() for row in rows]
    assert {row["low"] for row in rows if row.get("kind") == "family"} == {None}


def test_both_generalities_stand_in_every_format_and_few_families_are_named(claimed):
    report = claimed.report_on(claimed.records_of(claimed.block_of(0.5)))
    few = claimed.report_on(
        claimed.records_of(claimed.block_of(0.5, sizes=claimed.sizes[:2]))
    )
    for kind in ("text", "markdown"):
        text = hypothesis_document(report, kind)
        for words in (
            "to new data sets, for these compressors",
            "to new compressors of these kinds",
            "differ by less than 1% in rate",
        ):
            assert text.count(words) == 2
        assert "2, needed: 3" in hypothesis_document(few, kind)
    claim = json.loads(hypothesis_document(report, "json"))["claims"][0]
    names = {"value", "ci_low", "ci_high", "half_width", "p", "freedom"}
    for population in ("new_datasets", "new_compressors"):
        assert set(claim["crossed"][population]) == names
    assert claim["crossed"]["n_datasets"] == len(claimed.datasets)
