"""Paired comparison of stored results, against second computations on the raw arrays."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.analysis.compare import (
    LoadedResult,
    compare,
    compare_stored,
    comparison_text,
)
from harness.errors import UsageError
from harness.planning.manifest import Manifest, RunSet, cell_of, write_manifest
from harness.records.record import Record
from harness.records.store import Store

N = 200
LABELS = np.arange(N) % 4
SIZES = np.random.default_rng(0).integers(50, 150, N)


def answers(seed, share_right):
    draw = np.random.default_rng(seed)
    return np.where(draw.random(N) < share_right, LABELS, (LABELS + 1) % 4)


GOOD, POOR = answers(1, 0.9), answers(2, 0.7)


@pytest.fixture
def classified(make_record, make_score):
    """Return what makes the answers of a compressor, with the score behind them."""

    def make(spec, classes, task="class_scratch", **about):
        equal = {"equal_bytes": True} if task == "class_scratch" else {}
        record = make_record(spec, task, [make_score()], parameters=equal, **about)
        arrays = {"credit": np.eye(4)[classes], "labels": LABELS}
        return LoadedResult(record=record, arrays=arrays)

    return make


@pytest.fixture
def rated(make_record, make_score):
    """Return what makes the rates of a compressor, with its code lengths."""

    def make(spec, bits, bpb, **about):
        record = make_record(spec, "rates", [make_score("heldout_bpb", bpb)], **about)
        return LoadedResult(
            record=record, arrays={"heldout_bits": bits, "n_bytes": SIZES}
        )

    return make


@pytest.fixture
def store(tmp_path, classified, rated, make_record):
    """Holds class codes and rates of two codecs, a baseline, and a readout that failed."""
    folder = Store(tmp_path)
    folder.open()
    results = [
        classified("zstd", GOOD),
        classified("gzip", POOR),
        rated("zstd", SIZES * 2.0, 1.9),
        rated("gzip", SIZES * 3.0, 2.9),
        classified("tfidf_svm", GOOD, "baseline"),
        make_record("zstd", "ncd_knn"),
        make_record("gzip", "ncd_knn", status="timeout", reason="60 s"),
        make_record("zstd", "fit"),
    ]
    for result in results:
        write(folder, result)
    return folder


def write(store, result):
    if isinstance(result, Record):
        result = LoadedResult(record=result, arrays={})
    store.write(result.record)
    if result.arrays:
        np.savez(store.arrays_path(result.record.key), **result.arrays)


def rows_of(comparison):
    return {row.measure: row for row in comparison.rows}


def test_the_p_of_accuracy_is_the_binomial_test_of_discordant_samples(classified):
    rows = rows_of(compare(classified("zstd", GOOD), classified("gzip", POOR)))
    only_a = int(((GOOD == LABELS) & (POOR != LABELS)).sum())
    only_b = int(((GOOD != LABELS) & (POOR == LABELS)).sum())
    row = rows["accuracy"]
    assert row.p == pytest.approx(scipy_stats.binomtest(only_a, only_a + only_b).pvalue)
    assert row.test == "McNemar, exact"
    assert row.difference.value == pytest.approx((only_a - only_b) / N)


def test_balanced_accuracy_and_its_interval_equal_scipys_paired_bootstrap(classified):
    row = rows_of(compare(classified("zstd", GOOD), classified("gzip", POOR)))[
        "balanced_accuracy"
    ]

    def difference(rows):
        recalls = [
            (np.mean((classes == LABELS)[rows][LABELS[rows] == c]), sign)
            for classes, sign in ((GOOD, 1), (POOR, -1))
            for c in range(4)
        ]
        return sum(recall * sign for recall, sign in recalls) / 4

    assert row.difference.value == pytest.approx(difference(np.arange(N)))
    expected = scipy_stats.bootstrap(
        (np.arange(N),),
        difference,
        vectorized=False,
        n_resamples=1500,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    paired = row.difference
    assert (paired.ci_low, paired.ci_high) == pytest.approx(tuple(expected), abs=0.015)
    assert row.a - row.b == pytest.approx(row.difference.value)


def test_shared_ties_take_the_bootstrap_instead_of_mcnemar(classified):
    a = classified("zstd", GOOD)
    tied = np.eye(4)[POOR]
    tied[0] = [0.5, 0.5, 0, 0]
    b = replace(classified("gzip", POOR), arrays={"credit": tied, "labels": LABELS})
    assert rows_of(compare(a, b))["accuracy"].test == "paired bootstrap"


def test_the_pairedof_rates_is_that_of_the_records_with_an_interval_around_it(
    rated,
):
    draw = np.random.default_rng(3)
    bits = SIZES * 2.0 + draw.normal(0, 20, N)
    row = rows_of(compare(rated("zstd", bits, 1.9), rated("gzip", bits + 50, 2.9)))[
        "heldout_bpb"
    ]
    assert (row.a, row.b) == (1.9, 2.9)
    assert row.difference.value == pytest.approx(-1.0)
    scaled = bits * 1.9 / 2 - (bits + 50) * 2.9 / 2.5  # about the rates before scaling
    half = 1.96 * np.std(scaled - row.difference.value * SIZES) / SIZES.mean() / N**0.5
    assert row.difference.ci_high - row.difference.ci_low == pytest.approx(
        2 * half, rel=0.15
    )


def test_stored_results_are_paired_by_task_and_draw(store):
    comparisons = compare_stored(store, "zstd", "gzip", dataset="digits")
    assert [each.task for each in comparisons] == [
        "class_scratch(equal_bytes=True)",
        "rates",
    ]
    assert comparisons[0].n == comparisons[1].n == N
    (only,) = compare_stored(store, "zstd", "gzip", dataset="digits", task="rates")
    assert rows_of(only)["heldout_bpb"].difference.value == pytest.approx(-1.0)


def test_a_baseline_is_compared_with_the_readouts_of_a_compressor(store):
    (comparison,) = compare_stored(store, "gzip", "tfidf_svm", dataset="digits")
    assert comparison.task == "class_scratch(equal_bytes=True) against baseline"
    assert rows_of(comparison)["accuracy"].difference.value < 0


def test_several_classifiers_of_a_readout_are_compared_one_by_one(
    make_record, make_score
):
    scores = [make_score(n_neighbours=k) for k in (1, 3)]
    knn = [
        LoadedResult(
            record=make_record(spec, "ncd_knn", scores),
            arrays={
                "credit_k1": np.eye(4)[classes],
                "credit_k3": np.eye(4)[GOOD],
                "labels": LABELS,
            },
        )
        for spec, classes in (("zstd", GOOD), ("gzip", POOR))
    ]
    rows = rows_of(compare(*knn))
    assert list(rows) == [
        *("balanced_accuracy_k1", "accuracy_k1"),
        *("balanced_accuracy_k3", "accuracy_k3"),
    ]
    assert rows["accuracy_k1"].difference.value > 0
    assert rows["accuracy_k3"].p == 1


def test_a_readout_with_one_classifier_is_compared_with_each_of_the_others(
    classified, make_record, make_score
):
    knn = LoadedResult(
        record=make_record("zstd", "ncd_knn", [make_score(n_neighbours=1)]),
        arrays={"credit_k1": np.eye(4)[GOOD], "labels": LABELS},
    )
    rows = rows_of(compare(knn, classified("tfidf_svm", POOR, "baseline")))
    assert rows["accuracy_k1"].difference.value > 0


def test_a_classifier_with_labels_of_its_own_name_is_paired_by_them(
    make_record, make_score
):
    probes = [
        LoadedResult(
            record=make_record(spec, "landmark_probe", [make_score(n_dimensions=64)]),
            arrays={
                "credit_pca64": np.eye(4)[classes],
                "labels_pca64": LABELS,
                "labels_train": np.zeros(999, np.int64),
            },
        )
        for spec, classes in (("zstd", GOOD), ("gzip", POOR))
    ]
    comparison = compare(*probes)
    assert comparison.n == N
    assert rows_of(comparison)["accuracy_pca64"].difference.value > 0


def test_the_text_has_one_line_per_measure_under_a_heading(store):
    text = comparison_text(compare_stored(store, "zstd", "gzip", dataset="digits"))
    lines = text.splitlines()
    assert len(lines) == 2 + 3
    assert lines[0].startswith("zstd minus gzip on digits, class_scratch")
    assert "McNemar" in text
    assert "heldout_bpb" in text


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"dataset": "digit"}, "no records of data set 'digit'; did you mean digits?"),
        ({"b": "gzpi"}, "no records of 'gzpi' on digits; did you mean gzip?"),
        ({"b": "brotli!"}, "there are: gzip, tfidf_svm, zstd"),
        ({"task": "ncd_knn"}, "ncd_knn of gzip ended as timeout: 60 s"),
        ({"task": "window"}, "zstd has: class_scratch (done), ncd_knn (done), rates"),
    ],
)
def test_what_is_missing_is_one_line_that_says_what_there_is(store, asked, message):
    about = {"a": "zstd", "b": "gzip", "dataset": "digits", "task": None} | asked
    with pytest.raises(UsageError) as error:
        compare_stored(store, about.pop("a"), about.pop("b"), **about)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_results_on_other_samples_or_without_sizes_are_refused(classified, rated):
    a, b = classified("zstd", GOOD), classified("gzip", POOR)
    other = replace(b, arrays={**b.arrays, "labels": LABELS[::-1]})
    with pytest.raises(UsageError, match="not run on the same test samples"):
        compare(a, other)
    first, second = (rated(spec, SIZES * 2.0, 2.0) for spec in ("zstd", "gzip"))
    old = replace(second, arrays={"heldout_bits": SIZES * 2.0})
    with pytest.raises(UsageError, match="hold no n_bytes"):
        compare(first, old)


def test_another_seed_is_another_draw_and_not_a_pair(store, classified):
    asked = {"dataset": "digits", "task": "class_scratch"}
    write(store, classified("ppmd", GOOD, seed=1))
    with pytest.raises(UsageError, match="share no task 'class_scratch'"):
        compare_stored(store, "ppmd", "gzip", **asked)


def test_records_without_arrays_say_that_there_is_nothing_to_resample(store):
    for path in (store.folder / "arrays").iterdir():
        path.unlink()
    with pytest.raises(UsageError, match="no per-sample results that zstd and gzip"):
        compare_stored(store, "zstd", "gzip", dataset="digits")


@pytest.mark.parametrize(
    "form",
    [
        "net(size='10k', steps=5)",
        'net(size="10k",steps=5)',
        "net(steps=5, size='10k')",
        " net( steps = 5, size = '10k' ) ",
    ],
)
def test_a_spec_is_found_in_whatever_form_it_is_written(store, classified, form):
    write(store, classified("net(size='10k', steps=5)", GOOD))
    (comparison,) = compare_stored(store, form, "gzip", dataset="digits")
    assert comparison.a == "net(size='10k', steps=5)"


@pytest.mark.parametrize("form", ["net(size='10k')", "net(size='10k', steps=6)", "net"])
def test_another_configuration_is_not_found(store, classified, form):
    write(store, classified("net(size='10k', steps=5)", GOOD))
    with pytest.raises(UsageError, match="no records of"):
        compare_stored(store, form, "gzip", dataset="digits")


def test_of_several_records_of_a_cell_the_one_of_the_newest_run_counts(
    store, classified
):
    """A codec whose source changed has a record under its old key, too."""
    old, new = (
        classified("zstd", classes, source_hash=source)
        for classes, source in ((POOR, "old"), (GOOD, "new"))
    )
    for result in (old, new):
        write(store, result)
    asked = {"dataset": "digits", "task": "class_scratch"}
    for current, sign in ((old, 0), (new, 1)):
        jobs = [current.job, classified("gzip", POOR).job]
        keys = {cell_of(job): job.key for job in jobs}
        manifest = Manifest(
            name="t", title="", datasets=["digits"], sets=[RunSet(keys=keys)]
        )
        write_manifest(store.folder, manifest)
        (comparison,) = compare_stored(store, "zstd", "gzip", **asked)
        assert np.sign(rows_of(comparison)["accuracy"].difference.value) == sign


def test_without_a_manifest_one_record_of_the_latest_version_stands_for_a_cell(
    store, classified
):
    for spec in ("zstd", "gzip"):
        write(store, classified(spec, GOOD, version=2))
    asked = {"dataset": "digits", "task": "class_scratch"}
    (comparison,) = compare_stored(store, "zstd", "gzip", **asked)
    assert rows_of(comparison)["accuracy"].difference.value == 0
