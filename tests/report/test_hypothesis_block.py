"""From records to blocks and their replicates."""

import math

import numpy as np
import pytest

from harness.analysis.preregistered.block import N_REPLICATES, claim_block, inner_level
from harness.analysis.preregistered.test import stored_arrays


def test_likelihoods_and_differences_are_no_rates(made):
    spec = ("a", "f", "set0", "rates")
    held = {"realised": "likelihood"}
    likelihood = made.record(*spec, [made.score("heldout_bpb", 2.0, **held)])
    difference = made.record(
        *spec, [made.score("heldout_bpb", 2.0, realised="decoded", route="difference")]
    )
    metric = made.record(
        "a", "f", "set0", "class_adapt", [made.score("balanced_accuracy", 0.5)]
    )
    one = made.registration(datasets=["set0"])
    for rate in (likelihood, difference):
        assert claim_block([rate, metric], one, made.g) is None
    coded = made.record(*spec, made.rates(2.0))
    assert claim_block([coded, metric], one, made.g) is not None


def test_scores_without_duplicates_stand_where_a_data_set_has_them(made):
    scores = [
        *made.rates(2.0),
        made.score("heldout_bpb_dedup", 3.0, realised="decoded"),
    ]
    coded = made.record("a", "f", "set0", "rates", scores)
    metric = made.record(
        "a", "f", "set0", "class_adapt", [made.score("balanced_accuracy", 0.5)]
    )
    found = claim_block([coded, metric], made.registration(datasets=["set0"]), made.g)
    assert found.block.rate.tolist() == [[-3.0]]


def test_other_rates_fall_back_on_all_samples_where_one_has_no_code_without_duplicates(
    made,
):
    records = []
    for name, how in (("a", "decoded"), ("b", "likelihood")):
        coded = [
            *made.rates(2.0),
            made.score("heldout_bpb_dedup", 3.0, realised="decoded"),
            made.score("isolated_bpb_dedup", 4.0, realised=how),
        ]
        records.append(made.record(name, "f", "set0", "rates", coded))
        adapted = [made.score("balanced_accuracy", 0.5)]
        records.append(made.record(name, "f", "set0", "class_adapt", adapted))
    one = made.registration(datasets=["set0"])
    assert claim_block(records, one, made.g).block.rate.tolist() == [[-3.0], [-3.0]]
    isolated = claim_block(records, one, made.g, rate="isolated_bpb")
    assert isolated.block.rate.tolist() == [[-2.0], [-2.0]]


def test_a_draw_without_duplicates_counts_as_it_is_beside_one_that_has_some(made):
    metrics = (
        [made.score("balanced_accuracy", 0.5)],
        [
            made.score("balanced_accuracy", 0.9),
            made.score("balanced_accuracy_dedup", 0.7),
        ],
    )
    records = [
        made.record("a", "f", "set0", task, scores, draw=draw)
        for draw, metric in enumerate(metrics)
        for task, scores in (("rates", made.rates(2.0)), ("class_adapt", metric))
    ]
    two = made.registration(datasets=["set0"], draws=2)
    found = claim_block(records, two, made.g)
    assert found.block.metric.tolist() == [[pytest.approx((0.5 + 0.7) / 2)]]


def test_a_later_version_of_a_task_stands_before_an_earlier(made):
    coded = [
        made.record("a", "f", "set0", "rates", made.rates(v), version=v) for v in (2, 1)
    ]
    metric = made.record(
        "a", "f", "set0", "class_adapt", [made.score("balanced_accuracy", 0.5)]
    )
    found = claim_block([*coded, metric], made.registration(datasets=["set0"]), made.g)
    assert found.block.rate.tolist() == [[-2.0]]
    assert found.ambiguous == 0


def test_a_cell_needs_every_registered_draw_and_averages_them(made):
    one = made.registration(datasets=["set0"], draws=2)
    metric = [
        made.record(
            "a",
            "f",
            "set0",
            "class_adapt",
            [made.score("balanced_accuracy", v)],
            draw=d,
        )
        for d, v in enumerate((0.4, 0.6))
    ]
    coded = [
        made.record("a", "f", "set0", "rates", made.rates(v), draw=v - 2)
        for v in (2, 3)
    ]
    assert claim_block([coded[0], *metric], one, made.g) is None
    found = claim_block([*coded, *metric], one, made.g)
    assert found.block.rate.tolist() == [[-2.5]]
    assert found.block.metric.tolist() == [[pytest.approx(0.5)]]


def arrays_with(n=80):
    """Lengths and answers that depend on the compressor, on the same samples."""
    labels = np.arange(n) % 4

    def read(key):
        rng = np.random.default_rng(sum(map(ord, key)))
        credit = np.eye(4)[np.where(rng.random(n) < 0.7, labels, (labels + 1) % 4)]
        sizes = np.full(n, 100)
        lengths = rng.uniform(100, 300, n)
        return {
            "credit": credit,
            "labels": labels,
            "n_bytes": sizes,
            "isolated_bits": lengths,
        }

    return read


def test_replicates_move_cells_as_resampling_their_samples_does(made):
    found = claim_block(
        made.records_of(made.block_of(0.5)), made.registration(), made.g
    )
    inner = inner_level(found, arrays_with(), made.g, np.random.default_rng(0))
    assert inner.of_samples
    moved = inner.replicates.metric - found.block.metric
    # The normal approximation of balanced accuracy .7 from 80 samples.
    assert moved.std() == pytest.approx(math.sqrt(0.7 * 0.3 / 80), rel=0.15)
    assert abs(moved.mean()) < 0.01
    assert inner.replicates.rate.mean() == pytest.approx(
        found.block.rate.mean(), rel=0.01
    )


def test_all_compressors_share_the_resampled_samples(made):
    found = claim_block(
        made.records_of(made.block_of(0.5)), made.registration(), made.g
    )
    same = arrays_with()("one key")
    inner = inner_level(found, lambda _: same, made.g, np.random.default_rng(0))
    moved = inner.replicates.metric - found.block.metric
    assert np.ptp(moved, axis=1).max() < 1e-12
    assert np.ptp(moved[:, 0, 0]) > 0


def test_without_arrays_draws_alone_are_resampled(made):
    records = []
    for draw in range(3):
        coded = made.record(
            "a", "f", "set0", "rates", made.rates(2.0 + draw), draw=draw
        )
        adapted = [made.score("balanced_accuracy", 0.5)]
        metric = made.record("a", "f", "set0", "class_adapt", adapted, draw=draw)
        records += [coded, metric]
    found = claim_block(records, made.registration(datasets=["set0"], draws=3), made.g)
    inner = inner_level(found, made.no_arrays, made.g, np.random.default_rng(0))
    assert not inner.of_samples
    drawn = inner.replicates.rate[:, 0, 0]
    assert drawn.shape == (N_REPLICATES,)
    means = {-2.0 - i / 3 for i in range(7)}
    assert {round(v, 9) for v in drawn} <= {round(v, 9) for v in means}
    assert len(set(drawn.round(9))) > 3


def test_arrays_come_from_beside_the_records(tmp_path):
    (tmp_path / "arrays").mkdir()
    np.savez(tmp_path / "arrays" / "k.npz", credit=np.eye(2), features=np.ones(3))
    read = stored_arrays(tmp_path)
    assert set(read("k")) == {"credit"}
    assert read("other") == {}
