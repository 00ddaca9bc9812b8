"""Two compressors on the same test samples: differences, intervals, p-values.

Both are resampled together, so that what is hard for both cancels out.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.records.store import Store
from harness.statistics.samples import (
    Difference,
    accuracy_differences,
    accuracy_of,
    balanced_accuracy_of,
    confusion,
    paired_p,
    ratio_difference,
)

BASELINE = "baseline"
PAIRED_BY = ("content_hash", "n_train", "n_test", "seed")
"""What two jobs must share to have seen the same test samples."""


@dataclass(frozen=True, kw_only=True)
class LoadedResult:
    """A record and the per-sample arrays that lie beside it."""

    record: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    @property
    def job(self) -> Mapping[str, Any]:
        """What was run."""
        return dict(self.record["job"])

    @property
    def spec(self) -> str:
        """The compressor, or baseline, as a spec string."""
        return str(self.record["job"]["subject"]["spec"])


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measure of both, and its paired difference (first minus second)."""

    measure: str
    unit: str
    a: float
    b: float
    difference: Difference
    p: float
    test: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that two results of one task on one data set have in common."""

    a: str
    b: str
    dataset: str
    task: str
    seed: int
    n: int
    rows: tuple[Row, ...]


def compare_stored(
    store: Store, a: str, b: str, *, dataset: str, task: str | None = None
) -> list[Comparison]:
    """Return the comparisons of two compressors for every task and draw they share.

    Args:
        store: an output folder with records and arrays.
        a: a spec string as the records have it, or a baseline's name.
        b: the same of the other.
        dataset: a data set's name.
        task: only this one; None for all. Baselines are compared with any.

    Raises:
        UsageError: a data set, compressor or task has no record, did not end well, or
            the two were not run on the same samples; the message says what there is.
    """
    records = _of_dataset(store.read_all(), dataset)
    of_a, of_b = _of_spec(records, a, dataset), _of_spec(records, b, dataset)
    pairs = product(_of_task(of_a, task), _of_task(of_b, task))
    compared = (
        compare(_load(store, first), _load(store, second))
        for first, second in pairs
        if _is_paired(first, second)
    )
    found = [comparison for comparison in compared if comparison.rows]
    if not found:
        what = f"task {task!r}" if task else "task"
        raise UsageError(
            f"{a} and {b} share no {what} with per-sample results on {dataset}; "
            f"{a} has: {_tasks(of_a)}; {b} has: {_tasks(of_b)}"
        )
    return found


def compare(a: LoadedResult, b: LoadedResult) -> Comparison:
    """Return the differences of two results on the same test samples.

    Accuracies come from arrays "credit..." and "labels"; rates from per-sample
    "..._bits" and "n_bytes", scaled to the rates that the records state.

    Raises:
        UsageError: the test samples differ, or the arrays are too old to be paired.
    """
    rng = np.random.default_rng([int(a.job["seed"]), 7])
    rows = [*_accuracy_rows(a, b, rng), *_rate_rows(a, b, rng)]
    tasks = dict.fromkeys(_label(one.job) for one in (a, b))
    return Comparison(
        a=a.spec,
        b=b.spec,
        dataset=str(a.job["dataset"]),
        task=" against ".join(tasks),
        seed=int(a.job["seed"]),
        n=_n_samples(a),
        rows=tuple(rows),
    )


def comparison_text(comparisons: Sequence[Comparison]) -> str:
    """Return comparisons as plain text, a heading and a line per measure."""
    lines = []
    for one in comparisons:
        lines.append(
            f"{one.a} minus {one.b} on {one.dataset}, {one.task}: "
            f"n {one.n}, seed {one.seed}, 95 % given this split"
        )
        lines += [f"  {_row_text(row)}" for row in one.rows]
    return "\n".join(lines)


def _row_text(row: Row) -> str:
    d = row.difference
    return (
        f"{row.measure:<24} {row.a:.4f} {row.b:.4f}  "
        f"{d.value:+.4f} [{d.ci_low:+.4f}, {d.ci_high:+.4f}]  "
        f"p {row.p:.3g} ({row.test})"
    )


def _accuracy_rows(
    a: LoadedResult, b: LoadedResult, rng: np.random.Generator
) -> list[Row]:
    rows = []
    names = {name for one in (a, b) for name in one.arrays if name.startswith("credit")}
    for name in sorted(names):
        # A readout with a single classifier is compared with each of the other's.
        first = a.arrays.get(name, a.arrays.get("credit"))
        second = b.arrays.get(name, b.arrays.get("credit"))
        if first is not None and second is not None:
            suffix = name.removeprefix("credit")
            labels = _labels(a, b, suffix)
            rows += _credit_rows(labels, (first, second), suffix, rng)
    return rows


def _credit_rows(
    labels: NDArray[np.int64],
    credits_: tuple[NDArray[np.float64], NDArray[np.float64]],
    suffix: str,
    rng: np.random.Generator,
) -> list[Row]:
    differences = accuracy_differences(labels, credits_, rng)
    tables = [confusion(labels, credit) for credit in credits_]
    right = [credit[np.arange(len(labels)), labels] for credit in credits_]
    paired, test = paired_p(right[0], right[1], rng)
    balanced = differences["balanced_accuracy"]
    return [
        Row(
            measure=f"balanced_accuracy{suffix}",
            unit="fraction",
            a=balanced_accuracy_of(tables[0]),
            b=balanced_accuracy_of(tables[1]),
            difference=balanced,
            p=balanced.p,
            test="paired bootstrap",
        ),
        Row(
            measure=f"accuracy{suffix}",
            unit="fraction",
            a=accuracy_of(tables[0]),
            b=accuracy_of(tables[1]),
            difference=differences["accuracy"],
            p=paired,
            test=test,
        ),
    ]


def _rate_rows(a: LoadedResult, b: LoadedResult, rng: np.random.Generator) -> list[Row]:
    values = [{s["name"]: s["value"] for s in one.record["scores"]} for one in (a, b)]
    rows = []
    for name in a.arrays:
        measure = name.removesuffix("_bits") + "_bpb"
        if name not in b.arrays or any(measure not in scores for scores in values):
            continue
        sizes = _shared(a, b, "n_bytes").astype(np.float64)
        first, second = (scores[measure] for scores in values)
        # A stream does not fall into samples: lengths of the samples alone stand in.
        scaled = (
            _scaled(a.arrays[name], first * sizes.sum()),
            _scaled(b.arrays[name], second * sizes.sum()),
        )
        difference = ratio_difference(scaled, sizes, rng)
        rows.append(
            Row(
                measure=measure,
                unit="bits/byte",
                a=first,
                b=second,
                difference=difference,
                p=difference.p,
                test="paired bootstrap",
            )
        )
    return rows


def _scaled(bits: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    """Return the same profile of lengths with another sum."""
    scaled: NDArray[np.float64] = bits * (total / bits.sum() if bits.sum() > 0 else 1.0)
    return scaled


def _labels(a: LoadedResult, b: LoadedResult, suffix: str) -> NDArray[np.int64]:
    """Return the true classes behind the credits of this suffix, the same in both."""
    names = [
        f"labels{suffix}" if f"labels{suffix}" in one.arrays else "labels"
        for one in (a, b)
    ]
    labels, others = _array(a, names[0]), _array(b, names[1])
    _check_same(a, b, "labels", (labels, others))
    return labels


def _n_samples(result: LoadedResult) -> int:
    known = [
        len(array)
        for name, array in result.arrays.items()
        if name.startswith("credit") or name == "n_bytes"
    ]
    return max(known, default=0)


def _shared(a: LoadedResult, b: LoadedResult, name: str) -> NDArray[Any]:
    """Return an array that is the same in both."""
    first, second = _array(a, name), _array(b, name)
    _check_same(a, b, name, (first, second))
    return first


def _array(one: LoadedResult, name: str) -> NDArray[Any]:
    if name not in one.arrays:
        raise UsageError(
            f"the arrays of {one.spec} hold no {name}; they are of an older "
            "bitprobe, run the suite again"
        )
    return one.arrays[name]


def _check_same(
    a: LoadedResult,
    b: LoadedResult,
    name: str,
    arrays: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    if not np.array_equal(*arrays):
        raise UsageError(
            f"{a.spec} and {b.spec} were not run on the same test samples "
            f"({name} differ); run both with one suite"
        )


def _of_dataset(
    records: Sequence[Mapping[str, Any]], dataset: str
) -> list[Mapping[str, Any]]:
    found = [r for r in records if r["job"]["dataset"] == dataset]
    if not found:
        offered = sorted({str(r["job"]["dataset"]) for r in records})
        raise UsageError(f"no records of data set {dataset!r}{_hint(dataset, offered)}")
    return found


def _of_spec(
    records: Sequence[Mapping[str, Any]], spec: str, dataset: str
) -> list[Mapping[str, Any]]:
    """Return the readouts of one compressor; its fits have nothing to compare."""
    readouts = [r for r in records if r["job"]["task"] != "fit"]
    found = [r for r in readouts if r["job"]["subject"]["spec"] == spec]
    if not found:
        offered = sorted({str(r["job"]["subject"]["spec"]) for r in readouts})
        raise UsageError(f"no records of {spec!r} on {dataset}{_hint(spec, offered)}")
    return found


def _of_task(
    records: Sequence[Mapping[str, Any]], task: str | None
) -> list[Mapping[str, Any]]:
    """Return what can be compared; a named task that did not end well is an error."""
    if task is None:
        return [r for r in records if r["status"] == "done"]
    found = [r for r in records if r["job"]["task"] in (task, BASELINE)]
    for record in found:
        if record["status"] != "done":
            spec = record["job"]["subject"]["spec"]
            raise UsageError(
                f"{task} of {spec} ended as {record['status']}: {record['reason']}"
            )
    return found


def _is_paired(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    a, b = first["job"], second["job"]
    if any(a[name] != b[name] for name in PAIRED_BY):
        return False
    same = all(a[name] == b[name] for name in ("task", "version", "parameters"))
    return same or BASELINE in (a["task"], b["task"])


def _load(store: Store, record: Mapping[str, Any]) -> LoadedResult:
    path = store.folder / "arrays" / f"{record['key']}.npz"
    if not path.exists():
        return LoadedResult(record=record, arrays={})
    with np.load(path, allow_pickle=False) as arrays:
        return LoadedResult(record=record, arrays=dict(arrays))


def _label(job: Mapping[str, Any]) -> str:
    given = ", ".join(f"{k}={v}" for k, v in sorted(job["parameters"].items()))
    return f"{job['task']}({given})" if given else str(job["task"])


def _tasks(records: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(sorted({f"{r['job']['task']} ({r['status']})" for r in records}))


def _hint(asked: str, offered: Sequence[str]) -> str:
    close = difflib.get_close_matches(asked, offered, n=1)
    return (
        f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(offered)}"
    )
