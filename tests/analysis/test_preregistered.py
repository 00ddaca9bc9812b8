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


def words(report):
    return [claim.verdict for claim in report.claims]


def test_a_strong_effect_is_supported_for_both_claims(claimed):
    assert words(claimed.report_on(claimed.records_of(claimed.block_of(0.99)))) == [
        "supported",
        "supported",
    ]


def test_the_reverse_effect_is_opposite(claimed):
    assert words(claimed.report_on(claimed.records_of(claimed.block_of(-0.99)))) == [
        "opposite",
        "opposite",
    ]


def test_five_families_or_four_data_sets_are_undecided_by_design(claimed):
    few = claimed.block_of(0.99, sizes=claimed.sizes[:5])
    assert (
        words(claimed.report_on(claimed.records_of(few))) == ["undecided by design"] * 2
    )
    short = claimed.records_of(claimed.block_of(0.99, n_datasets=4))
    report = claimed.report_on(short, datasets=claimed.datasets[:4])
    assert words(report) == ["undecided by design"] * 2
    assert "data sets: 4, needed: 5" in report.claims[0].sentence


def test_r_counts_only_families_with_two_members(claimed):
    report = claimed.report_on(
        claimed.records_of(claimed.block_of(0.99, sizes=(3, 3, 3, 3, 3, 1, 1, 1)))
    )
    assert words(report) == ["supported", "undecided by design"]
    assert report.claims[1].counts.families_deciding == 5


def test_without_prequential_rates_nothing_is_supported(claimed):
    report = claimed.report_on(
        claimed.records_of(claimed.block_of(0.99), names=("heldout", "isolated"))
    )
    assert words(report) == ["undecided", "undecided"]
    assert "prequential rates: not measured" in report.claims[0].sentence


def test_a_sign_that_changes_at_isolated_rates_is_not_supported(claimed):
    block = claimed.block_of(0.99)
    flipped = claimed.records_of(block, names=("heldout", "prequential"))
    reverse = Block(rate=-block.rate, metric=block.metric, family=block.family)
    flipped += [
        replace(record, key=record.key + "isolated")
        for record in claimed.records_of(reverse, names=("isolated",))
        if record.job.task == "rates"
    ]
    report = claimed.report_on(flipped)
    assert words(report) == ["undecided", "undecided"]
    assert "isolated rates: the sign changes" in report.claims[0].sentence


def test_the_statistic_is_the_mean_of_scipys_spearman_on_each_data_set(claimed):
    block = claimed.block_of(0.4)
    claim = claimed.report_on(claimed.records_of(block)).claims[0]
    by_scipy = [
        scipy_stats.spearmanr(block.rate[:, d], block.metric[:, d]).statistic
        for d in range(6)
    ]
    assert claim.statistics.overall.value == pytest.approx(np.mean(by_scipy))
    assert [*claim.statistics.by_dataset.values()] == pytest.approx(by_scipy)


def test_a_compressor_without_all_cells_is_left_out_and_named(claimed):
    records = claimed.records_of(claimed.block_of(0.5))
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
    records = claimed.records_of(claimed.block_of(0.5))
    for dataset in claimed.datasets:
        about = {"family": "baseline", "dataset": dataset}
        scores = [*claimed.rates(1.0), make_score(value=1)]
        records += [
            make_record("majority", task, scores, **about)
            for task in ("rates", "class_adapt")
        ]
    report = claimed.report_on(records, excluded_families=["family 0"])
    assert report.claims[0].counts.families == len(claimed.sizes) - 1
    assert report.claims[0].counts.compressors == sum(claimed.sizes[1:])


def test_a_changed_registration_is_exploratory_and_an_unchanged_one_is_not(
    claimed, make_registration
):
    records = claimed.records_of(claimed.block_of(0.5))
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
        claimed.records_of(claimed.block_of(0.3)), claims=[claimed.g, claimed.r, second]
    )
    g, r, r2 = report.claims
    smaller = min(g.statistics.p_between, r.statistics.p_within)
    assert min(g.p_adjusted, r.p_adjusted) == pytest.approx(min(1.0, 2 * smaller))
    assert r2.p_adjusted == r2.p_deciding == r.statistics.p_within


def test_partials_and_final_checkpoints_use_fits_and_ladders(claimed):
    records = [
        replace(
            record,
            job=replace(
                record.job, subject=replace(record.job.subject, ladder_field="m")
            ),
        )
        for record in claimed.records_of(claimed.block_of(0.5))
    ]
    fits = [
        replace(
            record,
            key=record.key + "fit",
            job=replace(record.job, task="fit"),
            scores=(),
            artifact_bits=1000.0,
            cost=Cost(cpu_seconds=1.0 + i),
        )
        for i, record in enumerate(records)
        if record.job.task == "rates"
    ]
    partials = claimed.report_on([*records, *fits]).claims[0].sensitivity.partials
    assert partials["given log compute"] is not None
    last = [3 - 1, 6 - 1, 9 - 1, 11 - 1, 15 - 1, 18 - 1, 20 - 1, 24 - 1]
    block = claimed.block_of(0.5)
    by_scipy = [
        scipy_stats.spearmanr(block.rate[last, d], block.metric[last, d]).statistic
        for d in range(6)
    ]
    assert partials["final checkpoints only"] == pytest.approx(np.mean(by_scipy))


def test_a_claim_without_records_has_undefined_statistics_and_a_known_layout(claimed):
    claim = claimed.report_on([]).claims[0]
    assert claim.verdict == "undecided by design"
    assert np.isnan([claim.statistics.overall.value, claim.p_deciding]).all()
    assert claim.counts.datasets == len(claimed.datasets)


def test_a_suite_without_a_hypothesis_is_one_clear_line():
    manifest = Manifest(name="mine", title="", datasets=["a"])
    with pytest.raises(SuiteError, match=r"^the suite mine preregisters no"):
        hypothesis_report([], manifest, lambda _: {}, Standing())
