"""Formats of a report: the same rows under the same words; only some have the answer."""

import csv
import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from harness.analysis import results as results_module
from harness.records.record import read_record
from harness.records.score import Variant
from harness.report.charts.leaderboard import rate_against_accuracy
from harness.report.document import document
from harness.report.latex import escaped
from harness.report.terminal import print_results
from harness.tasks import catalog
from harness.tasks.column import Column
from harness.tasks.task import Task

DOCUMENTS = ("markdown", "html", "latex")


@pytest.fixture
def records(make_record, measured):
    failure = {"status": "timeout", "reason": "killed after 9 s, the limit"}
    absent = {"status": "not_applicable", "reason": "b has no states"}
    speed = [measured("encode_median_mb_per_s", 5.0, unit="MB/s")]
    return [
        make_record("a(level=1)", "rates", [measured("heldout_bpb", 2.0)]),
        make_record(
            "a(level=1)", "class_scratch", [measured("balanced_accuracy", 0.7)]
        ),
        make_record("a(level=1)", "speed", speed),
        make_record("b", "rates", [measured("heldout_bpb", 4.0)]),
        make_record("b", "class_scratch", **absent),
        make_record("slow", "rates", **failure),
        make_record("majority", "baseline", [measured("balanced_accuracy", 0.25)]),
    ]


@pytest.fixture
def novel_readout(monkeypatch):
    """Declare, as one new task would, a readout of which no other file knows."""
    column = Column(
        header="novelty AUROC",
        metric="auroc",
        variant=Variant(option="novel"),
        meaning="area under the curve of telling new samples from old",
        baselines=("majority",),
        is_readout=True,
    )
    task = Task(
        name="novelty",
        version=1,
        measure=lambda *_: None,
        judge=lambda *_: None,
        columns=(column,),
    )
    monkeypatch.setitem(catalog.TASKS, "novelty", task)
    return column


def on_terminal(results, width=250):
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True)
    print_results(results, console)
    return console.export_text()


def markdown_rows(text):
    """Return the cells of table lines, headers first."""
    lines = [x for x in text.splitlines() if x.startswith("| ") and "---" not in x]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


def latex_rows(text):
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    return [
        [cell.strip() for cell in x.removesuffix(r"\\").split(" & ")] for x in lines
    ]


def terminal_rows(text):
    lines = [line for line in text.splitlines() if line[:1] in ("\u2503", "\u2502")]
    return [
        [cell.strip() for cell in re.split("[\u2502\u2503]", line)[1:-1]]
        for line in lines
    ]


def test_terminal_markdown_and_latex_show_the_same_rows_under_the_same_words(
    records, results_from
):
    results = results_from(records)
    markdown = markdown_rows(document(results, "markdown"))
    latex = latex_rows(document(results, "latex"))
    terminal = terminal_rows(on_terminal(results))
    assert [[escaped(cell) for cell in row] for row in markdown] == latex
    # A terminal has neither family nor remarks, and half-widths for brackets.
    shown = [[*row[:2], *row[3:-1]] for row in markdown]
    assert [row[:3] for row in terminal] == [row[:3] for row in shown]
    assert terminal[0] == shown[0]


def test_a_narrow_terminal_shows_every_column_in_tables_one_below_the_other(
    records, results_from
):
    results = results_from(records)
    text = on_terminal(results, width=50)
    lines = [line for line in text.splitlines() if line[:1] in ("\u2503", "\u2502")]
    assert max(map(len, lines)) <= 50
    assert "digits, continued" in text
    # Three columns of scores, each too wide to stand beside another.
    assert sum("a(level=1)" in line for line in lines) == 3
    for number in ("2.000 \u00b1.200", "0.700 \u00b1.070", "5.0"):
        assert number in text


def test_the_page_has_the_same_headers_and_rows(records, results_from):
    results = results_from(records)
    header, *rows = markdown_rows(document(results, "markdown"))
    page = document(results, "html")
    board = page[page.index('<table class="leaderboard">') : page.index("</table>")]
    buttons = re.findall(r'<button type="button">([^<]*)</button>', board)
    assert buttons == [*header[:-1], "state, route, code", "remarks"]
    names = re.findall(r'<th scope="row" data-sort="([^"]*)"', board)
    assert names == [row[1] for row in rows]


