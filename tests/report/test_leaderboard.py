"""The leaderboard against records written by hand."""

import pandas as pd
import pytest

from harness.analysis.ladders import ladder_points
from harness.analysis.leaderboard import leaderboard
from harness.analysis.score_table import frame
from harness.report.terminal import markdown


def record(spec: str, task: str, **values: float) -> dict:
    family = "baseline" if task == "baseline" else f"family of {spec}"
    subject = {"spec": spec, "family": family, "prior_bytes": 0}
    job = {
        "suite": "s",
        "dataset": "d",
        "task": task,
        "subject": subject,
        "seed": 0,
        "draw": 0,
        "official": True,
        "parameters": {},
        "remark": "undertrained" if spec == "net" else "",
    }
    scores = [
        {"name": name, "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1}
        for name, value in values.items()
    ]
    return {
        "key": f"{spec} {task}",
        "job": job,
        "status": "done" if scores else "timeout",
        "reason": "" if scores else "killed after 9 s, the limit",
        "scores": scores,
    }


@pytest.fixture
def table() -> pd.DataFrame:
    return frame(
        [
            record("weak", "rates", heldout_bpb=4.0),
            record("strong", "rates", heldout_bpb=2.0),
            record("strong", "class_scratch", balanced_accuracy=0.75),
            record("slow", "rates"),
            record("net", "rates", heldout_bpb=3.0),
            record("majority", "baseline", balanced_accuracy=0.25),
        ]
    )


def test_compressors_are_ranked_by_rate_and_baselines_come_last(table: pd.DataFrame):
    board = leaderboard(table, "d")
    names = [line.name for line in board.lines]
    assert names == ["strong", "net", "weak", "slow", "majority"]
    assert board.heads == ("held-out bpb", "class bal. acc.")
    assert [line.ratio for line in board.lines] == ["4.000", "2.667", "2.000", "-", "-"]


def test_a_cell_has_the_value_and_its_interval(table: pd.DataFrame):
    strong, _, weak, _, majority = leaderboard(table, "d").lines
    full = [[cell.full for cell in x.cells] for x in (strong, weak, majority)]
    assert full == [
        ["2.000 [1.900, 2.100]", "0.750 [.650, .850]"],
        ["4.000 [3.900, 4.100]", "-"],
        ["-", "0.250 [.150, .350]"],
    ]
    assert [cell.short for cell in strong.cells] == [
        "2.000 \u00b1.100",
        "0.750 \u00b1.100",
    ]


def test_a_failure_keeps_its_reason(table: pd.DataFrame):
    text = markdown(table, ladder_points([]), "the answer")
    assert "killed after 9 s, the limit" in text
    assert text.rstrip().endswith("the answer")


def test_a_suite_s_remark_stands_beside_the_compressor_alone(table: pd.DataFrame):
    remarks = {line.name: line.remarks for line in leaderboard(table, "d").lines}
    assert remarks["net"] == ("undertrained",)
    assert remarks["strong"] == ()


def test_files_coded_cold_are_ranked_by_the_cold_rate():
    table = frame(
        [record("a", "rates", cold_bpb=4.0), record("b", "rates", cold_bpb=2.0)]
    )
    board = leaderboard(table, "d")
    assert board.heads == ("cold bpb",)
    assert [(x.name, x.ratio) for x in board.lines] == [("b", "4.000"), ("a", "2.000")]
