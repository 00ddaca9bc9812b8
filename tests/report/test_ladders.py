"""Checkpoints of networks: what is read from records, correlations, the figure."""

import gzip
import json
from pathlib import Path

import altair as alt
import jsonschema
import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.analysis.compute import compute_seconds
from harness.analysis.ladders import (
    ALL,
    LAST,
    MIDDLE,
    correlations,
    ladder_of,
    ladder_points,
    ladder_table,
)
from harness.report.charts.ladders import accuracy_by_layer
from harness.report.document import document

RESULTS = Path(__file__).parents[2] / "results"
RUNGS = (0, 50, 100, 200)
LAYERS = ("in", "one", "two", "out")


def published(suite):
    path = RESULTS / suite / "records.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no published records of {suite}")
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def score(name, value, **about):
    rest = {"unit": "", "state": "", "route": "", "n": 50, "note": ""}
    ends = {"ci_low": value - 0.01, "ci_high": value + 0.01, "realised": ""}
    return {"name": name, "value": float(value), **rest, **ends, **about}


def record(task, scores, *, size, steps, draw=0, **about):
    subject = {
        "spec": f"net(size={size}, steps={steps})",
        "name": "net",
        "family": "nets",
        "prior_bytes": 0,
        "fields": {"size": size, "steps": steps},
        "ladder_field": "steps",
    }
    job = {
        "suite": "t",
        "dataset": "images",
        "subject": subject,
        "task": task,
        "version": 1,
        "seed": draw,
        "draw": draw,
        "official": True,
        "parameters": {},
        "remark": "",
    }
    rest = {"status": "done", "reason": "", "cost": {"cpu_seconds": 10.0 * size}}
    key = f"{task}/{size}/{steps}/{draw}"
    return {"job": job, "key": key, "scores": scores, **rest, **about}


def accuracy_at(size, steps, layer):
    """A value of each checkpoint and layer that no other has."""
    return 0.5 + steps / 1000 + 0.03 * (size * steps % 7) + LAYERS.index(layer) / 100


def checkpoints(*, sizes=(1, 2), rungs=RUNGS, n_draws=1, realised="decoded"):
    found = []
    for size in sizes:
        for steps in rungs:
            for draw in range(n_draws):
                where = {"size": size, "steps": steps, "draw": draw}
                rate = 4 / size - steps / 100 + 0.1 * draw
                coded = [score("heldout_bpb", rate, realised=realised)]
                probed = [
                    score(
                        f"balanced_accuracy_layer:{layer}{suffix}",
                        accuracy_at(size, steps, layer) + lift,
                    )
                    for layer in LAYERS
                    for suffix, lift in (("", 0.2), ("_pca64", 0.0))
                ]
                found.append(record("rates", coded, **where))
                found.append(record("layer_probe", probed, **where))
                found.append(record("fit", [], **where))
    return found


def at(points, depth):
    return points[points["depth"] == depth].set_index("compressor")


def test_each_checkpoint_has_its_bits_and_the_accuracy_of_the_layer_at_each_depth():
    points = ladder_points(checkpoints())
    assert len(points) == 2 * len(RUNGS) * 5
    layers = ["in", "one", "one", "two", "out"]
    for depth, layer in zip((0.0, 0.25, 0.5, 0.75, 1.0), layers, strict=True):
        row = at(points, depth).loc["net(size=2, steps=100)"]
        assert row["layer"] == layer
        assert row["bits"] == pytest.approx(1.0)
        assert row["accuracy"] == pytest.approx(accuracy_at(2, 100, layer))


def test_values_are_means_over_draws_and_draws_widen_their_interval():
    (one, three) = (
        at(ladder_points(checkpoints(n_draws=n)), MIDDLE).loc["net(size=1, steps=50)"]
        for n in (1, 3)
    )
    assert three["bits"] == pytest.approx(np.mean([3.5, 3.6, 3.7]))
    assert three["n_draws"] == 3
    width = three["bits_high"] - three["bits_low"]
    assert width > one["bits_high"] - one["bits_low"]
    # Student's t of three draws, alone narrower than with the test samples.
    half = scipy_stats.t.isf(0.025, 2) * scipy_stats.sem([3.5, 3.6, 3.7])
    assert width / 2 == pytest.approx(half, rel=0.02)


def test_scores_without_duplicates_stand_where_a_data_set_has_them():
    records = checkpoints()
    for one in records:
        more = [dict(s, name=s["name"] + "_dedup") for s in one["scores"]]
        one["scores"] += [dict(s, value=s["value"] + 1) for s in more]
    row = at(ladder_points(records), MIDDLE).loc["net(size=2, steps=100)"]
    assert row["bits"] == pytest.approx(2.0)
    assert row["accuracy"] == pytest.approx(1 + accuracy_at(2, 100, "one"))


def test_a_network_of_one_checkpoint_is_no_ladder():
    assert ladder_points(checkpoints(rungs=(100,))).empty
    assert ladder_points([]).empty


def test_a_likelihood_is_no_rate():
    assert ladder_points(checkpoints(realised="likelihood")).empty


