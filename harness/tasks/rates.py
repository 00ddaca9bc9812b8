"""Rates in bits per byte: cold, stream, held-out and isolated (docs/method.md, rates)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.artifact import identity
from harness.contract.coding import NO_ARTIFACT, code_each, code_stream
from harness.contract.compressor import Bits, Codec, Compressor, writes_bytes
from harness.data.dataset import Dataset
from harness.errors import ConformanceError
from harness.records.score import DEDUPLICATED, Realised, Score, Variant
from harness.statistics.resampling import ratio_interval
from harness.tasks.column import Column
from harness.tasks.likelihood import likelihood_lengths, likelihood_scores
from harness.tasks.outcome import Coded, Judgement, Measured
from harness.tasks.task import Evidence, Inputs, NoParameters, Samples, Task
from harness.tasks.two_part import Heldout, two_part_scores
from harness.units import BITS_PER_BYTE, bits_per_byte, bits_to_bytes, bytes_to_bits

N_DECODED = 32
"""Isolated codes decoded on the suffix route, where each decode takes the whole prefix."""
ALONE = {False: "cold", True: "isolated"}
"""Rate of samples coded alone, before and after fit(train)."""
STREAM = {False: "stream", True: "heldout"}
"""Rate of the test split as one stream, before and after fit(train)."""
STATE = {False: "unfitted", True: "fit(train)"}
EMPTY = {False: "empty_bytes", True: "empty_fitted_bytes"}
"""Fact: bytes of the code of an empty sample."""


def measure(inputs: Inputs, _: NoParameters) -> Measured:
    """Return the codes of the test split from each state, and the lengths of the samples.

    A compressor that writes no bytes has lengths alone.
    """
    dataset = inputs.dataset
    if not writes_bytes(inputs.unfitted):
        return likelihood_lengths(inputs)
    arrays: dict[str, NDArray[Any]] = {}
    facts: dict[str, Any] = {}
    coded: list[Coded] = []
    for fitted in _states("fit" in inputs.unfitted.needs, dataset):
        compressor = inputs.fitted if fitted else inputs.unfitted
        alone = _alone(compressor, dataset, fitted=fitted)
        if isinstance(compressor, Codec):
            # From the codes at hand: to compress again would double the time.
            n_bytes = [len(code) for code in alone.codes]
            lengths = BITS_PER_BYTE * np.array(n_bytes, np.float64)
        else:
            lengths = compressor.code_lengths(dataset.test.samples)
        arrays[f"{alone.name}_bits"] = lengths
        is_slow = fitted and compressor.route == "suffix"
        coded.append(_subset_of(alone, inputs.seed) if is_slow else alone)
        coded.append(_stream(compressor, dataset, fitted=fitted))
        facts[EMPTY[fitted]] = len(_code_of_nothing(compressor))
    if dataset.train.samples and _is_partly_duplicated(dataset):
        # One code for all samples: without some of them it must be written anew.
        stream = _stream(inputs.fitted, _deduplicated(dataset), fitted=True)
        coded.append(replace(stream, name=stream.name + DEDUPLICATED))
    return Measured(arrays=arrays, facts=facts, coded=tuple(coded))


def _states(must_be_fitted: bool, dataset: Dataset) -> list[bool]:  # noqa: FBT001  (maps to bools)
    """Return the states that have rates: False for unfitted, True for fit(train)."""
    return [False] * (not must_be_fitted) + [True] * bool(dataset.train.samples)


def _is_partly_duplicated(dataset: Dataset) -> bool:
    mask = dataset.duplicated
    return mask is not None and 0 < mask.sum() < len(mask)


def _deduplicated(dataset: Dataset) -> Dataset:
    """Return the data set less the test samples that duplicate train."""
    if dataset.duplicated is None:
        return dataset
    unique = np.flatnonzero(~dataset.duplicated)
    return replace(dataset, test=dataset.test.take(unique), duplicated=None)


def _alone(compressor: Compressor, dataset: Dataset, *, fitted: bool) -> Coded:
    samples = dataset.test.samples
    codes = code_each(compressor, samples, artifact=_artifact(compressor, fitted))
    return Coded(
        name=ALONE[fitted],
        fitted=fitted,
        stream=False,
        codes=tuple(codes),
        samples=samples,
    )


def _subset_of(coded: Coded, seed: int) -> Coded:
    """Return a seeded subset of codes of single samples."""
    indices = _decoded_indices(len(coded.samples), seed)
    return replace(
        coded,
        codes=tuple(coded.codes[i] for i in indices),
        samples=tuple(coded.samples[i] for i in indices),
    )


def _decoded_indices(n: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, 4]).permutation(n)[:N_DECODED]


def _stream(compressor: Compressor, dataset: Dataset, *, fitted: bool) -> Coded:
    """Return the code of the test split as one stream."""
    samples = dataset.test.samples
    artifact = _artifact(compressor, fitted)
    whole = code_stream(compressor, samples, dataset.separator, artifact=artifact)
    return Coded(
        name=STREAM[fitted],
        fitted=fitted,
        stream=True,
        codes=(whole,),
        samples=samples,
        separator=dataset.separator,
    )


def _artifact(compressor: Compressor, fitted: bool) -> bytes:  # noqa: FBT001  (as in _states)
    return identity(compressor) if fitted else NO_ARTIFACT


def _code_of_nothing(compressor: Compressor) -> bytes:
    (code,) = code_each(compressor, [b""], artifact=NO_ARTIFACT)
    return code


def originals(evidence: Evidence, _: NoParameters) -> Mapping[str, Samples]:
    """Return the samples that each code must decode to."""
    dataset = evidence.dataset
    if evidence.subject.determinism == "likelihood":
        return {}
    samples = dataset.test.samples
    expected: dict[str, Samples] = {}
    for fitted in _states("fit" in evidence.subject.needs, dataset):
        if _is_subset(evidence, fitted):
            indices = _decoded_indices(len(samples), evidence.seed)
            expected[ALONE[fitted]] = tuple(samples[i] for i in indices)
        else:
            expected[ALONE[fitted]] = samples
        expected[STREAM[fitted]] = samples
    if dataset.train.samples and _is_partly_duplicated(dataset):
        unique = _deduplicated(dataset).test.samples
        expected[STREAM[True] + DEDUPLICATED] = unique
    return expected


def _is_subset(evidence: Evidence, fitted: bool) -> bool:  # noqa: FBT001  (as in _states)
    """Return whether only a subset of the samples coded alone was decoded."""
    return fitted and evidence.subject.route == "suffix"


@dataclass(frozen=True, kw_only=True)
class _Rate:
    """One rate: its total, and the lengths of samples that its interval resamples."""

    name: str
    fitted: bool
    bits: float
    per_sample: Bits
    realised: Realised = "decoded"
    deduplicated: bool = False


def judge(evidence: Evidence, _: NoParameters) -> Judgement:
    """Return the rates, counted in bytes of files that a fresh process decoded.

    Models also have their likelihood, which is the only rate of those that write no bytes.

    Raises:
        ConformanceError: the compressor reported other lengths than its codes have.
    """
    dataset = evidence.dataset
    if evidence.subject.determinism == "likelihood":
        return likelihood_scores(evidence)
    states = _states("fit" in evidence.subject.needs, dataset)
    rates = [rate for fitted in states for rate in _rates(evidence, fitted)]
    rng = np.random.default_rng([evidence.seed, 1])
    scores = [_score(rate, evidence, dataset, rng) for rate in rates]
    scores += [*_empty_messages(evidence), *_two_part(evidence, rates)]
    scores += _file_sizes(dataset, rates)
    unique = _deduplicated(dataset)
    scores += [
        _score(rate, evidence, unique, rng)
        for rate in _rates_without_duplicates(evidence, rates)
    ]
    scores += likelihood_scores(evidence).scores
    arrays = {f"{rate.name}_bits": rate.per_sample for rate in rates}
    arrays["n_bytes"] = np.array([len(sample) for sample in dataset.test.samples])
    return Judgement(scores=tuple(scores), arrays=arrays)


def _rates(evidence: Evidence, fitted: bool) -> list[_Rate]:  # noqa: FBT001  (as in _states)
    """Return the rate of samples alone and that of the whole stream, from one state."""
    alone, stream = evidence.codes[ALONE[fitted]], evidence.codes[STREAM[fitted]]
    reported = evidence.arrays[f"{ALONE[fitted]}_bits"]
    subset = _is_subset(evidence, fitted)
    if evidence.subject.kind == "codec":
        n = len(evidence.dataset.test.samples)
        indices = _decoded_indices(n, evidence.seed) if subset else np.arange(n)
        code_bits = BITS_PER_BYTE * np.array(alone.lengths, np.float64)
        # Reported lengths enter intervals and subsets: they must be those of the codes.
        if not np.array_equal(reported[indices], code_bits):
            raise ConformanceError(
                f"{evidence.subject.name} reported code lengths that its codes do not have"
            )
    # A model's samples share one container, which counts with its head.
    total = float(reported.sum()) if subset else bytes_to_bits(alone.n_bytes)
    return [
        _Rate(
            name=ALONE[fitted],
            fitted=fitted,
            bits=total,
            per_sample=reported,
            realised="subset" if subset else "decoded",
        ),
        _Rate(
            name=STREAM[fitted],
            fitted=fitted,
            bits=bytes_to_bits(stream.n_bytes),
            per_sample=reported,
        ),
    ]


def _rates_without_duplicates(
    evidence: Evidence, rates: Sequence[_Rate]
) -> list[_Rate]:
    """Return the fitted rates of the samples that duplicate nothing, if others do."""
    dataset = evidence.dataset
    if not dataset.train.samples or not _is_partly_duplicated(dataset):
        return []
    (isolated,) = (rate for rate in rates if rate.name == ALONE[True])
    lengths = isolated.per_sample[np.flatnonzero(~dataset.duplicated)]  # type: ignore[operator]
    is_codec = evidence.subject.kind == "codec"
    stream = evidence.codes[STREAM[True] + DEDUPLICATED]
    alone = replace(
        isolated,
        bits=float(lengths.sum()),
        per_sample=lengths,
        # A codec's codes stand alone and were decoded; streams of a model share a coder.
        realised="subset" if is_codec else "likelihood",
        deduplicated=True,
    )
    bits = bytes_to_bits(stream.n_bytes)
    together = replace(alone, name=STREAM[True], bits=bits, realised="decoded")
    return [alone, together]


def _score(
    rate: _Rate, evidence: Evidence, dataset: Dataset, rng: np.random.Generator
) -> Score:
    sizes = np.array([len(sample) for sample in dataset.test.samples], np.float64)
    value = bits_per_byte(rate.bits, dataset.test.n_bytes)
    low, high = ratio_interval(rate.per_sample, sizes, rng)
    # A stream does not fall into samples: its interval is that of the samples coded alone
    # from the same state, scaled to the stream's rate.
    total = float(rate.per_sample.sum())
    scale = value / (total / sizes.sum()) if total > 0 else 1.0
    # Such a rate owes nothing to train, and its reader must know.
    unconditioned = rate.fitted and evidence.subject.route == "none"
    return Score(
        metric=f"{rate.name}_bpb",
        deduplicated=rate.deduplicated,
        value=value,
        unit="bits/byte",
        state=STATE[rate.fitted],
        route=evidence.subject.route if rate.fitted else "",
        n=len(sizes),
        ci_low=low * scale,
        ci_high=high * scale,
        realised=rate.realised,
        note="unconditioned" if unconditioned else "given this split",
    )


def _empty_messages(evidence: Evidence) -> Iterator[Score]:
    """Yield the cost of ending each code, and the size of the code of an empty sample."""
    test = evidence.dataset.test
    if EMPTY[True] in evidence.facts:
        empty = bytes_to_bits(int(evidence.facts[EMPTY[True]]))
        n = len(test.samples)
        # The streams of a model share one coder.
        n_codes = 1 if evidence.subject.kind == "model" else n
        yield Score(
            metric="termination_bpb",
            value=bits_per_byte(n_codes * empty, test.n_bytes),
            unit="bits/byte",
            state=STATE[True],
            n=n,
        )
    if EMPTY[False] in evidence.facts:
        yield Score(
            metric="overhead_bytes",
            value=int(evidence.facts[EMPTY[False]]),
            unit="bytes",
            state=STATE[False],
        )


def _two_part(evidence: Evidence, rates: Sequence[_Rate]) -> list[Score]:
    """Return the two-part rate: the held-out code plus the artifact."""
    bits = {rate.name: rate.bits for rate in rates}
    if STREAM[True] not in bits:
        return []
    size, n = evidence.dataset.test.n_bytes, len(evidence.dataset.test.samples)
    heldout = Heldout(
        bits=bits[STREAM[True]],
        n_bytes=size,
        n=n,
        route=evidence.subject.route,
        realised="decoded",
    )
    names = (ALONE[False], STREAM[False])
    # The artifact has to beat the best rate that this compressor has without it.
    free = [bits_per_byte(bits[name], size) for name in names if name in bits]
    return two_part_scores(
        heldout, artifact_bits=evidence.artifact_bits, artifact_free_bpb=free
    )


def _file_sizes(dataset: Dataset, rates: Sequence[_Rate]) -> list[Score]:
    """Return the coded size of each file of a corpus, each coded alone."""
    cold = [rate.per_sample for rate in rates if rate.name == ALONE[False]]
    # Only corpora of files have names.
    if not cold or len(dataset.names) != len(dataset.test.samples):
        return []
    return [
        Score(
            metric="coded_bytes",
            variant=Variant(file=name),
            value=bits_to_bytes(float(bits)),
            unit="bytes",
            state=STATE[False],
            n=1,
            realised="decoded",
        )
        for name, bits in zip(dataset.names, cold[0], strict=True)
    ]


TASK = Task(
    name="rates",
    version=2,
    judge_version=2,
    measure=measure,
    judge=judge,
    originals=originals,
    reads_fit=True,
    weight=2.0,
    title="bits per byte: cold, stream, held-out, isolated; all decoded",
    columns=(
        Column(
            header="held-out bpb",
            metric="heldout_bpb",
            meaning="bits per byte of the test split as one stream, given the train split",
            higher_is_better=False,
            baselines=("true_source",),
            ranks=True,
        ),
        Column(
            header="cold bpb",
            metric="cold_bpb",
            meaning="bits per byte of each test sample alone, nothing known",
            higher_is_better=False,
            baselines=("true_source",),
            ranks=True,
        ),
        Column(
            header="likelihood bpb",
            metric="likelihood_bpb",
            meaning="bits per byte of the test split under a model's probabilities, given "
            "train; nothing was decoded, so that it has no rank",
            higher_is_better=False,
        ),
        Column(
            header="two-part bpb",
            metric="two_part_bpb",
            meaning="held-out code plus what was learned, weighed, per byte of test",
            with_interval=False,
            higher_is_better=False,
            baselines=("true_source",),
        ),
    ),
)