@pytest.mark.parametrize("output_format", DOCUMENTS)
def test_a_failure_keeps_its_reason(records, results_from, output_format):
    text = document(results_from(records), output_format)
    assert "killed after 9 s, the limit" in text


def test_markdown_says_why_a_readout_does_not_apply_and_ends_with_the_answer(
    records, results_from
):
    results = results_from(records)
    text = document(results, "markdown")
    assert "- class_scratch: b has no states: b" in text
    assert text.endswith(" ".join(results.answer) + "\n")


@pytest.fixture
def novel_results(records, results_from, make_record, measured):
    """Return results with the score of a task that no report was written for."""
    scores = [measured("auroc", 0.625, option="novel")]
    return results_from([*records, make_record("b", "novelty", scores)])


@pytest.mark.parametrize("output_format", [*DOCUMENTS, "table"])
def test_a_new_readout_is_seen_everywhere_without_another_file(
    novel_readout, novel_results, output_format
):
    if output_format == "table":
        text = on_terminal(novel_results)
    else:
        text = document(novel_results, output_format)
    assert novel_readout.header in text
    assert novel_readout.meaning in " ".join(text.split())
    assert "0.625" in text


def test_a_new_readout_is_a_choice_of_the_chart(novel_readout, novel_results):
    (board,) = novel_results.leaderboards
    chart = rate_against_accuracy(board, novel_results.families)
    (menu,) = [p for p in chart.to_dict()["params"] if p["name"] == "readout_choice"]
    assert menu["bind"]["options"] == ["class bal. acc.", novel_readout.header]


def test_csv_has_a_line_for_the_score_of_a_new_readout(novel_results):
    lines = list(csv.DictReader(io.StringIO(document(novel_results, "csv"))))
    (novel,) = [line for line in lines if line["task"] == "novelty"]
    assert (novel["score"], float(novel["value"])) == ("auroc_novel", 0.625)


def test_json_gives_back_the_records(records, results_from):
    lines = document(results_from(records), "json").splitlines()
    by_key = sorted(records, key=lambda record: record.key)
    assert [read_record(line) for line in lines] == by_key
    assert all(json.loads(line)["job"]["task"] for line in lines)


@pytest.mark.parametrize("output_format", ["csv", "json"])
def test_csv_and_json_do_not_compute_the_answer(
    records, results_from, monkeypatch, output_format
):
    def fail(*_):
        raise AssertionError("the answer was computed")

    for name in ("hypothesis_report", "undecided", "leaderboards"):
        monkeypatch.setattr(results_module, name, fail)
    assert document(results_from(records), output_format)


def test_a_macro_f1_column_takes_one_line_in_its_task(
    records, results_from, make_record, measured, monkeypatch
):
    task = catalog.TASKS["class_scratch"]
    column = Column(header="class macro-F1", metric="macro_f1", is_readout=True)
    widened = replace(task, columns=(*task.columns, column))
    monkeypatch.setitem(catalog.TASKS, "class_scratch", widened)
    f1 = make_record("c", "class_scratch", [measured("macro_f1", 0.125)])
    results = results_from([*records, f1])
    for output_format in DOCUMENTS:
        text = document(results, output_format)
        assert "class macro-F1" in text
        assert "0.125" in text


def test_letters_with_a_meaning_to_latex_are_escaped():
    assert escaped(r"a_b & 50 % \x {y} ~^#$") == (
        r"a\_b \& 50 \% \textbackslash{}x \{y\} \textasciitilde{}\textasciicircum{}\#\$"
    )


def test_records_without_a_column_say_where_their_scores_are(
    make_record, measured, results_from
):
    results = results_from([make_record("a", "window", [measured("reach", 1.0)])])
    assert "--format csv has every score" in document(results, "markdown")
