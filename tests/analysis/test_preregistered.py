"""The preregistered test end to end, on records made from blocks with a known effect."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.analysis.preregistered.test import hypothesis_report
from harness.errors import SuiteError
from harness.planning.manifest import Manifest
from harness.planning.preregistration import Claim
from harness.planning.registered_design import Standing
from harness.records.record import Cost
from harness.report.preregistered import hypothesis_document
from harness.statistics.block import Block

# Six families with three or more members, which claim R needs.
SIZES = (4, 4, 4, 3, 4, 3)
STRONG, SOME = 0.99, 0.5


def words(report):
    """Words of both claims, C then R, to new data sets and to new compressors."""
    return [[each.word for each in claim.generalities] for claim in report.claims]


def to_datasets(report):
    return [claim.generalities[0] for claim in report.claims]


def test_a_strong_effect_is_supported_for_both_claims_and_populations(claimed):
    records = claimed.records_of(claimed.block_of(STRONG, sizes=(4,) * 10))
    assert words(claimed.report_on(records)) == [["supported"] * 2] * 2


def test_the_reverse_effect_is_opposite(claimed):
    records = claimed.records_of(claimed.block_of(-STRONG, sizes=(4,) * 10))
    assert words(claimed.report_on(records)) == [["opposite"] * 2] * 2


def test_five_families_decide_for_these_compressors_and_not_for_new_ones(claimed):
    report = claimed.report_on(
        claimed.records_of(claimed.block_of(STRONG, sizes=SIZES[:5]))
    )
    assert words(report) == [["supported", "undecided by design"]] * 2
    assert "families: 5, needed: 6" in report.claims[0].generalities[1].sentence


def test_four_data_sets_decide_nothing(claimed):
    records = claimed.records_of(claimed.block_of(STRONG, n_datasets=4))
    report = claimed.report_on(records, datasets=claimed.datasets[:4])
    assert words(report) == [["undecided by design"] * 2] * 2
    assert "data sets: 4, needed: 5" in report.claims[0].generalities[0].sentence


def test_superfamilies_are_the_units_of_new_compressors(claimed):
    """Ten families decide; as three descents they are three units."""
    records = claimed.records_of(claimed.block_of(STRONG, sizes=(4,) * 10))
    named = {
        "first": [f"family {f}" for f in range(4)],
        "second": [f"family {f}" for f in range(4, 8)],
    }
    report = claimed.report_on(records, superfamilies=named)
    assert words(report)[0] == ["supported", "undecided by design"]
    claim = report.claims[0]
    assert (claim.counts.families, claim.counts.units) == (10, 4)
    assert "superfamilies: 4, needed: 6" in claim.generalities[1].sentence
    # Networks of claim R are families of their own.
    assert words(report)[1] == ["supported", "supported"]
    assert "without all first" in claim.sensitivity.without


def test_a_layout_that_detects_nothing_is_undecided_by_design(claimed):
    """Six families of one have 720 orders: no p is below .0027."""
    records = claimed.records_of(claimed.block_of(STRONG, sizes=(1,) * 6))
    claim = claimed.report_on(records, alpha=0.004).claims[0]
    assert np.isnan(claim.generalities[1].detectable.effect)
    assert claim.generalities[1].word == "undecided by design"
    assert "no correlation up to .95" in claim.generalities[1].sentence


def test_a_sign_that_changes_at_isolated_rates_is_not_supported(claimed):
    block = claimed.block_of(STRONG, sizes=SIZES)
    flipped = claimed.records_of(block, names=("heldout", "prequential"))
    reverse = Block(rate=-block.rate, metric=block.metric, family=block.family)
    flipped += [
        replace(record, key=record.key + "isolated")
        for record in claimed.records_of(reverse, names=("isolated",))
        if record.job.task == "rates"
    ]
    for generality in to_datasets(claimed.report_on(flipped)):
        assert generality.word == "undecided"
        assert "isolated rates: the sign changes" in generality.sentence


def test_rates_that_were_not_measured_change_no_sign(claimed):
    records = claimed.records_of(
        claimed.block_of(STRONG, sizes=SIZES), names=("heldout",)
    )
    report = claimed.report_on(records)
    assert [each.word for each in to_datasets(report)] == ["supported"] * 2
    assert report.claims[0].sensitivity.rates["isolated rates"] is None


def test_a_claim_that_rests_on_one_family_is_not_supported(claimed):
    """Nine of twelve compressors follow the rate, the other three reverse it."""
    draw = np.random.default_rng(0)
    rate = draw.normal(size=(12, 6))
    family = np.repeat([0, 1], [9, 3])
    metric = np.where(family[:, None] == 0, rate + 4, -rate - 4)
    block = Block(rate=rate, metric=metric, family=family)
    c = to_datasets(claimed.report_on(claimed.records_of(block)))[0]
    assert c.estimate.ci_low > 0
    assert c.word == "undecided"
    assert "without family 0: the sign changes (-1.00)" in c.sentence


def by_scipy(block, rows=slice(None)):
    return [
        scipy_stats.spearmanr(block.rate[rows, d], block.metric[rows, d]).statistic
        for d in range(block.rate.shape[1])
    ]


def test_c_is_the_t_test_of_scipys_spearman_on_each_data_set(claimed):
    block = claimed.block_of(0.4)
    claim = claimed.report_on(claimed.records_of(block), near_tie=0.0).claims[0]
    expected = by_scipy(block)
    assert [*claim.statistics.by_dataset.values()] == pytest.approx(expected)
    t = scipy_stats.ttest_1samp(expected, 0.0)
    estimate = claim.generalities[0].estimate
    assert (estimate.value, estimate.p) == pytest.approx((np.mean(expected), t.pvalue))


def test_r_is_the_crossed_mean_of_scipys_spearman_inside_each_family(claimed):
    block = claimed.block_of(0.4, sizes=SIZES)
    claim = claimed.report_on(claimed.records_of(block), near_tie=0.0).claims[1]
    table = np.array([by_scipy(block, block.family == f) for f in range(len(SIZES))])
    estimate = claim.generalities[0].estimate
    assert estimate.value == pytest.approx(np.nanmean(table))
    t = scipy_stats.ttest_1samp(table.mean(axis=0), 0.0)
    assert estimate.p == pytest.approx(t.pvalue)
    cell = claim.statistics.by_cell["family 2", "set3"]
    assert cell == pytest.approx(table[2, 3])
    without = claim.sensitivity.without["without family 0"]
    assert without == pytest.approx(table[1:].mean())


def test_near_ties_in_rate_carry_no_rank(claimed):
    """Rates of 4 to 4.03 bits are within a hundredth of each other: no order."""
    block = claimed.block_of(STRONG, sizes=SIZES)
    level = Block(
        rate=block.rate / 400, metric=block.metric, family=block.family
    )  # records have 4 minus the rate
    claim = claimed.report_on(claimed.records_of(level)).claims[0]
    assert claim.statistics.value == 0.0
    exact = claimed.report_on(claimed.records_of(level), near_tie=0.0).claims[0]
    assert exact.statistics.value > 0.9


def test_a_compressor_without_all_cells_is_left_out_of_c_and_named(claimed):
    records = claimed.records_of(claimed.block_of(SOME))
    incomplete = "c0(m=100)"
    remaining = [
        record
        for record in records
        if (record.spec, record.job.dataset, record.job.task)
        != (incomplete, "set2", "rates")
    ]
    claim = claimed.report_on(remaining).claims[0]
    assert claim.counts.compressors == sum(claimed.sizes) - 1
    assert claim.dropped == {incomplete: "no rate on set2"}


def test_baselines_and_excluded_families_are_no_evidence(
    claimed, make_record, make_score
):
    records = claimed.records_of(claimed.block_of(SOME))
    for dataset in claimed.datasets:
        about = {"family": "baseline", "dataset": dataset}
        scores = [*claimed.rates(1.0), make_score(value=1)]
        records += [
            make_record("majority", task, scores, **about)
            for task in ("rates", "class_scratch")
        ]
    report = claimed.report_on(records, excluded_families=["family 0"])
    assert report.claims[0].counts.families == len(claimed.sizes) - 1
    assert report.claims[0].counts.compressors == sum(claimed.sizes[1:])


def test_a_changed_registration_is_exploratory_and_an_unchanged_one_is_not(
    claimed, make_registration
):
    records = claimed.records_of(claimed.block_of(SOME))
    assert claimed.report_on(records).status == "preregistered"
    changes = ("hypothesis, alpha: 0.05 -> 0.01",)
    standing = Standing(registered=make_registration(), changes=changes)
    report = claimed.report_on(records, standing)
    assert report.status == "exploratory"
    for output_format in ("text", "markdown", "json"):
        text = hypothesis_document(report, output_format)
        assert "changed after registration: hypothesis, alpha: 0.05 -> 0.01" in text
        assert standing.registered.words in text


def test_p_of_two_claims_is_doubled_for_the_smaller_and_secondary_claims_are_apart(
    claimed,
):
    second = Claim(
        name="R", label="R2", task="layer_probe", score=claimed.r.score, secondary=True
    )
    report = claimed.report_on(
        claimed.records_of(claimed.block_of(0.3)), claims=[claimed.c, claimed.r, second]
    )
    for i in range(2):
        c, r, r2 = (claim.generalities[i] for claim in report.claims)
        smaller = min(c.estimate.p, r.estimate.p)
        assert min(c.p_adjusted, r.p_adjusted) == pytest.approx(min(1.0, 2 * smaller))
        assert r2.p_adjusted == r2.estimate.p == r.estimate.p


def with_fits(records, seconds):
    """Records with a fit of each rate's compressor, of so many CPU seconds and bits."""
    fits = [
        replace(
            record,
            key=record.key + "fit",
            job=replace(record.job, task="fit"),
            scores=(),
            artifact_bits=1000.0 * seconds(record),
            cost=Cost(cpu_seconds=seconds(record)),
        )
        for record in records
        if record.job.task == "rates"
    ]
    return [*records, *fits]


