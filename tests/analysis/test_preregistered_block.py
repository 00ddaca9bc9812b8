"""From records to blocks and their replicates."""

import math

import numpy as np
import pytest

from harness.analysis.preregistered.block import claim_block
from harness.analysis.preregistered.replicates import N_REPLICATES, inner_level


@pytest.fixture
def one_set(claimed):
    """Return a preregistration of one data set."""
    return claimed.registration(datasets=["set0"])


@pytest.fixture
def on_set(make_record):
    """Return what makes records of family f on that data set."""

    def record(spec, task, scores, **about):
        return make_record(
            spec, task, scores, **{"family": "f", "dataset": "set0", **about}
        )

    return record


@pytest.fixture
def adapted(on_set, make_score):
    """Return the readout of compressor a."""
    return on_set("a", "class_adapt", [make_score(value=0.5)])


def rate_of(make_score, value, **about):
    return make_score("heldout_bpb", value, **{"realised": "decoded", **about})


def test_likelihoods_and_differences_are_no_rates(
    claimed, one_set, on_set, adapted, make_score
):
    for about in ({"realised": "likelihood"}, {"route": "difference"}):
        coded = on_set("a", "rates", [rate_of(make_score, 2.0, **about)])
        assert claim_block([coded, adapted], one_set, claimed.g) is None
    coded = on_set("a", "rates", claimed.rates(2.0))
    assert claim_block([coded, adapted], one_set, claimed.g) is not None


def test_scores_without_duplicates_stand_where_a_data_set_has_them(
    claimed, one_set, on_set, adapted, make_score
):
    deduplicated = rate_of(make_score, 3.0, deduplicated=True)
    coded = on_set("a", "rates", [*claimed.rates(2.0), deduplicated])
    block = claim_block([coded, adapted], one_set, claimed.g).block
    assert block.rate.tolist() == [[-3.0]]


def test_other_rates_fall_back_on_all_samples_where_one_has_no_code_without_duplicates(
    claimed, one_set, on_set, make_score
):
    records = []
    for name, how in (("a", "decoded"), ("b", "likelihood")):
        coded = [
            *claimed.rates(2.0),
            rate_of(make_score, 3.0, deduplicated=True),
            make_score("isolated_bpb", 4.0, realised=how, deduplicated=True),
        ]
        records.append(on_set(name, "rates", coded))
        records.append(on_set(name, "class_adapt", [make_score(value=0.5)]))
    held_out = claim_block(records, one_set, claimed.g)
    assert held_out.block.rate.tolist() == [[-3.0], [-3.0]]
    isolated = claim_block(records, one_set, claimed.g, rate="isolated_bpb")
    assert isolated.block.rate.tolist() == [[-2.0], [-2.0]]


def test_a_draw_without_duplicates_counts_as_it_is_beside_one_that_has_some(
    claimed, on_set, make_score
):
    metrics = (
        [make_score(value=0.5)],
        [make_score(value=0.9), make_score(value=0.7, deduplicated=True)],
    )
    records = [
        on_set("a", task, scores, draw=draw, seed=draw)
        for draw, metric in enumerate(metrics)
        for task, scores in (("rates", claimed.rates(2.0)), ("class_adapt", metric))
    ]
    two = claimed.registration(datasets=["set0"], draws=2)
    block = claim_block(records, two, claimed.g).block
    assert block.metric.tolist() == [[pytest.approx((0.5 + 0.7) / 2)]]


def test_a_later_version_of_a_task_stands_before_an_earlier(
    claimed, one_set, on_set, adapted
):
    coded = [on_set("a", "rates", claimed.rates(v), version=v) for v in (2, 1)]
    claimed_block = claim_block([*coded, adapted], one_set, claimed.g)
    assert claimed_block.block.rate.tolist() == [[-2.0]]
    assert claimed_block.ambiguous == 0


