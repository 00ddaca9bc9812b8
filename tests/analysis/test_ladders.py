"""Checkpoints of networks: points read from records, correlations, tables."""

from dataclasses import replace
from itertools import product
from pathlib import Path

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
from harness.planning.manifest import read_manifest
from harness.records.record import Cost
from harness.records.score import HEADLINE
from harness.records.store import Store

RESULTS = Path(__file__).parents[2] / "results"
RUNGS = (0, 50, 100, 200)
LAYERS = ("in", "one", "two", "out")


def published(suite):
    if read_manifest(RESULTS / suite) is None:
        pytest.skip(f"no published folder of {suite}")
    return Store(RESULTS / suite).read_all()


def accuracy_at(size, steps, layer):
    """A value of each checkpoint and layer that no other has."""
    return 0.5 + steps / 1000 + 0.03 * (size * steps % 7) + LAYERS.index(layer) / 100


@pytest.fixture
def checkpoints(make_record, make_score):
    """Return what makes rates, probes and fits of every checkpoint of some networks."""

    def make(*, sizes=(1, 2), rungs=RUNGS, n_draws=1, realised="decoded"):
        records = []
        for size, steps, draw in product(sizes, rungs, range(n_draws)):
            rate = 4 / size - steps / 100 + 0.1 * draw
            probed = [
                make_score(
                    value=accuracy_at(size, steps, layer) + lift,
                    half=0.01,
                    layer=layer,
                    n_dimensions=n_dimensions,
                )
                for layer in LAYERS
                for n_dimensions, lift in ((0, 0.2), (64, 0.0))
            ]
            # Scores that are no layer's accuracy on all train samples.
            probed += [
                make_score(value=0.99, role="middle", n_dimensions=64),
                make_score(value=0.99, layer="in", control="random_init"),
            ]
            coded = [make_score(HEADLINE, rate, half=0.01, realised=realised)]
            about = {
                "dataset": "images",
                "family": "nets",
                "ladder_field": "steps",
                "draw": draw,
                "cost": Cost(cpu_seconds=10.0 * size),
            }
            readouts = {"rates": coded, "layer_probe": probed, "fit": []}
            records += [
                make_record(f"net(size={size}, steps={steps})", task, scores, **about)
                for task, scores in readouts.items()
            ]
        return records

    return make


def at(points, depth):
    return points[points["depth"] == depth].set_index("compressor")


def test_each_checkpoint_has_its_bits_and_the_accuracy_of_the_layer_at_each_depth(
    checkpoints,
):
    points = ladder_points(checkpoints())
    assert len(points) == 2 * len(RUNGS) * 5
    layers = ["in", "one", "one", "two", "out"]
    for depth, layer in zip((0.0, 0.25, 0.5, 0.75, 1.0), layers, strict=True):
        row = at(points, depth).loc["net(size=2, steps=100)"]
        assert row["layer"] == layer
        assert row["bits"] == pytest.approx(1.0)
        assert row["accuracy"] == pytest.approx(accuracy_at(2, 100, layer))


def test_values_are_means_over_draws_and_draws_widen_their_interval(checkpoints):
    (single, three) = (
        at(ladder_points(checkpoints(n_draws=n)), MIDDLE).loc["net(size=1, steps=50)"]
        for n in (1, 3)
    )
    assert three["bits"] == pytest.approx(np.mean([3.5, 3.6, 3.7]))
    assert three["n_draws"] == 3
    width = three["bits_high"] - three["bits_low"]
    assert width > single["bits_high"] - single["bits_low"]
    # Student's t of three draws, alone narrower than with the test samples.
    half = scipy_stats.t.isf(0.025, 2) * scipy_stats.sem([3.5, 3.6, 3.7])
    assert width / 2 == pytest.approx(half, rel=0.02)


