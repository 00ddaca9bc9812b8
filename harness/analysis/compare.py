"""Two compressors on the same test samples: differences, intervals, p-values.

Both are resampled together, so that what is hard for both cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis.paired_records import paired_records
from harness.errors import UsageError
from harness.records.job import Job
from harness.records.record import Record
from harness.records.score import BALANCED_ACCURACY, HEADLINE, PLAIN, Score, Variant
from harness.records.store import Store
from harness.statistics.accuracy import (
    accuracy_differences,
    accuracy_of,
    balanced_accuracy_of,
    paired_p,
    tallies,
)
from harness.statistics.resampling import Difference, ratio_difference

LENGTHS: Mapping[str, str] = MappingProxyType(
    {
        "cold_bpb": "cold_bits",
        "stream_bpb": "stream_bits",
        "isolated_bpb": "isolated_bits",
        HEADLINE: "heldout_bits",
        "true_half_bpb": "true_half_bits",
    }
)
"""Arrays of per-sample code lengths, by the rate that they make."""


@dataclass(frozen=True, kw_only=True)
class LoadedResult:
    """A record and the per-sample arrays that lie beside it."""

    record: Record
    arrays: Mapping[str, NDArray[Any]]

    @property
    def job(self) -> Job:
        """The job of the record."""
        return self.record.job

    @property
    def spec(self) -> str:
        """The compressor, or baseline, as a spec string."""
        return self.record.spec

    @property
    def classifiers(self) -> dict[str, Variant]:
        """Classifiers whose answers are stored: variants by the names of their arrays."""
        variants = {f"credit{s.variant.words}": s.variant for s in self.record.scores}
        return {name: v for name, v in variants.items() if name in self.arrays}

    @property
    def rates(self) -> dict[str, float]:
        """Rates over all test samples, by metric."""
        return {
            score.metric: score.value
            for score in self.record.scores
            if score.variant == PLAIN and not score.deduplicated
        }


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
    """Paired differences of two results of one task on one data set."""

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
        a: a spec in any form, or a baseline's name.
        b: the same of the other.
        dataset: a data set's name.
        task: only this one; None for all. Baselines are compared with any.

    Raises:
        UsageError: a data set, compressor or task has no record, did not end well, or
            the two were not run on the same samples; the message says what there is.
    """
    pairs = paired_records(store, a, b, dataset=dataset, task=task)
    comparisons = [
        compare(*(_load(store, record) for record in pair)) for pair in pairs
    ]
    comparisons = [comparison for comparison in comparisons if comparison.rows]
    if not comparisons:
        raise UsageError(
            f"{store.folder} has no per-sample results that {a} and {b} share on "
            f"{dataset}; run the suite into a folder of your own and compare there"
        )
    return comparisons


def compare(a: LoadedResult, b: LoadedResult) -> Comparison:
    """Return the differences of two results on the same test samples.

    Accuracies come from arrays "credit..." and "labels"; rates from per-sample
    "..._bits" and "n_bytes", scaled to the rates that the records state.

    Raises:
        UsageError: the test samples differ, or the arrays are too old to be paired.
    """
    # Seeded by the draw: the same comparison prints the same interval again.
    rng = np.random.default_rng([a.job.seed, 7])
    rows = [*_accuracy_rows(a, b, rng), *_rate_rows(a, b, rng)]
    tasks = dict.fromkeys(_label(result.job) for result in (a, b))
    return Comparison(
        a=a.spec,
        b=b.spec,
        dataset=a.job.dataset,
        task=" against ".join(tasks),
        seed=a.job.seed,
        n=_n_samples(a),
        rows=tuple(rows),
    )