def test_a_checkpoint_has_the_share_of_its_ladders_seconds_that_its_steps_have():
    seconds = compute_seconds(checkpoints())
    found = [seconds[f"net(size=2, steps={steps})", "images"] for steps in RUNGS]
    assert found == [0.0, 5.0, 10.0, 20.0]


def test_a_fit_outside_of_a_ladder_has_its_own_seconds():
    (one,) = [
        r for r in checkpoints(sizes=(3,), rungs=(1,)) if r["job"]["task"] == "fit"
    ]
    one["job"]["subject"] |= {"ladder_field": "", "spec": "codec"}
    assert compute_seconds([one]) == {("codec", "images"): 30.0}


def test_correlations_are_scipys_and_the_partial_one_is_that_of_residual_ranks():
    points = ladder_points(checkpoints())
    (row,) = [r for r in correlations(points) if r.depth == LAST]
    here = at(points, LAST)
    bits, accuracy = -here["bits"].to_numpy(), here["accuracy"].to_numpy()
    assert row.checkpoints == pytest.approx(
        scipy_stats.spearmanr(bits, accuracy).statistic
    )
    x, y, z = (
        scipy_stats.rankdata(v) for v in (bits, accuracy, here["compute_seconds"])
    )
    left = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y)]
    assert row.given_compute == pytest.approx(np.corrcoef(*left)[0, 1])
    assert (row.n, row.n_final) == (8, 2)
    assert np.isnan(row.final)


def test_final_checkpoints_are_the_last_of_each_ladder():
    sizes = (1, 2, 4, 8)
    points = ladder_points(checkpoints(sizes=sizes))
    (row,) = [r for r in correlations(points) if r.depth == MIDDLE]
    bits = [-(4 / size - 2) for size in sizes]
    accuracy = [accuracy_at(size, 200, "one") for size in sizes]
    assert row.n_final == 4
    assert row.final == pytest.approx(scipy_stats.spearmanr(bits, accuracy).statistic)


def test_along_one_ladder_whose_bits_fall_at_every_step_nothing_is_left_given_compute():
    points = ladder_points(checkpoints(sizes=(1,)))
    table = ladder_table(correlations(points), "images")
    assert {row[3] for row in table[1:]} == {"- (n 4)"}


@pytest.mark.parametrize(
    ("spec", "ladder"),
    [
        ("net(steps=5)", "net"),
        ("net(size='10k', steps=5)", "net(size='10k')"),
        ("net(steps=5, size='10k')", "net(size='10k')"),
        ("net", "net"),
    ],
)
def test_a_ladder_is_called_by_what_its_checkpoints_share(spec, ladder):
    assert ladder_of(spec, "steps") == ladder


def middle_of(records, name):
    """Bits and middle accuracy of every checkpoint of a name, read from the records."""
    bits, accuracy = {}, {}
    for one in records:
        subject = one["job"]["subject"]
        if subject["name"] == name and one["status"] == "done":
            for found in one["scores"]:
                if found["name"] == "heldout_bpb":
                    bits[subject["spec"]] = found["value"]
                if found["name"] == "balanced_accuracy_middle_pca64":
                    accuracy[subject["spec"]] = found["value"]
    return [(-bits[spec], accuracy[spec]) for spec in bits if spec in accuracy]


@pytest.mark.parametrize(
    ("suite", "n_ladders"), [("bench", 2), ("interventions", None)]
)
def test_the_published_checkpoints_have_the_fixed_middle_layers_score(suite, n_ladders):
    records = published(suite)
    points = ladder_points(records)
    here = at(points[points["name"] == "pixel_transformer"], MIDDLE)
    expected = dict.fromkeys(middle_of(records, "pixel_transformer"))
    found = zip(-here["bits"], here["accuracy"], strict=True)
    assert len(here) >= 5
    assert all(pair in expected for pair in found)
    if n_ladders:
        assert here["ladder"].nunique() == n_ladders
        (row,) = [
            r
            for r in correlations(points[points["dataset"] == "digits"])
            if r.depth == MIDDLE and r.networks in ("pixel_transformer", ALL)
        ][:1]
        by_scipy = scipy_stats.spearmanr(*zip(*expected, strict=True)).statistic
        assert row.checkpoints == pytest.approx(by_scipy)


def test_the_figure_is_legal_vega_lite_with_a_point_per_checkpoint_and_depth():
    points = ladder_points(checkpoints(n_draws=2))
    spec = accuracy_by_layer(points, "images").to_dict(validate=False)
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)
    (rows,) = spec["datasets"].values()
    assert len(rows) == len(points)
    assert accuracy_by_layer(points, "texts") is None


@pytest.mark.parametrize("kind", ["markdown", "html"])
def test_a_report_shows_the_correlations_of_a_run_with_ladders(kind):
    records = checkpoints()
    for one in records:
        one["environment"] = {"python": "3", "cores": 2}
        one["job"]["subject"]["versions"] = {}
    text = document(records, kind, answer="")
    assert "Networks while they train" in text
    assert "given compute" in text
    assert "final only" in text
    without = [r for r in records if r["job"]["task"] != "layer_probe"]
    assert "Networks while they train" not in document(without, kind, answer="")
