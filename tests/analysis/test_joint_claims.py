"""Claims about joint compression and transfer say what constructed records hold."""

from dataclasses import replace

import pandas as pd
import pytest

from harness.analysis.joint_claims import (
    claims,
    contrasts,
    partners_of,
    quality,
    rate_table,
    regrets,
    transfer_claim,
)
from harness.analysis.joint_tables import joint_table, transfer_gains, transfer_table


def test_contrast_is_related_minus_the_mean_of_unrelated_at_size_x1(joint):
    table = joint_table(joint.records())
    where = ("set1", 0, "c3", "f3")
    assert contrasts(table).loc[where] == pytest.approx(1.3 - (0.5 - 0.1) / 2)
    assert regrets(table).loc[where] == pytest.approx(0.6)


def test_claims_are_supported_where_savings_and_thrift_rise_with_quality(joint):
    results = claims(joint.records())
    assert [c.name for c in results] == ["savings", "savings_fraction", "regret"]
    for claim in results:
        assert claim.estimate.value == pytest.approx(1.0)
        assert claim.word == "supported"
        assert claim.estimate.ci_low > 0
        assert claim.p < 0.01
        assert (claim.n_compressors, claim.n_families) == (joint.n, joint.n)
        # set0 takes part in every pair; set1 to set5 give it a quality all the same.
        assert claim.n_datasets == len(joint.sets)


def test_claims_are_opposite_where_the_sign_is_turned(joint):
    for claim in claims(joint.records(slope=-1.0)):
        assert claim.estimate.value == pytest.approx(-1.0)
        assert claim.word == "opposite"


def test_savings_are_undecided_where_bits_and_fractions_disagree(joint):
    savings, fraction, regret = claims(joint.records(slope=1.0, fraction=-1.0))
    values = (savings.estimate.value, fraction.estimate.value)
    assert values == pytest.approx((1.0, -1.0))
    assert savings.word == fraction.word == "undecided"
    assert "disagree" in savings.sentence
    assert regret.word == "supported"


def test_too_few_data_sets_are_undecided_by_design_whatever_the_interval(joint):
    for claim in claims(joint.records(sets=joint.sets[:4])):
        assert claim.word == "undecided by design"


def turned(record):
    """Return a record with the opposite of C(Y) alone."""
    alone, *scores = record.scores
    assert alone.metric == "alone_bpb"
    return replace(record, scores=(replace(alone, value=-alone.value), *scores))


def test_quality_never_looks_at_the_data_sets_of_the_pair(joint):
    records = [
        turned(r) if r.job.dataset in ("set0", "set2") else r for r in joint.records()
    ]
    rates, partners = rate_table(records, joint_table(records)), partners_of(records)
    names = [f"c{i}" for i in range(joint.n)]
    assert partners["set2"] == {"set0", "set2"}
    # By hand: ranks 0 .. 7 about their mean, best last, alike on all other data sets.
    expected = [i - 3.5 for i in range(joint.n)]
    assert quality(rates, names, partners["set2"]).tolist() == expected
    assert quality(rates, names, set(joint.sets)) is None


def test_held_out_rates_are_the_quality_where_there_are_all_of_them(joint, make_score):
    records = joint.records()
    held_out = [
        joint.record("rates", dataset, i, [make_score("heldout_bpb", i)])
        for dataset in joint.sets
        for i in range(joint.n)
    ]
    value, fallback = (
        claims(records + rates)[0].estimate.value for rates in (held_out, held_out[:-1])
    )
    assert value == pytest.approx(-1.0)
    assert fallback == pytest.approx(1.0)


def test_pairs_beyond_the_window_are_not_tested(joint):
    records = joint.records(beyond={7})
    savings, *_ = claims(records)
    assert savings.n_compressors == joint.n - 1
    table = joint_table(records)
    assert table.groupby("compressor")["beyond"].all()["c7"]
    assert table["beyond"].sum() == (table["compressor"] == "c7").sum()