def test_scores_without_duplicates_stand_where_a_data_set_has_them(checkpoints):
    records = [
        replace(
            record,
            scores=record.scores
            + tuple(
                replace(score, deduplicated=True, value=score.value + 1)
                for score in record.scores
            ),
        )
        for record in checkpoints()
    ]
    row = at(ladder_points(records), MIDDLE).loc["net(size=2, steps=100)"]
    assert row["bits"] == pytest.approx(2.0)
    assert row["accuracy"] == pytest.approx(1 + accuracy_at(2, 100, "one"))


def test_a_network_of_one_checkpoint_is_no_ladder(checkpoints):
    assert ladder_points(checkpoints(rungs=(100,))).empty
    assert ladder_points([]).empty


def test_a_likelihood_is_no_rate(checkpoints):
    assert ladder_points(checkpoints(realised="likelihood")).empty


def test_a_checkpoint_has_the_share_of_its_ladders_seconds_that_its_steps_have(
    checkpoints,
):
    seconds = compute_seconds(checkpoints())
    shares = [seconds[f"net(size=2, steps={steps})", "images"] for steps in RUNGS]
    assert shares == [0.0, 5.0, 10.0, 20.0]


def test_a_fit_outside_of_a_ladder_has_its_own_seconds(checkpoints):
    (fit,) = [r for r in checkpoints(sizes=(3,), rungs=(1,)) if r.is_fit]
    codec = replace(fit.job.subject, ladder_field="", spec="codec")
    alone = replace(fit, job=replace(fit.job, subject=codec))
    assert compute_seconds([alone]) == {("codec", "images"): 30.0}


def test_correlations_are_scipys_and_the_partial_one_is_that_of_residual_ranks(
    checkpoints,
):
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
    residuals = [v - np.polyval(np.polyfit(z, v, 1), z) for v in (x, y)]
    assert row.given_compute == pytest.approx(np.corrcoef(*residuals)[0, 1])
    assert (row.n, row.n_final) == (8, 2)
    assert np.isnan(row.final)


def test_final_checkpoints_are_the_last_of_each_ladder(checkpoints):
    sizes = (1, 2, 4, 8)
    points = ladder_points(checkpoints(sizes=sizes))
    (row,) = [r for r in correlations(points) if r.depth == MIDDLE]
    bits = [-(4 / size - 2) for size in sizes]
    accuracy = [accuracy_at(size, 200, "one") for size in sizes]
    assert row.n_final == 4
    assert row.final == pytest.approx(scipy_stats.spearmanr(bits, accuracy).statistic)


def test_along_one_ladder_whose_bits_fall_at_every_step_nothing_is_left_given_compute(
    checkpoints,
):
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
    for record in records:
        if record.job.subject.name == name and record.is_done:
            for score in record.scores:
                if score.name == "heldout_bpb":
                    bits[record.spec] = score.value
                if score.name == "balanced_accuracy_middle_pca64":
                    accuracy[record.spec] = score.value
    return [(-bits[spec], accuracy[spec]) for spec in bits if spec in accuracy]


@pytest.mark.parametrize(
    ("suite", "n_ladders"), [("ladders", 3), ("interventions", None)]
)
def test_the_published_checkpoints_have_the_fixed_middle_layers_score(suite, n_ladders):
    records = [
        record
        for record in published(suite)
        if (record.job.dataset, record.job.draw) == ("digits", 0)
    ]
    points = ladder_points(records)
    here = at(points[points["name"] == "pixel_transformer"], MIDDLE)
    expected = dict.fromkeys(middle_of(records, "pixel_transformer"))
    pairs = zip(-here["bits"], here["accuracy"], strict=True)
    assert len(here) >= 5
    assert all(pair in expected for pair in pairs)
    if n_ladders:
        assert here["ladder"].nunique() == n_ladders
        (row,) = [
            r
            for r in correlations(points)
            if r.depth == MIDDLE and r.networks in ("pixel_transformer", ALL)
        ][:1]
        by_scipy = scipy_stats.spearmanr(*zip(*expected, strict=True)).statistic
        assert row.checkpoints == pytest.approx(by_scipy)
