"""Published figures, recomputed: to the digits printed where the data is at hand."""

import bz2
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import zstandard

from harness.commands.published import run_published
from harness.data.dataset import Dataset, Split
from harness.errors import DatasetError, SuiteError
from harness.published import (
    corpora,
    digits_by_zip,
    entropy,
    nearest,
    protocols,
    zstd_classes,
)
from harness.published.rows import (
    FILE,
    Outcome,
    Row,
    Table,
    published_table,
    selected_rows,
)
from harness.report.published import NO_DATA, cells, published_markdown, summary

TABLE = published_table()
ROWS = {row.name: row for row in TABLE.rows}
# Rows whose figure is another method's, or not reached; docs/published.md says why.
UNEQUAL = {"calgary_gzip", "canterbury_xz", "gzip_r8", "mnist_zip_binary"}
QUICK = [
    *("calgary_bzip2", "calgary_xz", "canterbury_bzip2", "calgary18_bzip2"),
    *("ftcc_r8", "ucr_acsf1", "ucr_arrow_head", "ucr_gun_point"),
    *("ucr_italy_power_demand", "ucr_osu_leaf"),
]
SLOW = [
    row.name
    for row in TABLE.rows
    if row.name not in {*QUICK, *UNEQUAL} and not row.beside
]


def check(name):
    outcome = protocols.outcome_of(ROWS[name])
    if outcome.ours is None:
        pytest.skip(outcome.reason)
    assert outcome.is_equal, outcome.ours


@pytest.mark.parametrize("name", QUICK)
def test_a_figure_is_reproduced_to_its_digits(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_a_figure_that_takes_longer_is_reproduced_to_its_digits(name):
    check(name)


def test_every_row_has_a_protocol_and_every_protocol_a_row():
    assert {row.protocol for row in TABLE.rows} == set(protocols.PROTOCOLS)
    assert len(TABLE.rows) >= 12


def test_every_source_is_used_and_says_where_its_figure_was_read():
    assert {row.source for row in TABLE.rows} == set(TABLE.sources)
    assert all(source.checked for source in TABLE.sources.values())


def row(figure="0.5", **about):
    values = {"name": "r", "source": "s", "data": "d", "protocol": "p", "method": "m"}
    return Row(**(values | {"figure": figure, "unit": "u"} | about))


@pytest.mark.parametrize(
    ("figure", "ours", "shown"),
    [
        ("0.50", 0.504, "equal"),
        ("0.50", 0.506, "+0.006"),
        ("1,000", 999.0, "-1"),
        ("1,000", 1000.0, "equal"),
    ],
)
def test_equal_means_equal_to_the_digits_printed(figure, ours, shown):
    assert cells(Outcome(row=row(figure), ours=ours))[5] == shown


def test_a_row_without_data_is_shown_with_its_reason():
    outcome = Outcome(row=row(), ours=None, reason="cannot fetch it")
    assert NO_DATA in cells(outcome)
    text = published_markdown([outcome], {"s": TABLE.sources["ftcc"]})
    assert "- r: cannot fetch it" in text
    assert "1 have no data here" in summary([outcome])


def test_a_protocol_without_data_gives_no_figure(monkeypatch):
    def refuse(_):
        raise DatasetError("no network")

    monkeypatch.setattr(corpora, "load_dataset", refuse)
    outcome = protocols.outcome_of(ROWS["calgary_bzip2"])
    assert (outcome.ours, outcome.reason) == (None, "no network")


def test_another_method_beside_theirs_is_never_called_equal():
    outcome = Outcome(row=row("5", beside=True), ours=5.0)
    assert cells(outcome)[5] == "(+0)"
    assert summary([outcome]).startswith("0 of 0")


def test_rows_are_selected_by_globs_and_a_wrong_name_is_refused():
    assert [r.name for r in selected_rows(TABLE, ["ftcc_*"])] == [
        *("ftcc_r8", "ftcc_r52", "ftcc_20news")
    ]
    with pytest.raises(SuiteError, match="no published row 'x'; there are: halford"):
        selected_rows(TABLE, ["x"])


def test_two_rows_of_one_name_and_a_missing_source_are_refused():
    source = TABLE.sources["ftcc"]
    with pytest.raises(ValueError, match="two rows have one name"):
        Table(sources={"s": source}, rows=[row(), row()])
    with pytest.raises(ValueError, match="no source 't'"):
        Table(sources={"s": source}, rows=[row(source="t")])


def test_the_command_prints_the_table_and_writes_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(entropy, "xor_bits", lambda _k, n, _rng: np.zeros(n, np.uint8))
    run_published(["dzip_hmm"], tmp_path / "out")
    assert "0.469" in capsys.readouterr().out
    values = json.loads((tmp_path / "out" / "rows.json").read_text())
    assert values["rows"][0]["equal"]
    assert "| equal |" in (tmp_path / "out" / "table.md").read_text()


def test_xor_bits_are_the_exclusive_or_of_two_bits_before():
    bits = entropy.xor_bits(5, 200, np.random.default_rng(0))
    assert (bits[5:] == (bits[4:-1] ^ bits[:-5])).all()
    assert 0 < bits.sum() < 200


def test_the_estimator_s_code_is_that_of_its_predictions_one_by_one():
    bits = [1, 0, 0, 1, 1, 1, 0, 1]
    length, counts = 0.0, [0, 0]
    for bit in bits:
        length -= np.log2((counts[bit] + 0.5) / (sum(counts) + 1))
        counts[bit] += 1
    assert entropy.estimator_bits(sum(bits), len(bits)) == pytest.approx(length)
    assert entropy.estimator_bits(0, 0) == 0


def test_the_growth_of_a_file_is_that_of_compressing_it_anew():
    text, images = bytes(range(256)) * 40, [bytes(784), bytes(range(200)) * 4]
    growth = digits_by_zip._growth(text, images, level=9, window_bits=15)
    alone = len(zlib.compress(text, 9))
    assert growth.tolist() == [len(zlib.compress(text + i, 9)) - alone for i in images]


def test_euclidean_neighbours_are_those_of_all_distances():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(40, 7)), rng.normal(size=(700, 7))
    labels, truth = rng.integers(0, 3, 40), rng.integers(0, 3, 700)
    distances = ((test[:, None] - train[None]) ** 2).sum(axis=2)
    wrong = labels[distances.argmin(axis=1)] != truth
    error = nearest.euclidean_error(train, labels, test, truth)
    assert error == pytest.approx(wrong.mean())


