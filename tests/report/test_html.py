import base64
import gzip
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from harness.analysis.results import QUESTION
from harness.report.html import html_page

HOSTILE = "<script>alert('x')</script>"
NAMES = ["big", "mid", "small"]


@pytest.fixture(scope="module")
def records(make_record, measured):
    def record(spec, task, scores=(), **about):
        about = {"family": "LZ", "dataset": "texts", "official": False} | about
        return make_record(spec, task, scores, **about)

    records = []
    for name, rate in zip(NAMES, [2.0, 3.0, 4.0], strict=True):
        accuracy = measured("balanced_accuracy", 0.9 - rate / 10)
        rates = [measured("heldout_bpb", rate), measured("cold_bpb", 6.0)]
        readout = [accuracy, measured("accuracy", 0.875)]
        speed = measured("encode_median_mb_per_s", 10 * rate, unit="MB/s")
        records += [
            record(name, "rates", rates),
            record(name, "class_scratch", readout),
            record(name, "speed", [speed]),
        ]
    likelihood = [measured("heldout_bpb", 1.0, realised="likelihood")]
    failed = {"status": "timeout", "reason": f"took over 9 s {HOSTILE}"}
    inapplicable = {"status": "not_applicable", "reason": "dreams of no code"}
    majority = [measured("balanced_accuracy", 0.25)]
    return [
        *records,
        record("dreamer", "rates", likelihood, prior_bytes=4096),
        record("dreamer", "class_scratch", **inapplicable),
        record(HOSTILE, "rates", family=HOSTILE, **failed),
        record("majority", "baseline", majority, family="baseline"),
    ]


@pytest.fixture(scope="module")
def page(results_from):
    def html(records):
        return html_page(results_from(records))

    return html


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
def read(page, records):
    return Reader(page(records))


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


def test_every_compressor_of_the_records_appears(read, records):
    for record in records:
        assert record.spec in read.text


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
    assert cells[0][1].strip() == "-"
    assert cells[0][0]["data-sort"] == ""
    assert "not ranked" in cells[-1][1]
    assert read.row("big")[0][1].strip() == "1"


def test_failures_and_absences_are_listed_with_their_reasons(read):
    assert "class_scratch: dreams of no code" in read.text
    assert f"rates: timeout, took over 9 s {HOSTILE}" in read.row(HOSTILE)[-1][1]


def test_prior_knowledge_and_unofficial_results_are_marked(read):
    assert "ships 4 KiB of priors" in read.row("dreamer")[-1][1]
    assert "unofficial" in read.text


def test_the_question_is_asked_once(read):
    assert read.text.count(QUESTION) == 1
    assert "Undecided: no suite.json" in read.text


def test_headers_are_buttons_with_a_sort_state(read):
    heads = [
        attrs for tag, attrs in read.tags if tag == "th" and attrs.get("scope") == "col"
    ]
    assert {head["aria-sort"] for head in heads} == {"ascending", "none"}
    assert sum(tag == "button" for tag, _ in read.tags) == len(heads)


def test_vega_is_included_once_and_only_with_charts(read, page, make_record):
    packed = [a for t, a in read.tags if t == "script" and a.get("id") == "packed-vega"]
    assert len(packed) == 1
    assert unpacked(read.scripts[1]).count("window.vegaEmbed=") == 1
    nothing = [make_record("x", "rates", status="crashed", reason="signal 11")]
    assert 'id="packed-vega"' not in page(nothing)


def test_the_same_records_give_the_same_bytes_in_any_order(read, page, records):
    assert page(records[::-1]) == read.source


def test_speed_has_a_column_and_a_baseline_stands_under_the_readout_that_names_it(read):
    headers = next(row for row in read.rows if row and row[0][1].startswith("rank"))
    words = [text for _, text in headers]
    speed, scratch = (
        next(i for i, text in enumerate(words) if text.startswith(header))
        for header in ("compress MB/s", "class bal. acc.")
    )
    assert read.row("mid")[speed][0]["data-sort"] == "30"
    assert read.row("majority")[scratch][0]["data-sort"] == "0.25"
    assert len(read.row("majority")) == len(headers)


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
    names = [row[1][0].get("data-sort") for row in drawn.rows if len(row) == 10]
    assert [name for name in names if name in NAMES] == ["small", "mid", "big"]
    assert sum("data-drawn" in attrs for _, attrs in drawn.tags) == 2


def test_importing_the_page_does_not_load_the_javascript_engine():
    code = "import sys, harness.report.html; print('vl_convert' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
