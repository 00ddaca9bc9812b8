"""A registered test as text, Markdown, JSON and figures."""

import json
import re

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


def test_json_has_the_promised_fields_and_no_nan(made):
    promised = {
        *("name", "statistic", "ci_low", "ci_high", "p_between", "p_within", "verdict"),
        *("n_compressors", "n_families", "n_datasets", "sentence"),
    }
    for records in (
        made.records_of(made.block_of(0.5)),
        made.records_of(made.block_of(0.5))[:4],
    ):
        text = hypothesis_document(made.report_on(records), "json")
        claims = json.loads(text, parse_constant=pytest.fail)["claims"]
        assert [claim["name"] for claim in claims] == ["G", "R"]
        assert all(promised <= set(claim) for claim in claims)


def test_causes_is_never_printed_and_only_r_speaks_of_representations(made):
    effects = (0.99, -0.99, 0.0)
    reports = [
        made.report_on(made.records_of(made.block_of(effect))) for effect in effects
    ]
    reports.append(
        made.report_on(made.records_of(made.block_of(0.9, sizes=made.sizes[:4])))
    )
    for report in reports:
        for kind in ("text", "markdown", "json"):
            assert "cause" not in hypothesis_document(report, kind).lower()
        g, r = report.claims
        assert "representation" not in g.sentence
        assert "as a generative classifier" in g.sentence
        assert "representations" in r.sentence


def test_the_hash_stands_in_every_format(made):
    report = made.report_on(made.records_of(made.block_of(0.5)))
    for kind in ("text", "markdown", "json"):
        assert report.hash[:16] in hypothesis_document(report, kind)


def test_figures_are_legal_vega_lite_with_every_compressor_on_every_data_set(made):
    records = made.records_of(made.block_of(0.5))
    claim = made.report_on(records).claims[0]
    schema = alt.load_schema()
    charts = [scatter_by_dataset(claim, records), forest_of_slopes(claim)]
    for chart in charts:
        spec = chart.to_dict(validate=False)
        jsonschema.Draft7Validator(schema).validate(spec)
    sets = charts[0].to_dict()["datasets"].values()
    assert sum(len(rows) for rows in sets) == sum(made.sizes) * len(made.datasets)


def test_a_claim_without_a_block_says_so_and_has_no_figures(made):
    report = made.report_on(
        made.records_of(made.block_of(0.5)), claims=[Claim(name="G", task="none")]
    )
    (claim,) = report.claims
    assert claim.verdict == "undecided by design"
    assert "fewer than 3 compressors" in hypothesis_document(report, "text")
    assert scatter_by_dataset(claim, []) is None
    assert forest_of_slopes(claim) is None


def intervened(made, lift):
    """Networks with more steps, or more data, or other targets; the last is lifted."""
    draw, records = np.random.default_rng(3), []
    names = {k: [f"net({k}={i})" for i in range(4)] for k in ("steps", "data", "q")}
    for kind, specs in names.items():
        for spec in specs:
            for dataset in made.datasets[:3]:
                bits = draw.uniform(1, 4)
                value = 0.9 - 0.1 * bits + (lift if kind == "q" else 0.0)
                records.append(
                    made.record(spec, "net", dataset, "rates", made.rates(bits))
                )
                probed = [made.score("balanced_accuracy_middle_pca64", value)]
                records.append(made.record(spec, "net", dataset, "layer_probe", probed))
    return records, names


@pytest.mark.parametrize(
    ("lift", "words"),
    [
        (0.0, "Bits suffice to predict accuracy under these interventions"),
        (-0.3, "Bits do not suffice to predict accuracy under these interventions"),
    ],
)
def test_interventions_are_told_in_the_allowed_words_with_a_figure(made, lift, words):
    records, names = intervened(made, lift)
    report = made.report_on(records, interventions=names, datasets=made.datasets[:3])
    for kind in ("text", "markdown", "json"):
        assert words in hypothesis_document(report, kind)
    assert report.curve.points.bits.shape == (36,)
    spec = accuracy_against_bits(report.curve).to_dict(validate=False)
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)


def test_interventions_without_records_are_undecided(made):
    names = {"steps": ["net(steps=1)"], "data": ["net(data=1)"]}
    report = made.report_on(made.records_of(made.block_of(0.5)), interventions=names)
    assert report.curve.word == "undecided"
    assert accuracy_against_bits(report.curve) is None


def test_interventions_match_records_in_whatever_form_their_specs_are_written(made):
    records, names = intervened(made, 0.0)
    written = {"net(q=0, size=1)": "net(q=0)"}
    long = names | {"q": ["net(q=0, size=1)", *names["q"][1:]]}
    given = {"datasets": made.datasets[:3]}
    short = made.report_on(records, interventions=names, **given)
    found = made.report_on(
        records, shortest=lambda s: written.get(s, s), interventions=long, **given
    )
    assert found.status == "registered"
    assert found.curve.compressors == short.curve.compressors
    assert found.curve.without_records == ()


def test_interventions_that_match_no_record_are_named(made):
    records, names = intervened(made, 0.0)
    lost = names | {"q": ["net(p=0)", *names["q"]]}
    report = made.report_on(records, interventions=lost, datasets=made.datasets[:3])
    assert report.curve.without_records == ("net(p=0)",)
    (line,) = [
        line
        for line in hypothesis_document(report, "text").splitlines()
        if "net(p=0)" in line
    ]
    assert "no record has both numbers of" in line


def test_what_cannot_be_resampled_has_a_dash_for_an_interval(made):
    block = made.block_of(0.9, sizes=(4,), n_datasets=1)
    report = made.report_on(made.records_of(block), datasets=made.datasets[:1])
    for kind in ("text", "markdown"):
        text = hypothesis_document(report, kind)
        assert "[-, given this data set]" in text
        assert "nan" not in text
        assert not re.search(r"\[([+-][\d.]+), \1\]", text)
    claim = json.loads(hypothesis_document(report, "json"))["claims"][0]
    assert claim["ci_low"] is None
    assert "[-, given this data set]" in claim["sentence"]


def test_a_slope_without_an_interval_is_drawn_as_a_point_alone(made):
    block = made.block_of(0.9, sizes=(4, 3), n_datasets=1)
    claim = made.report_on(made.records_of(block), datasets=made.datasets[:1]).claims[0]
    spec = forest_of_slopes(claim).to_dict()
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)
    rows = [row for rows in spec["datasets"].values() for row in rows]
    assert {row["low"] for row in rows if row.get("kind") == "family"} == {None}