def comparison_text(comparisons: Sequence[Comparison]) -> str:
    """Return comparisons as plain text, a heading and a line per measure."""
    lines = []
    for comparison in comparisons:
        lines.append(
            f"{comparison.a} minus {comparison.b} on {comparison.dataset}, "
            f"{comparison.task}: n {comparison.n}, seed {comparison.seed}, "
            "95 % given this split"
        )
        lines += [f"  {_row_text(row)}" for row in comparison.rows]
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
    for name, variant in sorted({**a.classifiers, **b.classifiers}.items()):
        # A readout with a single classifier is compared with each of the other's.
        first = a.arrays.get(name, a.arrays.get("credit"))
        second = b.arrays.get(name, b.arrays.get("credit"))
        if first is not None and second is not None:
            labels = _labels(a, b, variant)
            rows += _credit_rows(labels, (first, second), variant, rng)
    return rows


def _credit_rows(
    labels: NDArray[np.int64],
    credits_: tuple[NDArray[np.float64], NDArray[np.float64]],
    variant: Variant,
    rng: np.random.Generator,
) -> list[Row]:
    # Both are read off the same resamples, so that what is hard for both cancels out.
    differences = accuracy_differences(labels, credits_, rng)
    tables = [tallies(labels, credit) for credit in credits_]
    right = [credit[np.arange(len(labels)), labels] for credit in credits_]
    paired, test = paired_p(right[0], right[1], rng)
    balanced = differences["balanced_accuracy"]
    return [
        Row(
            measure=_name(BALANCED_ACCURACY, variant),
            unit="fraction",
            a=balanced_accuracy_of(tables[0]),
            b=balanced_accuracy_of(tables[1]),
            difference=balanced,
            p=balanced.p,
            test="paired bootstrap",
        ),
        Row(
            measure=_name("accuracy", variant),
            unit="fraction",
            a=accuracy_of(tables[0]),
            b=accuracy_of(tables[1]),
            difference=differences["accuracy"],
            p=paired,
            test=test,
        ),
    ]


def _name(metric: str, variant: Variant) -> str:
    return Score(metric=metric, value=0.0, unit="", variant=variant).name


def _rate_rows(a: LoadedResult, b: LoadedResult, rng: np.random.Generator) -> list[Row]:
    rows = []
    for metric, name in LENGTHS.items():
        is_stored = name in a.arrays and name in b.arrays
        if not (is_stored and metric in a.rates and metric in b.rates):
            continue
        sizes = _shared(a, b, "n_bytes").astype(np.float64)
        first, second = a.rates[metric], b.rates[metric]
        # A stream does not fall into samples: lengths of the samples alone stand in.
        scaled = (
            _scaled(a.arrays[name], first * sizes.sum()),
            _scaled(b.arrays[name], second * sizes.sum()),
        )
        difference = ratio_difference(scaled, sizes, rng)
        rows.append(
            Row(
                measure=metric,
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


def _labels(a: LoadedResult, b: LoadedResult, variant: Variant) -> NDArray[np.int64]:
    """Return the true classes behind the answers of a variant, the same in both."""
    # A probe that saw other samples than the rest of its record stores their labels.
    name = f"labels{variant.words}"
    names = [name if name in result.arrays else "labels" for result in (a, b)]
    labels = (_array(a, names[0]), _array(b, names[1]))
    _check_same(a, b, "labels", labels)
    return labels[0]


def _n_samples(result: LoadedResult) -> int:
    names = [*result.classifiers, "n_bytes"]
    sizes = [len(result.arrays[name]) for name in names if name in result.arrays]
    return max(sizes, default=0)


def _shared(a: LoadedResult, b: LoadedResult, name: str) -> NDArray[Any]:
    """Return an array that is the same in both."""
    first, second = _array(a, name), _array(b, name)
    _check_same(a, b, name, (first, second))
    return first


def _array(result: LoadedResult, name: str) -> NDArray[Any]:
    if name not in result.arrays:
        raise UsageError(
            f"the arrays of {result.spec} hold no {name}; they are of an older "
            "bitprobe, run the suite again"
        )
    return result.arrays[name]


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


def _load(store: Store, record: Record) -> LoadedResult:
    return LoadedResult(record=record, arrays=store.read_arrays(record.key))


def _label(job: Job) -> str:
    parameters = ", ".join(f"{k}={v}" for k, v in sorted(job.parameters.items()))
    return f"{job.task}({parameters})" if parameters else job.task