def test_given_costs_and_final_checkpoints_use_fits_and_ladders(claimed):
    records = [
        replace(
            record,
            job=replace(
                record.job, subject=replace(record.job.subject, ladder_field="m")
            ),
        )
        for record in claimed.records_of(claimed.block_of(SOME))
    ]
    report = claimed.report_on(
        with_fits(records, lambda record: len(record.key)), near_tie=0.0
    )
    others = report.claims[0].sensitivity.others
    assert others["given log CPU seconds"] is not None
    last = np.cumsum(claimed.sizes) - 1
    expected = np.mean(by_scipy(claimed.block_of(SOME), last))
    assert others["final checkpoints only"] == pytest.approx(expected)


def test_within_one_size_compares_configurations_of_one_size(claimed):
    """Sizes differ in both numbers, configurations of one size in opposite order."""
    family = np.repeat(np.arange(6), 6)
    member = np.tile(np.arange(6.0), 6)
    big = member >= 3
    rate, metric = (
        np.repeat((10 * big + sign * member)[:, None] / 8, 6, axis=1)
        for sign in (1, -1)
    )
    records = [
        replace(
            record,
            job=replace(
                record.job,
                subject=replace(
                    record.job.subject,
                    fields={
                        "size": "50k" if big[int(record.spec[-4:-1]) - 100] else "10k"
                    },
                ),
            ),
        )
        for record in claimed.records_of(Block(rate=rate, metric=metric, family=family))
    ]
    claim = claimed.report_on(records, near_tie=0.0).claims[1]
    assert claim.statistics.value > 0
    assert claim.sensitivity.others["within one size"] == pytest.approx(-1.0)


