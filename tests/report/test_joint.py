"""The claims, tables and figures say what constructed records hold."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from harness.analysis.joint_claims import (
    claims,
    contrasts,
    others_of,
    quality,
    rate_table,
    regrets,
    transfer_claim,
    verdict_word,
)
from harness.analysis.joint_tables import joint_table
from harness.report.charts.joint import (
    quality_points,
    savings_against_quality,
    savings_matrix,
    transfer_scatter,
)
from harness.report.joint import joint_markdown
from harness.statistics.samples import spearman_in_blocks

SETS = ("d1", "d2", "d3", "d4", "d5", "d6")
N = 8


def record(task: str, dataset: str, i: int, scores: dict[str, Any]) -> dict[str, Any]:
    """Compressor i, alone in its family; scores are values, or values with a note."""
    subject = {"spec": f"c{i}", "family": f"f{i}", "prior_bytes": 0}
    job = {
        "suite": "joint",
        "dataset": dataset,
        "task": task,
        "seed": 0,
        "draw": 0,
        "official": True,
        "remark": "",
        "subject": subject,
        "parameters": {"others": ["d1"]},
    }
    rows = []
    for name, value in scores.items():
        number, note = value if isinstance(value, tuple) else (value, "")
        row = {"name": name, "value": number, "note": note, "route": "native"}
        rows.append(row | {"unit": "bits/byte", "state": "given x", "n": 3})
    key = f"{task} {dataset} {i}"
    return {"job": job, "key": key, "status": "done", "reason": "", "scores": rows}


def joint_records(
    slope: float = 1.0, sets: tuple[str, ...] = SETS, fraction: float | None = None
) -> list[Any]:
    """Rates fall with i; savings on related X rise by `slope` i, regret falls."""
    fraction = slope if fraction is None else fraction
    return [
        record(
            "joint",
            dataset,
            i,
            {
                "alone_bpb:same_class:x1": 8.0 - 0.5 * i + 0.1 * d,
                "saved_bpb:same_class:x1": 1.0 + slope * 0.1 * i,
                "saved_bpb:other_class:x1": 0.5,
                "saved_bpb:other_data:x1": -0.1,
                "saved_bpb:same_class:x4": 9.0,
                "saved_fraction:same_class:x1": 0.2 + fraction * 0.02 * i,
                "saved_fraction:other_class:x1": 0.1,
                "regret_bpb:other_class:x1": 0.9 - slope * 0.1 * i,
                "shared_bits:same_class:x1": 100.0 + i,
            },
        )
        for d, dataset in enumerate(sets)
        for i in range(N)
    ]


def test_contrast_is_related_minus_the_mean_of_unrelated_at_size_x1():
    found = contrasts(joint_records())
    assert found.loc[("d2", 0, "c3", "f3")] == pytest.approx(1.3 - (0.5 - 0.1) / 2)
    assert regrets(joint_records()).loc[("d2", 0, "c3", "f3")] == pytest.approx(0.6)


def test_claims_are_supported_where_savings_and_thrift_rise_with_quality():
    found = claims(joint_records())
    assert [c.name for c in found] == ["savings", "savings_fraction", "regret"]
    for claim in found:
        assert claim.value == pytest.approx(1.0)
        assert claim.word == "supported"
        assert claim.ci_low > 0
        assert claim.p < 0.01
        assert (claim.n_compressors, claim.n_families) == (N, N)
        # d1 takes part in every pair, and is left a block by d2 to d6 all the same.
        assert claim.n_datasets == len(SETS)


def test_claims_are_opposite_where_the_sign_is_turned():
    for claim in claims(joint_records(slope=-1.0)):
        assert claim.value == pytest.approx(-1.0)
        assert claim.word == "opposite"


def test_savings_are_undecided_where_bits_and_fractions_disagree():
    savings, fraction, regret = claims(joint_records(slope=1.0, fraction=-1.0))
    assert (savings.value, fraction.value) == pytest.approx((1.0, -1.0))
    assert savings.word == fraction.word == "undecided"
    assert "disagree" in savings.sentence
    assert regret.word == "supported"


def test_too_few_data_sets_are_undecided_by_design_whatever_the_interval():
    for claim in claims(joint_records(sets=SETS[:4])):
        assert claim.word == "undecided by design"
    assert verdict_word(6, 5, 0.1, 0.9) == "supported"
    assert verdict_word(6, 5, -0.1, 0.9) == "undecided"
    assert verdict_word(5, 5, 0.1, 0.9) == "undecided by design"


def test_quality_never_looks_at_the_data_sets_of_the_pair():
    records = joint_records()
    for one in records:
        if one["job"]["dataset"] in ("d1", "d3"):  # there, all is the other way round
            one["scores"][0]["value"] = -one["scores"][0]["value"]
    rates, others = rate_table(records), others_of(records)
    names = [f"c{i}" for i in range(N)]
    assert others["d3"] == {"d1", "d3"}
    found = quality(rates, names, others["d3"])
    # By hand: ranks 0 .. 7 about their mean, best last, alike on all that are left.
    assert found.tolist() == [i - 3.5 for i in range(N)]
    assert quality(rates, names, set(SETS)) is None


def test_held_out_rates_are_the_quality_where_there_are_all_of_them():
    records = joint_records()
    held = [
        record("rates", dataset, i, {"heldout_bpb": float(i)})
        for dataset in SETS
        for i in range(N)
    ]
    assert claims(records + held)[0].value == pytest.approx(-1.0)
    assert claims(records + held[:-1])[0].value == pytest.approx(1.0)


def test_pairs_beyond_the_window_are_shown_and_not_tested():
    records = joint_records()
    for one in records:
        if one["job"]["subject"]["spec"] == "c7":
            for row in one["scores"]:
                row["note"] = "3 pairs; beyond its window"
    savings, *_ = claims(records)
    assert savings.n_compressors == N - 1
    table = joint_table(records)
    assert table.loc[table["compressor"] == "c7", "beyond"].all()
    line = next(
        line
        for line in joint_markdown(records).splitlines()
        if line.startswith("| c7 | x1 |")
    )
    assert "1.700 \u2020" in line
    assert "-0.100 \u2020" in line  # negative values are shown


def transfer_records(sign: float, n_sources: int = 6, n_sets: int = 5) -> list[Any]:
    saved = [0.1, 0.9, 0.4, 0.6, 0.3, 0.8, 0.2][:n_sources]
    rows = []
    for dataset in SETS[:n_sets]:
        for i in range(3):
            scores = {"few_label_balanced_accuracy:none": 0.5}
            for j, value in enumerate(saved):
                scores[f"transfer_saved_bpb:x{j}"] = value * (i + 1)
                scores[f"few_label_balanced_accuracy:x{j}"] = 0.5 + sign * 0.3 * value
            scores["transfer_saved_bpb:random"] = -9.0
            scores["few_label_balanced_accuracy:random"] = 1.0
            rows.append(record("transfer", dataset, i, scores))
    return rows


@pytest.mark.parametrize(("sign", "word"), [(1.0, "supported"), (-1.0, "opposite")])
def test_transfer_is_the_mean_correlation_over_x_without_the_control(
    sign: float, word: str
):
    (claim,) = transfer_claim(transfer_records(sign))
    assert claim.value == pytest.approx(sign)
    assert claim.word == word
    assert (claim.n_compressors, claim.n_datasets) == (3, 5)


def test_fewer_than_six_x_are_a_table_and_no_test():
    records = transfer_records(1.0, n_sources=5)
    assert list(transfer_claim(records)) == []
    assert "| c0 | x3 | 0.600 | 0.680 |" in joint_markdown(records)
    (claim,) = transfer_claim(transfer_records(1.0, n_sets=4))
    assert claim.word == "undecided by design"


def test_block_correlation_is_scipys_and_its_p_that_of_all_permutations():
    rng = np.random.default_rng(0)
    blocks = [(rng.random((2, 4)), rng.random((2, 4))) for _ in range(2)]
    value, p = spearman_in_blocks(blocks, rng)

    def mean(orders: tuple[tuple[int, ...], ...]) -> float:
        found = [
            spearmanr(x[row, list(order)], y[row]).statistic
            for (x, y), order in zip(blocks, orders, strict=True)
            for row in range(2)
        ]
        return float(np.mean(found))

    every = list(permutations(range(4)))
    drawn = np.array([mean((a, b)) for a in every for b in every])
    assert value == pytest.approx(mean((every[0], every[0])))
    tails = [(drawn >= value - 1e-9).mean(), (drawn <= value + 1e-9).mean()]
    assert p == pytest.approx(min(1.0, 2 * min(tails)), abs=0.03)


def test_a_constant_row_counts_as_no_correlation():
    x = np.array([[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]])
    y = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
    value, _ = spearman_in_blocks([(x, y)], np.random.default_rng(0))
    assert value == pytest.approx(0.5)


def test_figures_have_a_line_per_kind_and_a_panel_per_compressor():
    records = joint_records()
    points = quality_points(records)
    assert set(points["kind"]) == {"same class", "other class", "other data"}
    assert len(points) == 3 * N * len(SETS)
    best = points[(points["compressor"] == "c7") & (points["kind"] == "same class")]
    assert best["quality"].tolist() == pytest.approx([3.5] * len(SETS))
    assert best["saved"].tolist() == pytest.approx([1.7] * len(SETS))
    lines = savings_against_quality(records)
    matrix = savings_matrix(records)
    scatter = transfer_scatter(transfer_records(1.0))
    for chart in (lines, matrix, scatter):
        assert chart is not None
        chart.to_dict()  # altair validates against the Vega-Lite schema
    assert matrix.to_dict()["facet"]["field"] == "compressor"
    assert savings_against_quality([]) is None
    assert savings_matrix([]) is None
    assert transfer_scatter([]) is None
