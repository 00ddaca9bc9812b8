"""The registered test end to end, on records made from blocks with a known effect."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.analysis.preregistered.test import detectable_effects
from harness.planning.preregistration import Claim, Registered
from harness.report.preregistered import hypothesis_document
from harness.statistics.block import Block


def words(report):
    return [claim.verdict for claim in report.claims]


def test_a_strong_effect_is_supported_for_both_claims(made):
    assert words(made.report_on(made.records_of(made.block_of(0.99)))) == [
        "supported",
        "supported",
    ]


def test_the_reverse_effect_is_opposite(made):
    assert words(made.report_on(made.records_of(made.block_of(-0.99)))) == [
        "opposite",
        "opposite",
    ]


def test_five_families_or_four_data_sets_are_undecided_by_design(made):
    few = made.block_of(0.99, sizes=made.sizes[:5])
    assert words(made.report_on(made.records_of(few))) == ["undecided by design"] * 2
    short = made.records_of(made.block_of(0.99, n_datasets=4))
    found = made.report_on(short, datasets=made.datasets[:4])
    assert words(found) == ["undecided by design"] * 2
    assert "data sets: 4, needed: 5" in found.claims[0].sentence


def test_r_counts_only_families_with_two_members(made):
    report = made.report_on(
        made.records_of(made.block_of(0.99, sizes=(3, 3, 3, 3, 3, 1, 1, 1)))
    )
    assert words(report) == ["supported", "undecided by design"]
    assert report.claims[1].n_families_deciding == 5


def test_without_prequential_rates_nothing_is_supported(made):
    report = made.report_on(
        made.records_of(made.block_of(0.99), names=("heldout", "isolated"))
    )
    assert words(report) == ["undecided", "undecided"]
    assert "prequential rates: not measured" in report.claims[0].sentence


def test_a_sign_that_changes_at_isolated_rates_is_not_supported(made):
    block = made.block_of(0.99)
    flipped = made.records_of(block, names=("heldout", "prequential"))
    reverse = Block(rate=-block.rate, metric=block.metric, family=block.family)
    flipped += [
        {**r, "key": r["key"] + "/isolated"}
        for r in made.records_of(reverse, names=("isolated",))
        if r["job"]["task"] == "rates"
    ]
    report = made.report_on(flipped)
    assert words(report) == ["undecided", "undecided"]
    assert "isolated rates: the sign changes" in report.claims[0].sentence


def test_the_statistic_is_the_mean_of_scipys_spearman_on_each_data_set(made):
    block = made.block_of(0.4)
    claim = made.report_on(made.records_of(block)).claims[0]
    by_scipy = [
        scipy_stats.spearmanr(block.rate[:, d], block.metric[:, d]).statistic
        for d in range(6)
    ]
    assert claim.statistic == pytest.approx(np.mean(by_scipy))
    assert [*claim.by_dataset.values()] == pytest.approx(by_scipy)


def test_a_compressor_without_all_cells_is_left_out_and_named(made):
    records = made.records_of(made.block_of(0.5))
    gone = "c0(m=00)"
    kept = [
        r
        for r in records
        if not (
            r["job"]["subject"]["spec"] == gone
            and r["job"]["dataset"] == "set2"
            and r["job"]["task"] == "rates"
        )
    ]
    claim = made.report_on(kept).claims[0]
    assert claim.n_compressors == sum(made.sizes) - 1
    assert claim.dropped == {gone: "no rate on set2"}


def test_baselines_and_excluded_families_are_no_evidence(made):
    records = made.records_of(made.block_of(0.5))
    coded = [
        made.record("majority", "baseline", d, "rates", made.rates(1.0))
        for d in made.datasets
    ]
    adapted = [
        made.record(
            "majority",
            "baseline",
            d,
            "class_adapt",
            [made.score("balanced_accuracy", 1)],
        )
        for d in made.datasets
    ]
    report = made.report_on(
        [*records, *coded, *adapted], excluded_families=["family 0"]
    )
    assert report.claims[0].n_families == len(made.sizes) - 1
    assert report.claims[0].n_compressors == sum(made.sizes[1:])


def test_a_changed_registration_is_exploratory_and_an_unchanged_one_is_not(made):
    records = made.records_of(made.block_of(0.5))
    assert made.report_on(records).status == "registered"
    changed = Registered(hash=made.registration(alpha=0.01).hash, n_records_before=0)
    report = made.report_on(records, changed)
    assert report.status == "exploratory"
    assert "changed after records existed" in hypothesis_document(report, "text")


def test_p_of_two_claims_is_doubled_for_the_smaller_and_secondary_claims_are_apart(
    made,
):
    second = Claim(
        name="R", label="R2", task="layer_probe", score=made.r.score, secondary=True
    )
    report = made.report_on(
        made.records_of(made.block_of(0.3)), claims=[made.g, made.r, second]
    )
    g, r, r2 = report.claims
    smaller = min(g.p_between, r.p_within)
    assert min(g.p_adjusted, r.p_adjusted) == pytest.approx(min(1.0, 2 * smaller))
    assert r2.p_adjusted == r2.p_within == r.p_within


def test_partials_and_final_checkpoints_use_fits_and_ladders(made):
    records = made.records_of(made.block_of(0.5))
    for i, one in enumerate(records):
        subject = one["job"]["subject"]
        subject["ladder_field"] = "m"
        subject["fields"] = {"m": int(subject["spec"].split("=")[1][:-1])}
        one["cost"]["cpu_seconds"] = 1.0 + i
    fits = [
        {
            **r,
            "key": r["key"] + "fit",
            "job": {**r["job"], "task": "fit"},
            "scores": [],
        }
        for r in records
        if r["job"]["task"] == "rates"
    ]
    claim = made.report_on([*records, *fits]).claims[0]
    assert claim.partials["given log compute"] is not None
    last = [3 - 1, 6 - 1, 9 - 1, 11 - 1, 15 - 1, 18 - 1, 20 - 1, 24 - 1]
    block = made.block_of(0.5)
    by_scipy = [
        scipy_stats.spearmanr(block.rate[last, d], block.metric[last, d]).statistic
        for d in range(6)
    ]
    assert claim.partials["final checkpoints only"] == pytest.approx(np.mean(by_scipy))


def test_the_detectable_effect_is_known_before_a_run(made):
    families = {
        f"c{f}({m})": f"family {f}" for f, n in enumerate(made.sizes) for m in range(n)
    }
    found = detectable_effects(made.registration(), families)
    assert set(found) == {"G", "R"}
    after = made.report_on(made.records_of(made.block_of(0.5))).claims
    assert [claim.detectable for claim in after] == [found["G"], found["R"]]
