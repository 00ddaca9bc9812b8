"""The leaderboard against records written by hand."""

import math

import pytest

from harness.analysis.columns import declared_columns
from harness.analysis.estimates import estimates
from harness.analysis.leaderboard import leaderboards
from harness.analysis.score_table import score_table
from harness.records.score import Variant
from harness.report.cells import full, short
from harness.tasks.catalog import TASKS


def boards_of(records, datasets=()):
    return leaderboards(records, estimates(score_table(records)), datasets)


@pytest.fixture
def board_of():
    def board(records):
        (only,) = boards_of(records)
        return only

    return board


@pytest.fixture
def records(make_record, measured):
    def scores(**values):
        return [measured(name, value, half=0.1) for name, value in values.items()]

    failure = {"status": "timeout", "reason": "killed after 9 s, the limit"}
    return [
        make_record("weak", "rates", scores(heldout_bpb=4.0)),
        make_record("strong", "rates", scores(heldout_bpb=2.0)),
        make_record("strong", "class_scratch", scores(balanced_accuracy=0.75)),
        make_record("slow", "rates", **failure),
        make_record("net", "rates", scores(heldout_bpb=3.0), remark="undertrained"),
        make_record("majority", "baseline", scores(balanced_accuracy=0.25)),
    ]


def test_compressors_are_ranked_by_rate_and_baselines_come_last(records, board_of):
    board = board_of(records)
    ranks = [(row.rank, row.name) for row in board.rows]
    assert ranks == [
        *((1, "strong"), (2, "net"), (3, "weak"), (None, "slow")),
        (None, "majority"),
    ]
    assert [c.header for c in board.columns] == ["held-out bpb", "class bal. acc."]
    ratios = [full(row.ratio) for row in board.rows]
    assert ratios == ["4.000", "2.667", "2.000", "-", "-"]


def test_a_cell_has_the_value_and_its_interval(records, board_of):
    strong, _, weak, slow, majority = board_of(records).rows
    words = [[full(cell) for cell in row.cells] for row in (strong, weak, majority)]
    assert words == [
        ["2.000 [1.900, 2.100]", "0.750 [.650, .850]"],
        ["4.000 [3.900, 4.100]", "-"],
        ["-", "0.250 [.150, .350]"],
    ]
    assert [short(cell) for cell in strong.cells] == [
        "2.000 \u00b1.100",
        "0.750 \u00b1.100",
    ]
    assert full(slow.cells[0]) == "timeout"


def test_a_suite_s_remark_stands_beside_the_compressor_alone(records, board_of):
    remarks = {row.name: row.remarks for row in board_of(records).rows}
    assert remarks["net"] == ("undertrained",)
    assert remarks["strong"] == ()


def test_equal_rates_share_a_rank_and_the_next_one_is_skipped(
    make_record, measured, board_of
):
    rates = {"a": 2.0, "b": 2.0, "c": 3.0}
    board = board_of(
        [
            make_record(n, "rates", [measured("heldout_bpb", r)])
            for n, r in rates.items()
        ]
    )
    assert [(row.rank, row.name) for row in board.rows] == [
        (1, "a"),
        (1, "b"),
        (3, "c"),
    ]


@pytest.mark.parametrize(
    "about", [{"realised": "likelihood"}, {"realised": ""}, {"route": "difference"}]
)
def test_a_rate_without_decoded_bytes_has_no_rank_however_low(
    make_record, measured, board_of, about
):
    board = board_of(
        [
            make_record("real", "rates", [measured("heldout_bpb", 3.0)]),
            make_record("dream", "rates", [measured("heldout_bpb", 1.0, **about)]),
        ]
    )
    assert [(row.rank, row.name) for row in board.rows] == [
        (1, "real"),
        (None, "dream"),
    ]
    assert board.rows[1].remarks == ("not ranked: no decoded bytes",)


