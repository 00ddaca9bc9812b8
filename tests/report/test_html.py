import base64
import gzip
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from harness.analysis.ladders import ladder_points
from harness.analysis.score_table import frame
from harness.report.html import QUESTION, html_page

HOSTILE = "<script>alert('x')</script>"
NAMES = ["big", "mid", "small"]


def score(name, value, **about):
    return {
        "name": name,
        "value": value,
        "unit": "bits/byte",
        "state": "fit(train)",
        "route": "native",
        "n": 50,
        "note": "given this split",
        "realised": "decoded",
        "ci_low": 0.9 * value,
        "ci_high": 1.1 * value,
        **about,
    }


def record(spec, task, scores, *, family="LZ", status="done", reason="", prior=0):
    subject = {"spec": spec, "family": family, "prior_bytes": prior}
    job = {
        "suite": "t",
        "dataset": "texts",
        "subject": subject,
        "task": task,
        "seed": 0,
        "draw": 0,
        "official": False,
        "parameters": {},
        "remark": "",
    }
    rest = {"status": status, "reason": reason, "scores": scores}
    return {"job": job, "key": f"{spec}/{task}", **rest}


def records():
    found = []
    for name, rate in zip(NAMES, [2.0, 3.0, 4.0], strict=True):
        accuracy = 0.9 - rate / 10
        readout = [score("balanced_accuracy", accuracy), score("accuracy", 0.875)]
        found += [
            record(name, "rates", [score("heldout_bpb", rate), score("cold_bpb", 6.0)]),
            record(name, "class_scratch", readout),
        ]
    likelihood = [score("heldout_bpb", 1.0, realised="likelihood")]
    failed = {"status": "timeout", "reason": f"took over 9 s {HOSTILE}"}
    inapplicable = {"status": "not_applicable", "reason": "dreams of no code"}
    return [
        *found,
        record("dreamer", "rates", likelihood, prior=4096),
        record("dreamer", "class_scratch", [], **inapplicable),
        record(HOSTILE, "rates", [], family=HOSTILE, **failed),
        record(
            "majority",
            "baseline",
            [score("balanced_accuracy", 0.25)],
            family="baseline",
        ),
    ]


def page(found=None, **changes):
    about = {
        "title": "A & B",
        "answer": f"{QUESTION} Undecided by design.",
        "provenance": {"suite": "t", "cores": "2"},
    }
    found = records() if found is None else found
    return html_page(frame(found), ladder_points(found), **(about | changes))


class Reader(HTMLParser):
    """Collects tags with attributes, and the cells of leaderboards as text."""

    def __init__(self, text):
        super().__init__()
        self.source = text
        self.tags, self.rows, self.text = [], [], ""
        self.scripts, self._open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append([dict(attrs), ""])
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += data
            return
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1][1] += data

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def row(self, spec):
        return next(
            r for r in self.rows if any(c[0].get("data-sort") == spec for c in r)
        )


def unpacked(text):
    return gzip.decompress(base64.b64decode(text, validate=True)).decode()


@pytest.fixture(scope="module")
def read():
    return Reader(page())


def test_the_page_loads_nothing_from_elsewhere(read):
    loading = ("src", "href", "srcset", "data", "action", "poster", "xlink:href")
    targets = [
        value
        for _, attrs in read.tags
        for name, value in attrs.items()
        if name in loading
    ]
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert not any(tag in ("link", "iframe", "base") for tag, _ in read.tags)
    assert not re.search(r"@import|url\(", read.source.partition("</style>")[0])


def test_the_policy_forbids_the_browser_to_load_anything(read):
    (policy,) = [
        a["content"] for t, a in read.tags if t == "meta" and "http-equiv" in a
    ]
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_every_compressor_of_the_frame_appears(read):
    for name in frame(records())["compressor"].unique():
        assert name in read.text


def test_what_comes_from_records_is_escaped(read):
    assert HOSTILE not in read.source
    # Ours are the data, Vega and the page's own; a fourth would be the record's.
    assert len(read.scripts) == 3
    data = json.loads(unpacked(read.scripts[0]))
    assert set(data["specs"]) == {"texts/scatter", "texts/strip"}


def test_cells_sort_by_their_values(read):
    cells = read.row("mid")
    assert [cell[0]["data-sort"] for cell in cells[:5]] == [
        "2",
        "mid",
        "LZ",
        f"{8 / 3:.9g}",
        "3",
    ]
    assert float(cells[5][0]["data-sort"]) == pytest.approx(0.6)


def test_a_likelihood_has_no_rank_however_short(read):
    cells = read.row("dreamer")
    assert cells[0][1].strip() == "\u2013"
    assert cells[0][0]["data-sort"] == ""
    assert "not ranked" in cells[-1][1]
    assert read.row("big")[0][1].strip() == "1"


def test_failures_and_absences_are_listed_with_their_reasons(read):
    assert "class_scratch: dreams of no code" in read.text
    assert f"rates: timeout, took over 9 s {HOSTILE}" in read.row(HOSTILE)[-1][1]


def test_prior_knowledge_and_unofficial_results_are_marked(read):
    assert "prior 4,096 bytes" in read.row("dreamer")[-1][1]
    assert "unofficial" in read.text


def test_the_question_is_asked_once(read):
    assert read.text.count(QUESTION) == 1
    assert "Undecided by design." in read.text


def test_headers_are_buttons_with_a_sort_state(read):
    heads = [
        attrs for tag, attrs in read.tags if tag == "th" and attrs.get("scope") == "col"
    ]
    assert {head["aria-sort"] for head in heads} == {"ascending", "none"}
    assert sum(tag == "button" for tag, _ in read.tags) == len(heads)


def test_vega_is_included_once_and_only_with_charts(read):
    packed = [a for t, a in read.tags if t == "script" and a.get("id") == "packed-vega"]
    assert len(packed) == 1
    assert unpacked(read.scripts[1]).count("window.vegaEmbed=") == 1
    nothing = [record("x", "rates", [], status="crashed", reason="signal 11")]
    assert 'id="packed-vega"' not in page(nothing)


def test_the_same_records_give_the_same_bytes_in_any_order(read):
    assert page(records()[::-1]) == read.source


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_a_browser_draws_the_charts_and_sorts_by_a_clicked_header(read, tmp_path):
    # The page clicks its own ratio header twice: descending, then ascending.
    click = (
        "<script>const head = document.querySelectorAll('thead th button')[3];"
        "head.click(); head.click();</script>"
    )
    path = tmp_path / "page.html"
    path.write_text(read.source + click, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    options += ["--virtual-time-budget=8000", f"--user-data-dir={tmp_path / 'user'}"]
    done = subprocess.run(
        ["chromium", *options, path.as_uri()],
        capture_output=True,
        check=True,
        timeout=60,
    )
    drawn = Reader(done.stdout.decode())
    names = [row[1][0].get("data-sort") for row in drawn.rows if len(row) == 8]
    assert [name for name in names if name in NAMES] == ["small", "mid", "big"]
    assert sum("data-drawn" in attrs for _, attrs in drawn.tags) == 2


def test_importing_the_page_does_not_load_the_javascript_engine():
    code = "import sys, harness.report.html; print('vl_convert' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