@pytest.mark.parametrize(("sign", "word"), [(1.0, "supported"), (-1.0, "opposite")])
def test_transfer_is_the_mean_correlation_over_x_without_the_control(joint, sign, word):
    (claim,) = transfer_claim(transfer_table(joint.transfer_records(sign)))
    assert claim.estimate.value == pytest.approx(sign)
    assert claim.word == word
    assert (claim.n_compressors, claim.n_datasets) == (3, 5)


def test_fewer_than_six_x_are_no_test_and_fewer_than_five_y_are_undecided(joint):
    few_x = transfer_table(joint.transfer_records(1.0, n_sources=5))
    assert list(transfer_claim(few_x)) == []
    few_y = transfer_table(joint.transfer_records(1.0, n_sets=4))
    (claim,) = transfer_claim(few_y)
    assert claim.word == "undecided by design"


def test_only_x_of_dose_one_enter_the_claim(joint):
    table = transfer_table(joint.transfer_records(1.0))
    one = table.assign(dose=table["dose"].where(table["x"] == "none", "x1"))
    # More of the same X, with the sign turned, would change the correlation.
    larger = one[one["dose"] == "x1"].assign(dose="x4")
    larger = larger.assign(accuracy=-larger["accuracy"])
    (claim,) = transfer_claim(pd.concat([one, larger]))
    assert claim.estimate.value == pytest.approx(1.0)


def test_gains_are_over_no_x_by_dose_and_kind_and_leave_controls_out():
    rows = [
        ("none", "", 0.5),
        ("same_data", "x1", 0.6),
        ("same_data", "x4", 0.8),
        ("far", "x1", 0.5),
        ("near", "x1", 0.56),
        ("class a", "x1", 0.9),
        ("random", "x1", 0.1),
    ]
    transfer = pd.DataFrame(
        [
            ("y", spec, "f", x, dose, 0.0, accuracy + lift, False)
            for spec, lift in (("c1", 0.0), ("c2", 0.1))
            for x, dose, accuracy in rows
        ],
        columns=[
            *("dataset", "compressor", "family", "x", "dose", "saved_bpb"),
            *("accuracy", "beyond"),
        ],
    )
    gains = {
        (row.kind, row.dose): (row.gain, row.n_compressors)
        for row in transfer_gains(transfer).itertuples()
    }
    assert gains == {
        ("same data", 1.0): (pytest.approx(0.1), 2),
        ("same data", 4.0): (pytest.approx(0.3), 2),
        ("other data", 1.0): (pytest.approx(0.03), 2),
    }


def test_all_doses_of_a_kind_have_the_same_x_and_compressors():
    rows = [
        ("c1", "none", "", 0.5, False),
        ("c1", "near", "x1", 0.6, False),
        ("c1", "near", "x4", 0.7, False),
        # Has no other dose.
        ("c1", "far", "x1", 0.1, False),
        # Too long for this compressor's window.
        ("c2", "none", "", 0.5, False),
        ("c2", "near", "x1", 0.9, False),
        ("c2", "near", "x4", 0.5, True),
    ]
    transfer = pd.DataFrame(
        [("y", c, "f", x, dose, 0.0, accuracy, b) for c, x, dose, accuracy, b in rows],
        columns=[
            *("dataset", "compressor", "family", "x", "dose", "saved_bpb"),
            *("accuracy", "beyond"),
        ],
    )
    gains = transfer_gains(transfer)
    assert gains["dose"].tolist() == [1.0, 4.0]
    assert gains["gain"].tolist() == pytest.approx([0.1, 0.2])
    assert gains["n_compressors"].tolist() == [1, 1]


def test_a_transfer_table_has_a_row_per_x_with_both_numbers(joint):
    table = transfer_table(joint.transfer_records(1.0)).set_index(
        ["dataset", "compressor", "x"]
    )
    row = table.loc[("set2", "c1", "x3")]
    assert (row["saved_bpb"], row["accuracy"]) == pytest.approx((1.2, 0.68))
    reference = table.loc[("set2", "c1", "none")]
    assert reference["saved_bpb"] != reference["saved_bpb"]  # nan: it saves on nothing