def test_a_claim_without_records_has_undefined_statistics_and_a_known_layout(claimed):
    claim = claimed.report_on([]).claims[0]
    assert {each.word for each in claim.generalities} == {"undecided by design"}
    assert np.isnan(claim.statistics.value)
    assert claim.counts.datasets == len(claimed.datasets)


def test_a_sentence_says_how_many_networks_are_in_it(claimed):
    records = [
        replace(
            record,
            job=replace(
                record.job, subject=replace(record.job.subject, versions={"torch": "2"})
            ),
        )
        if record.job.subject.family in ("family 0", "family 1")
        else record
        for record in claimed.records_of(claimed.block_of(SOME, sizes=SIZES))
    ]
    with_networks = claimed.report_on(records).claims[0].generalities[0].sentence
    assert "22 compressors of 6 families (8 of them networks)" in with_networks
    plain = claimed.report_on(claimed.records_of(claimed.block_of(SOME, sizes=SIZES)))
    assert "(none of them networks)" in plain.claims[0].generalities[0].sentence


def test_a_suite_without_a_hypothesis_is_one_clear_line():
    manifest = Manifest(name="mine", title="", datasets=["a"])
    with pytest.raises(SuiteError, match=r"^the suite mine preregisters no"):
        hypothesis_report([], manifest, Standing())


def test_the_race_says_what_bits_add_to_size_and_compute(claimed):
    """Accuracy follows the rate; what fits cost and lose is noise."""
    draw = np.random.default_rng(4)
    records = claimed.records_of(claimed.block_of(STRONG, sizes=SIZES))
    fits = [
        replace(record, training_loss_bits=float(draw.random()))
        if record.is_fit
        else record
        for record in with_fits(records, lambda _: 1.0 + draw.random())
    ]
    race = claimed.report_on(fits).race
    assert race is not None
    assert set(race.runners) == {
        *("held-out bits", "parameters", "CPU seconds of the fit", "training loss")
    }
    assert race.n_configurations == 6 * sum(SIZES)
    bits, loss = race.runners["held-out bits"], race.runners["training loss"]
    assert bits.correlation.value > 0.8
    assert bits.added.value > 0.5 > abs(loss.added.value)
    assert f"over {race.n_configurations} configurations" in race.sentence.lower()
    without = claimed.report_on(records, claims=[claimed.c])
    assert without.race is None
