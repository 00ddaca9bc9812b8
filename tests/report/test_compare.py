"""Paired comparison of stored results, against second computations on the raw arrays."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.analysis.compare import (
    Comparison,
    LoadedResult,
    compare,
    compare_stored,
    comparison_text,
)
from harness.errors import UsageError
from harness.records.store import Store

N = 200
LABELS = np.arange(N) % 4
SIZES = np.random.default_rng(0).integers(50, 150, N)


def record(key: str, spec: str, task: str, **changes: object) -> dict:
    job = {
        "task": task,
        "version": 1,
        "parameters": {"equal_bytes": True} if task == "class_scratch" else {},
        "subject": {"spec": spec},
        "dataset": "digits",
        "content_hash": "c0ffee",
        "n_train": None,
        "n_test": N,
        "seed": 0,
    }
    about = {"status": "done", "reason": "", "scores": []}
    for name, value in changes.items():
        (about if name in about else job)[name] = value
    return {"key": key, "job": job, **about}


def answers(seed: int, share_right: float) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.where(draw.random(N) < share_right, LABELS, (LABELS + 1) % 4)


def classified(
    key: str, spec: str, given: np.ndarray, **changes: object
) -> LoadedResult:
    return LoadedResult(
        record=record(key, spec, "class_scratch", **changes),
        arrays={"credit": np.eye(4)[given], "labels": LABELS},
    )


def rated(key: str, spec: str, bits: np.ndarray, bpb: float) -> LoadedResult:
    scores = [{"name": "heldout_bpb", "value": bpb}]
    return LoadedResult(
        record=record(key, spec, "rates", scores=scores),
        arrays={"heldout_bits": bits, "n_bytes": SIZES},
    )


GOOD, POOR = answers(1, 0.9), answers(2, 0.7)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Holds class codes and rates of two codecs, a baseline, and a readout that failed."""
    made = Store(tmp_path)
    made.open()
    results = [
        classified("a", "zstd", GOOD),
        classified("b", "gzip", POOR),
        rated("c", "zstd", SIZES * 2.0, 1.9),
        rated("d", "gzip", SIZES * 3.0, 2.9),
        LoadedResult(
            record=record("e", "tfidf_svm", "baseline"),
            arrays={"credit": np.eye(4)[GOOD], "labels": LABELS},
        ),
        LoadedResult(record=record("f", "zstd", "ncd_knn"), arrays={}),
        LoadedResult(
            record=record("g", "gzip", "ncd_knn", status="timeout", reason="60 s"),
            arrays={},
        ),
        LoadedResult(record=record("h", "zstd", "fit"), arrays={}),
    ]
    for one in results:
        made.write(one.record["key"], one.record)
        if one.arrays:
            np.savez(tmp_path / "arrays" / f"{one.record['key']}.npz", **one.arrays)
    return made


def rows_of(comparison: Comparison) -> dict:
    return {row.measure: row for row in comparison.rows}


def test_the_p_of_accuracy_is_the_binomial_test_of_discordant_samples():
    rows = rows_of(
        compare(classified("a", "zstd", GOOD), classified("b", "gzip", POOR))
    )
    only_a = int(((GOOD == LABELS) & (POOR != LABELS)).sum())
    only_b = int(((GOOD != LABELS) & (POOR == LABELS)).sum())
    row = rows["accuracy"]
    assert row.p == pytest.approx(scipy_stats.binomtest(only_a, only_a + only_b).pvalue)
    assert row.test == "McNemar, exact"
    assert row.difference.value == pytest.approx((only_a - only_b) / N)


def test_balanced_accuracy_and_its_interval_equal_scipys_paired_bootstrap():
    row = rows_of(
        compare(classified("a", "zstd", GOOD), classified("b", "gzip", POOR))
    )["balanced_accuracy"]

    def difference(rows: np.ndarray) -> float:
        recalls = [
            (np.mean((given == LABELS)[rows][LABELS[rows] == c]), sign)
            for given, sign in ((GOOD, 1), (POOR, -1))
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
    found = row.difference
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(expected), abs=0.015)
    assert row.a - row.b == pytest.approx(row.difference.value)


def test_shared_ties_take_the_bootstrap_instead_of_mcnemar():
    a = classified("a", "zstd", GOOD)
    tied = np.eye(4)[POOR]
    tied[0] = [0.5, 0.5, 0, 0]
    b = LoadedResult(
        record=record("b", "gzip", "class_scratch"),
        arrays={"credit": tied, "labels": LABELS},
    )
    assert rows_of(compare(a, b))["accuracy"].test == "paired bootstrap"