def test_two_values_of_one_version_are_ambiguous_and_the_last_key_stands(
    claimed, one_set, on_set, adapted
):
    coded = [
        on_set("a", "rates", claimed.rates(v), key=key)
        for v, key in ((2, "x"), (3, "y"))
    ]
    claimed_block = claim_block([*coded, adapted], one_set, claimed.g)
    assert claimed_block.block.rate.tolist() == [[-3.0]]
    assert claimed_block.ambiguous == 1


def test_a_cell_needs_every_registered_draw_and_averages_them(
    claimed, on_set, make_score
):
    two = claimed.registration(datasets=["set0"], draws=2)
    metric = [
        on_set("a", "class_adapt", [make_score(value=v)], draw=d)
        for d, v in enumerate((0.4, 0.6))
    ]
    coded = [on_set("a", "rates", claimed.rates(2 + d), draw=d) for d in range(2)]
    assert claim_block([coded[0], *metric], two, claimed.g) is None
    block = claim_block([*coded, *metric], two, claimed.g).block
    assert block.rate.tolist() == [[-2.5]]
    assert block.metric.tolist() == [[pytest.approx(0.5)]]


def test_a_model_with_few_features_has_its_plain_score_in_the_common_dimension(
    claimed, one_set, on_set, make_score
):
    small = [make_score(value=0.3, role="middle"), make_score(value=0.9)]
    large = [make_score(value=0.4, role="middle"), claimed.middle(0.6)]
    records = [
        on_set(name, task, scores)
        for name, probed in (("a", small), ("b", large))
        for task, scores in (("rates", claimed.rates(2.0)), ("layer_probe", probed))
    ]
    block = claim_block(records, one_set, claimed.r).block
    assert block.metric.tolist() == [[0.3], [0.6]]


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
            "credit_middle": credit,
            "labels": labels,
            "n_bytes": sizes,
            "isolated_bits": lengths,
        }

    return read


@pytest.mark.parametrize("claim", ["g", "r"])
def test_replicates_move_cells_as_resampling_their_samples_does(claimed, claim):
    records, claim = claimed.records_of(claimed.block_of(0.5)), getattr(claimed, claim)
    block = claim_block(records, claimed.registration(), claim)
    inner = inner_level(block, arrays_with(), np.random.default_rng(0))
    assert inner.of_samples
    moved = inner.replicates.metric - block.block.metric
    # The normal approximation of balanced accuracy .7 from 80 samples.
    assert moved.std() == pytest.approx(math.sqrt(0.7 * 0.3 / 80), rel=0.15)
    assert abs(moved.mean()) < 0.01
    assert inner.replicates.rate.mean() == pytest.approx(
        block.block.rate.mean(), rel=0.01
    )


def test_all_compressors_share_the_resampled_samples(claimed):
    records = claimed.records_of(claimed.block_of(0.5))
    block = claim_block(records, claimed.registration(), claimed.g)
    same = arrays_with()("one key")
    inner = inner_level(block, lambda _: same, np.random.default_rng(0))
    moved = inner.replicates.metric - block.block.metric
    assert np.ptp(moved, axis=1).max() < 1e-12
    assert np.ptp(moved[:, 0, 0]) > 0


def test_without_arrays_draws_alone_are_resampled(claimed, on_set, make_score):
    records = []
    for draw in range(3):
        coded = on_set("a", "rates", claimed.rates(2.0 + draw), draw=draw)
        metric = on_set("a", "class_adapt", [make_score(value=0.5)], draw=draw)
        records += [coded, metric]
    three = claimed.registration(datasets=["set0"], draws=3)
    block = claim_block(records, three, claimed.g)
    inner = inner_level(block, claimed.no_arrays, np.random.default_rng(0))
    assert not inner.of_samples
    resampled = inner.replicates.rate[:, 0, 0]
    assert resampled.shape == (N_REPLICATES,)
    means = {-2.0 - i / 3 for i in range(7)}
    assert {round(v, 9) for v in resampled} <= {round(v, 9) for v in means}
    assert len(set(resampled.round(9))) > 3