def test_files_coded_cold_are_ranked_by_the_cold_rate(make_record, measured, board_of):
    rates = {"a": 4.0, "b": 2.0}
    board = board_of(
        [make_record(n, "rates", [measured("cold_bpb", r)]) for n, r in rates.items()]
    )
    assert [c.header for c in board.columns] == ["cold bpb"]
    assert [(r.rank, r.name, full(r.ratio)) for r in board.rows] == [
        (1, "b", "4.000"),
        (2, "a", "2.000"),
    ]


def test_a_cold_rate_has_no_column_where_there_is_a_held_out_one(
    make_record, measured, board_of
):
    rates = [measured("heldout_bpb", 2.0), measured("cold_bpb", 3.0)]
    board = board_of([make_record("a", "rates", rates)])
    assert [c.header for c in board.columns] == ["held-out bpb"]
    assert {name: cell.value for name, cell in board.rows[0].rates.items()} == {
        "held-out": 2.0,
        "cold": 3.0,
    }


def test_every_label_reading_baseline_stands_in_the_columns_that_name_it(
    make_record, measured, board_of
):
    tasks = ("class_scratch", "class_adapt", "landmark_probe", "layer_probe")
    accuracy = [measured("balanced_accuracy", 0.5)]
    records = [make_record("net", task, accuracy) for task in tasks]
    names = ("majority", "tfidf_svm", "raw_logreg", "log_length", "ngram_landmarks")
    records += [make_record(name, "baseline", accuracy) for name in names]
    board = board_of(records)
    shown = {
        row.name: {
            column.header
            for column, cell in zip(board.columns, row.cells, strict=True)
            if cell.is_measured
        }
        for row in board.baselines
    }
    both = {"class bal. acc.", "layer bal. acc."}
    assert shown == dict.fromkeys(names, both) | {
        "ngram_landmarks": both | {"landmark bal. acc."}
    }


def test_the_true_source_stands_under_the_rate_without_a_rank(
    make_record, measured, board_of
):
    rates = [measured("heldout_bpb", 2.0)]
    likelihood = [measured("heldout_bpb", 1.0, realised="likelihood")]
    board = board_of(
        [
            make_record("a", "rates", rates),
            make_record("true_source", "baseline", likelihood),
        ]
    )
    (source,) = board.baselines
    assert source.rank is None
    assert source.cells[0].value == 1.0
    assert source.remarks == ()


def test_speeds_and_memory_stand_wherever_they_were_measured(
    make_record, measured, board_of
):
    scores = [
        measured("encode_median_mb_per_s", 12.34, unit="MB/s", half=None),
        measured("peak_bytes", 2048.0, unit="bytes", half=None),
    ]
    board = board_of(
        [
            make_record("a", "rates", [measured("cold_bpb", 2.0)]),
            make_record("a", "speed", scores),
        ]
    )
    cells = {
        c.header: full(x)
        for c, x in zip(board.columns, board.rows[0].cells, strict=True)
    }
    assert cells["compress MB/s"] == "12.3"
    assert cells["peak bytes"] == "2048"


def test_draws_are_averaged_and_their_interval_covers_each(make_record, measured):
    draws = [
        make_record("a", "rates", [measured("heldout_bpb", rate)], draw=draw)
        for draw, rate in enumerate([2.0, 3.0, 4.0])
    ]
    (row,) = estimates(score_table(draws)).to_dict("records")
    assert row["value"] == pytest.approx(3.0)
    assert row["ci_low"] < 1.8
    assert row["ci_high"] > 4.4
    assert row["ci_high"] - 3.0 == pytest.approx(3.0 - row["ci_low"])
    assert row["n_draws"] == 3


def test_a_draw_without_an_interval_leaves_the_mean_without_one(make_record, measured):
    without = {"half": None}
    draws = [
        make_record("a", "rates", [measured("heldout_bpb", 2.0)], draw=0),
        make_record("a", "rates", [measured("heldout_bpb", 4.0, **without)], draw=1),
    ]
    (row,) = estimates(score_table(draws)).to_dict("records")
    assert row["value"] == 3.0
    assert math.isnan(row["ci_low"])