def test_the_difference_of_rates_is_that_of_the_records_with_an_interval_around_it():
    draw = np.random.default_rng(3)
    bits = SIZES * 2.0 + draw.normal(0, 20, N)
    row = rows_of(
        compare(rated("a", "zstd", bits, 1.9), rated("b", "gzip", bits + 50, 2.9))
    )["heldout_bpb"]
    assert (row.a, row.b) == (1.9, 2.9)
    assert row.difference.value == pytest.approx(-1.0)
    scaled = bits * 1.9 / 2 - (bits + 50) * 2.9 / 2.5  # about the rates before scaling
    half = 1.96 * np.std(scaled - row.difference.value * SIZES) / SIZES.mean() / N**0.5
    assert row.difference.ci_high - row.difference.ci_low == pytest.approx(
        2 * half, rel=0.15
    )


def test_stored_results_are_paired_by_task_and_draw(store: Store):
    found = compare_stored(store, "zstd", "gzip", dataset="digits")
    assert [one.task for one in found] == ["class_scratch(equal_bytes=True)", "rates"]
    assert found[0].n == found[1].n == N
    (only,) = compare_stored(store, "zstd", "gzip", dataset="digits", task="rates")
    assert rows_of(only)["heldout_bpb"].difference.value == pytest.approx(-1.0)


def test_a_baseline_is_compared_with_the_readouts_of_a_compressor(store: Store):
    (found,) = compare_stored(store, "gzip", "tfidf_svm", dataset="digits")
    assert found.task == "class_scratch(equal_bytes=True) against baseline"
    assert rows_of(found)["accuracy"].difference.value < 0


def test_several_classifiers_of_a_readout_are_compared_one_by_one():
    knn = [
        LoadedResult(
            record=record(key, spec, "ncd_knn"),
            arrays={
                "credit_k1": np.eye(4)[given],
                "credit_k3": np.eye(4)[GOOD],
                "labels": LABELS,
            },
        )
        for key, spec, given in (("a", "zstd", GOOD), ("b", "gzip", POOR))
    ]
    rows = rows_of(compare(*knn))
    assert list(rows) == [
        *("balanced_accuracy_k1", "accuracy_k1"),
        *("balanced_accuracy_k3", "accuracy_k3"),
    ]
    assert rows["accuracy_k1"].difference.value > 0
    assert rows["accuracy_k3"].p == 1


def test_a_classifier_with_labels_of_its_own_name_is_paired_by_them():
    probes = [
        LoadedResult(
            record=record(key, spec, "landmark_probe"),
            arrays={
                "credit_pca64": np.eye(4)[given],
                "labels_pca64": LABELS,
                "labels_train": np.zeros(999, np.int64),
            },
        )
        for key, spec, given in (("a", "zstd", GOOD), ("b", "gzip", POOR))
    ]
    found = compare(*probes)
    assert found.n == N
    assert rows_of(found)["accuracy_pca64"].difference.value > 0


def test_the_text_has_one_line_per_measure_under_a_heading(store: Store):
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
def test_what_is_missing_is_one_line_that_says_what_there_is(
    store: Store, asked: dict, message: str
):
    given = {"a": "zstd", "b": "gzip", "dataset": "digits", "task": None} | asked
    with pytest.raises(UsageError) as caught:
        compare_stored(store, given.pop("a"), given.pop("b"), **given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_results_on_other_samples_or_without_sizes_are_refused():
    a, b = classified("a", "zstd", GOOD), classified("b", "gzip", POOR)
    other = LoadedResult(record=b.record, arrays={**b.arrays, "labels": LABELS[::-1]})
    with pytest.raises(UsageError, match="not run on the same test samples"):
        compare(a, other)
    first, second = (rated(spec, spec, SIZES * 2.0, 2.0) for spec in ("zstd", "gzip"))
    old = LoadedResult(record=second.record, arrays={"heldout_bits": SIZES * 2.0})
    with pytest.raises(UsageError, match="hold no n_bytes"):
        compare(first, old)


def test_another_seed_is_another_draw_and_not_a_pair(store: Store):
    moved = record("b", "gzip", "class_scratch", seed=1)
    store.write("b", moved)
    with pytest.raises(UsageError, match="share no task 'class_scratch'"):
        compare_stored(store, "zstd", "gzip", dataset="digits", task="class_scratch")