def toy(train, test):
    classes = tuple(sorted({label for _, label in [*train, *test]}))
    splits = [
        Split(
            samples=tuple(text for text, _ in rows),
            labels=np.array([classes.index(label) for _, label in rows]),
        )
        for rows in (train, test)
    ]
    return Dataset(
        name="toy", kind="text", classes=classes, train=splits[0], test=splits[1]
    )


LETTERS = np.random.default_rng(0).choice(list(b"abc"), (9, 60)).astype(np.uint8)
SAMPLES = [(row.tobytes(), "ab"[i % 2]) for i, row in enumerate(LETTERS)]


def test_a_class_is_answered_by_the_shortest_code_after_its_texts(monkeypatch):
    data = toy(SAMPLES, [(SAMPLES[0][0], "a"), (SAMPLES[1][0], "a")])
    monkeypatch.setattr(zstd_classes, "load_dataset", lambda _: data)
    # The second test text is one of class b in train, so that its answer is wrong.
    assert zstd_classes.prefix_accuracy(dataset="toy", level=3) == 0.5


def test_documents_are_counted_from_the_first_that_sees_two_classes(monkeypatch):
    data = toy([*SAMPLES[:2]] * 6, [*SAMPLES[:2]] * 6)
    monkeypatch.setattr(zstd_classes, "load_dataset", lambda _: data)
    n_right = zstd_classes.streaming_accuracy(
        classes=["a", "b"], level=3, window=1 << 20, rebuild_every=1, seed=0
    )
    # Two texts alternate: whoever has seen both recognises each.
    assert 21 <= n_right <= 23


def test_a_raw_dictionary_is_what_a_decoder_needs():
    text = SAMPLES[0][0]
    code = zstd_classes.primed(text, 3).compress(text)
    dictionary = zstandard.ZstdCompressionDict(
        text, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    decoder = zstandard.ZstdDecompressor(dict_data=dictionary)
    assert decoder.decompress(code) == text
    assert len(code) < len(zstandard.compress(text, 3))


def test_sizes_of_a_corpus_are_those_of_its_files_one_by_one(monkeypatch):
    files = toy([], [(text, "a") for text, _ in SAMPLES[:3]])
    named = Dataset(**(vars(files) | {"names": ("x", "y", "z")}))
    monkeypatch.setattr(corpora, "load_dataset", lambda _: named)
    size = corpora.corpus_bytes(dataset="toy", spec="bz2", without=["y"])
    assert size == sum(len(bz2.compress(SAMPLES[i][0])) for i in (0, 2))


def test_the_table_comes_with_the_suites():
    assert (Path("suites") / FILE).name == "rows.toml"