@pytest.mark.parametrize("field", ["state", "route"])
def test_scores_of_different_states_or_routes_are_not_averaged(
    make_record, measured, field
):
    scores = [
        measured("balanced_accuracy", 0.5),
        measured("balanced_accuracy", 0.9, **{field: "x"}),
    ]
    (row,) = estimates(
        score_table([make_record("a", "class_scratch", scores)])
    ).to_dict("records")
    assert row["value"] == 0.5


def test_equal_byte_variants_are_columns_of_their_own(make_record, measured, board_of):
    def records(accuracy, **parameters):
        scores = [measured("balanced_accuracy", accuracy)]
        return make_record("a", "class_scratch", scores, parameters=parameters)

    board = board_of([records(0.5, equal_bytes=True), records(0.7)])
    assert {
        c.header: cell.value
        for c, cell in zip(board.columns, board.rows[0].cells, strict=True)
    } == {"class bal. acc., equal bytes": 0.5, "class bal. acc.": 0.7}


def test_one_variant_alone_keeps_the_plain_header(make_record, measured, board_of):
    scores = [measured("balanced_accuracy", 0.5)]
    board = board_of(
        [make_record("a", "class_scratch", scores, parameters={"equal_bytes": True})]
    )
    assert [c.header for c in board.columns] == ["class bal. acc."]


@pytest.mark.parametrize("spreads", [(0.0, 0.0), (0.0, 0.25)])
def test_equal_bytes_go_without_saying_unless_one_compressor_had_none(
    make_record, measured, board_of, spreads
):
    board = board_of(
        [
            make_record(
                f"codec{i}",
                "class_scratch",
                [
                    measured("balanced_accuracy", 0.5),
                    measured("class_bytes_spread", value),
                ],
                parameters={"equal_bytes": True},
            )
            for i, value in enumerate(spreads)
        ]
    )
    headers = ["class bal. acc."] + ["class bytes spread"] * any(spreads)
    assert [c.header for c in board.columns] == headers


def test_details_are_of_the_same_answers(make_record, measured, board_of):
    nearest = {"n_neighbours": 1}
    scores = [
        measured("balanced_accuracy", 0.5, **nearest),
        measured("accuracy", 0.6, **nearest),
        measured("accuracy", 0.9, n_neighbours=3),
        measured("balanced_accuracy", 0.4, deduplicated=True, **nearest),
    ]
    (cell,) = board_of([make_record("a", "ncd_knn", scores)]).rows[0].cells
    assert cell.details == (("acc", 0.6), ("dedup", 0.4))


def test_a_readout_without_meaning_says_why_and_gives_no_row(
    make_record, measured, board_of
):
    absent = {"status": "not_applicable", "reason": "copy cannot be conditioned"}
    board = board_of(
        [
            make_record("a", "class_scratch", [measured("balanced_accuracy", 0.5)]),
            make_record("a", "class_adapt", **absent),
            make_record("copy", "class_scratch", **absent),
        ]
    )
    assert [row.name for row in board.rows] == ["a"]
    assert [(x.task, x.reason, x.names) for x in board.absences] == [
        ("class_adapt", "copy cannot be conditioned", ("a",)),
        ("class_scratch", "copy cannot be conditioned", ("copy",)),
    ]


def test_data_sets_keep_the_suite_s_order(make_record, measured):
    records = [
        make_record("a", "rates", [measured("heldout_bpb", 2.0)], dataset=name)
        for name in ("x", "y", "z")
    ]
    names = [board.dataset for board in boards_of(records, ["z", "x"])]
    assert names == ["z", "x", "y"]


def test_the_ranking_rate_comes_first_and_class_readouts_before_the_rest():
    kinds = [(c.ranks, c.is_readout) for _, c in declared_columns()]
    assert kinds == sorted(kinds, reverse=True)
    assert declared_columns()[0][1].metric == "heldout_bpb"


def test_declared_headers_are_unique_and_baselines_known():
    from harness.tasks.baseline import METHODS

    columns = [column for task in TASKS.values() for column in task.columns]
    headers = [column.header for column in columns]
    assert len(set(headers)) == len(headers)
    assert {name for column in columns for name in column.baselines} <= set(METHODS)
    assert Variant(n_neighbours=1) in [column.variant for column in columns]
