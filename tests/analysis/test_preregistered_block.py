"""From records to blocks."""

import numpy as np
import pytest
from pydantic import ValidationError

from harness.analysis.preregistered.block import claim_block
from harness.planning.preregistration import Claim


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
def classified(on_set, make_score):
    """Return the readout of compressor a."""
    return on_set("a", "class_scratch", [make_score(value=0.5)])


def rate_of(make_score, value, **about):
    return make_score("heldout_bpb", value, **{"realised": "decoded", **about})


def test_likelihoods_and_differences_are_no_rates(
    claimed, one_set, on_set, classified, make_score
):
    for about in ({"realised": "likelihood"}, {"route": "difference"}):
        coded = on_set("a", "rates", [rate_of(make_score, 2.0, **about)])
        assert claim_block([coded, classified], one_set, claimed.c) is None
    coded = on_set("a", "rates", claimed.rates(2.0))
    assert claim_block([coded, classified], one_set, claimed.c) is not None


def test_a_secondary_claim_may_take_the_likelihood_of_models_that_write_no_bytes(
    claimed, one_set, on_set, classified, make_score
):
    measured = make_score("likelihood_bpb", 2.5, realised="likelihood")
    records = [on_set("a", "rates", [measured]), classified]
    assert claim_block(records, one_set, claimed.c) is None
    about = {"rate": "likelihood", "secondary": True}
    claim = Claim(**(claimed.c.model_dump() | about))
    assert claim_block(records, one_set, claim).block.rate.tolist() == [[-2.5]]


def test_a_primary_claim_takes_no_likelihood(claimed):
    with pytest.raises(ValidationError, match="a likelihood is no code"):
        Claim(**(claimed.c.model_dump() | {"rate": "likelihood"}))


def test_a_claim_names_its_rate_only_where_it_is_another(claimed):
    assert "rate" not in claimed.c.model_dump(mode="json")
    about = {"rate": "likelihood", "secondary": True}
    claim = Claim(**(claimed.c.model_dump() | about))
    assert Claim(**claim.model_dump(mode="json")) == claim


def test_scores_without_duplicates_stand_where_a_data_set_has_them(
    claimed, one_set, on_set, classified, make_score
):
    deduplicated = rate_of(make_score, 3.0, deduplicated=True)
    coded = on_set("a", "rates", [*claimed.rates(2.0), deduplicated])
    block = claim_block([coded, classified], one_set, claimed.c).block
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
        records.append(on_set(name, "class_scratch", [make_score(value=0.5)]))
    held_out = claim_block(records, one_set, claimed.c)
    assert held_out.block.rate.tolist() == [[-3.0], [-3.0]]
    isolated = claim_block(records, one_set, claimed.c, rate="isolated_bpb")
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
        for task, scores in (("rates", claimed.rates(2.0)), ("class_scratch", metric))
    ]
    two = claimed.registration(datasets=["set0"], draws=2)
    block = claim_block(records, two, claimed.c).block
    assert block.metric.tolist() == [[pytest.approx((0.5 + 0.7) / 2)]]


def test_a_later_version_of_a_task_stands_before_an_earlier(
    claimed, one_set, on_set, classified
):
    coded = [on_set("a", "rates", claimed.rates(v), version=v) for v in (2, 1)]
    claimed_block = claim_block([*coded, classified], one_set, claimed.c)
    assert claimed_block.block.rate.tolist() == [[-2.0]]
    assert claimed_block.ambiguous == 0


def test_two_values_of_one_version_are_ambiguous_and_the_last_key_stands(
    claimed, one_set, on_set, classified
):
    coded = [
        on_set("a", "rates", claimed.rates(v), key=key)
        for v, key in ((2, "x"), (3, "y"))
    ]
    claimed_block = claim_block([*coded, classified], one_set, claimed.c)
    assert claimed_block.block.rate.tolist() == [[-3.0]]
    assert claimed_block.ambiguous == 1


def test_a_cell_needs_every_registered_draw_and_averages_them(
    claimed, on_set, make_score
):
    two = claimed.registration(datasets=["set0"], draws=2)
    metric = [
        on_set("a", "class_scratch", [make_score(value=v)], draw=d)
        for d, v in enumerate((0.4, 0.6))
    ]
    coded = [on_set("a", "rates", claimed.rates(2 + d), draw=d) for d in range(2)]
    assert claim_block([coded[0], *metric], two, claimed.c) is None
    block = claim_block([*coded, *metric], two, claimed.c).block
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


def probed(on_set, claimed, spec, dataset, value, **about):
    """Both numbers of a network on a data set."""
    about |= {"dataset": dataset}
    return [
        on_set(spec, "rates", claimed.rates(value), **about),
        on_set(spec, "layer_probe", [claimed.middle(value / 10)], **about),
    ]


def test_inside_families_cells_may_be_missing_and_half_a_cell_is_named(claimed, on_set):
    two = claimed.registration(datasets=["set0", "set1"])
    records = [
        record
        for value, (spec, sets) in enumerate(
            {"a": ["set0", "set1"], "b": ["set0"], "c": ["set0", "set1"]}.items(), 1
        )
        for dataset in sets
        for record in probed(on_set, claimed, spec, dataset, value)
    ]
    # Of c on set1 the rate alone is there; a codec has no layers at all.
    records.pop()
    records.append(on_set("codec", "rates", claimed.rates(1.0), family="codec"))
    result = claim_block(records, two, claimed.r)
    assert result.compressors == ("a", "b", "c")
    expected = [[0.1, 0.1], [0.2, np.nan], [0.3, np.nan]]
    np.testing.assert_allclose(result.block.metric, expected)
    np.testing.assert_allclose(result.block.rate[:, 1], [-1.0, np.nan, np.nan])
    assert result.dropped == {"c": "no metric on set1"}


def test_networks_are_counted_by_the_library_that_they_need(claimed, one_set, on_set):
    records = [
        record
        for spec, versions in {"net": {"torch": "2"}, "codec": {"zlib": "1"}}.items()
        for record in probed(on_set, claimed, spec, "set0", 1.0, versions=versions)
    ]
    assert claim_block(records, one_set, claimed.r).n_networks == 1
