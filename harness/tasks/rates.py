"""How many bits: cold, stream, held-out and isolated rates (SCIENCE: code lengths)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.contract.artifact import identity
from harness.contract.coding import NO_ARTIFACT, code_each, code_stream
from harness.contract.compressor import Bits, Codec, Compressor, Stepwise
from harness.data.dataset import Dataset
from harness.statistics.resampling import ratio_interval
from harness.tasks.classify import DEDUPLICATED
from harness.tasks.column import Column
from harness.tasks.outcome import Coded, Outcome, Realised, Score
from harness.tasks.task import Inputs, NoParameters, Task
from harness.tasks.two_part import Heldout, two_part_scores
from harness.units import bits_per_byte, bits_to_bytes, bytes_to_bits

N_DECODED = 32
"""Isolated codes decoded on the suffix route, where each decode takes the whole prefix."""


@dataclass(frozen=True, kw_only=True)
class _Rated:
    """One rate: its bits, and the code that stands for them."""

    name: str
    state: str
    bits: float
    per_sample: Bits
    coded: Coded
    realised: Realised = "decoded"


def run(inputs: Inputs, _: NoParameters) -> Outcome:
    """Return the rates of one compressor on the test split, and the bytes behind them."""
    unfitted, dataset, seed = inputs.unfitted, inputs.dataset, inputs.seed
    rated: list[_Rated] = []
    if "fit" not in unfitted.needs:
        rated += _pair(unfitted, dataset, seed, fitted=False)
    if dataset.train.samples:
        rated += _pair(inputs.fitted, dataset, seed, fitted=True)
    rng = np.random.default_rng([seed, 1])
    scores = [_score(rate, unfitted, dataset, rng) for rate in rated]
    scores += _empty_messages(inputs) + _two_part(inputs, rated)
    scores += _file_sizes(inputs.dataset, rated)
    arrays = {f"{rate.name}_bits": rate.per_sample for rate in rated}
    arrays["n_bytes"] = np.array([len(sample) for sample in dataset.test.samples])
    coded = [rate.coded for rate in rated]
    again = _without_duplicates(inputs, rated) if dataset.train.samples else []
    scores += [
        _score(rate, unfitted, _kept(dataset), rng, suffix=DEDUPLICATED)
        for rate in again
    ]
    coded += [rate.coded for rate in again if rate.coded.codes]
    return Outcome(scores=tuple(scores), arrays=arrays, coded=tuple(coded))


def _kept(dataset: Dataset) -> Dataset:
    """Return the data set less the test samples that duplicate train."""
    if dataset.duplicated is None:
        return dataset
    kept = np.flatnonzero(~dataset.duplicated)
    return replace(dataset, test=dataset.test.take(kept), duplicated=None)


def _without_duplicates(inputs: Inputs, rated: Sequence[_Rated]) -> list[_Rated]:
    """Return the fitted rates of the samples that duplicate nothing; none if all do not."""
    duplicated = inputs.dataset.duplicated
    if duplicated is None or not 0 < duplicated.sum() < len(duplicated):
        return []
    (isolated,) = (rate for rate in rated if rate.name == "isolated")
    lengths = isolated.per_sample[~duplicated]
    alone = replace(
        isolated,
        bits=float(lengths.sum()),
        per_sample=lengths,
        # A codec's codes stand alone and were decoded; streams of a model share a coder.
        realised="subset" if isinstance(inputs.fitted, Codec) else "likelihood",
        coded=replace(isolated.coded, codes=(), samples=()),
    )
    stream = _stream(inputs.fitted, _kept(inputs.dataset), lengths, fitted=True)
    name = stream.coded.name + DEDUPLICATED
    return [alone, replace(stream, coded=replace(stream.coded, name=name))]


def _empty_messages(inputs: Inputs) -> list[Score]:
    """Return what ending each code costs, and what the code of nothing costs."""
    dataset, scores = inputs.dataset, []
    if dataset.train.samples:
        empty = bytes_to_bits(len(_code_of_nothing(inputs.fitted)))
        # The streams of a model share one coder.
        n = len(dataset.test.samples)
        n_codes = 1 if isinstance(inputs.fitted, Stepwise) else n
        scores.append(
            Score(
                name="termination_bpb",
                value=bits_per_byte(n_codes * empty, dataset.test.n_bytes),
                unit="bits/byte",
                state="fit(train)",
                n=n,
            )
        )
    if "fit" not in inputs.unfitted.needs:
        overhead = len(_code_of_nothing(inputs.unfitted))
        scores.append(
            Score(name="overhead_bytes", value=overhead, unit="bytes", state="unfitted")
        )
    return scores


def _two_part(inputs: Inputs, rated: Sequence[_Rated]) -> list[Score]:
    """Return the held-out rate with the artifact's weight on it."""
    bits = {rate.name: rate.bits for rate in rated}
    if "heldout" not in bits:
        return []
    size, n = inputs.dataset.test.n_bytes, len(inputs.dataset.test.samples)
    held = Heldout(
        bits=bits["heldout"],
        n_bytes=size,
        n=n,
        route=inputs.unfitted.route,
        realised="decoded",
    )
    free = [
        bits_per_byte(bits[name], size) for name in ("cold", "stream") if name in bits
    ]
    return two_part_scores(
        held, artifact_bits=inputs.artifact_bits, artifact_free_bpb=free
    )


def _file_sizes(dataset: Dataset, rated: Sequence[_Rated]) -> list[Score]:
    """Return the coded size of each file of a corpus, each coded alone."""
    cold = [rate.per_sample for rate in rated if rate.name == "cold"]
    if not cold or len(dataset.names) != len(dataset.test.samples):
        return []
    return [
        Score(
            name=f"coded_bytes:{name}",
            value=bits_to_bytes(float(bits)),
            unit="bytes",
            state="unfitted",
            n=1,
            realised="decoded",
        )
        for name, bits in zip(dataset.names, cold[0], strict=True)
    ]


def _pair(
    compressor: Compressor, dataset: Dataset, seed: int, *, fitted: bool
) -> list[_Rated]:
    """Return the rate of samples alone and that of the whole stream, from one state."""
    samples = dataset.test.samples
    artifact = _artifact(compressor, fitted=fitted)
    codes = tuple(code_each(compressor, samples, artifact=artifact))
    if isinstance(compressor, Codec):
        lengths = np.array([bytes_to_bits(len(code)) for code in codes], np.float64)
    else:
        lengths = compressor.code_lengths(samples)
    # What is ranked is what was written: a model's container counts with its head.
    name = "isolated" if fitted else "cold"
    coded = Coded(name=name, fitted=fitted, stream=False, codes=codes, samples=samples)
    slow = compressor.route == "suffix" and fitted
    alone = _Rated(
        name=name,
        state="fit(train)" if fitted else "unfitted",
        bits=bytes_to_bits(sum(map(len, codes))),
        per_sample=lengths,
        coded=_drawn(coded, seed) if slow else coded,
        realised="subset" if slow else "decoded",
    )
    return [alone, _stream(compressor, dataset, lengths, fitted=fitted)]


def _drawn(coded: Coded, seed: int) -> Coded:
    """Return a seeded subset of codes of single samples."""
    rng = np.random.default_rng([seed, 4])
    picked = rng.permutation(len(coded.samples))[:N_DECODED]
    return replace(
        coded,
        codes=tuple(coded.codes[i] for i in picked),
        samples=tuple(coded.samples[i] for i in picked),
    )


def _stream(
    compressor: Compressor, dataset: Dataset, lengths: Bits, *, fitted: bool
) -> _Rated:
    """Return the rate of the test split as one stream."""
    samples, name = dataset.test.samples, "heldout" if fitted else "stream"
    artifact = _artifact(compressor, fitted=fitted)
    whole = code_stream(compressor, samples, dataset.separator, artifact=artifact)
    return _Rated(
        name=name,
        state="fit(train)" if fitted else "unfitted",
        bits=bytes_to_bits(len(whole)),
        per_sample=lengths,
        coded=Coded(
            name=name,
            fitted=fitted,
            stream=True,
            codes=(whole,),
            samples=samples,
            separator=dataset.separator,
        ),
    )


def _score(
    rate: _Rated,
    compressor: Compressor,
    dataset: Dataset,
    rng: np.random.Generator,
    *,
    suffix: str = "",
) -> Score:
    sizes = np.array([len(sample) for sample in dataset.test.samples], np.float64)
    value = bits_per_byte(rate.bits, dataset.test.n_bytes)
    low, high = ratio_interval(rate.per_sample, sizes, rng)
    # A stream does not fall into samples: its interval is that of the samples coded alone
    # from the same state, scaled to the stream's rate.
    total = float(rate.per_sample.sum())
    scale = value / (total / sizes.sum()) if total > 0 else 1.0
    unconditioned = rate.coded.fitted and compressor.route == "none"
    return Score(
        name=f"{rate.name}_bpb{suffix}",
        value=value,
        unit="bits/byte",
        state=rate.state,
        route=compressor.route if rate.coded.fitted else "",
        n=len(sizes),
        ci_low=low * scale,
        ci_high=high * scale,
        realised=rate.realised,
        note="unconditioned" if unconditioned else "given this split",
    )


def _artifact(compressor: Compressor, *, fitted: bool) -> bytes:
    return identity(compressor) if fitted else NO_ARTIFACT


def _code_of_nothing(compressor: Compressor) -> bytes:
    (code,) = code_each(compressor, [b""], artifact=NO_ARTIFACT)
    return code


TASK = Task(
    name="rates",
    version=2,
    run=run,
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
            header="two-part bpb",
            metric="two_part_bpb",
            meaning="held-out code plus what was learned, weighed, per byte of test",
            with_interval=False,
            higher_is_better=False,
            baselines=("true_source",),
        ),
    ),
)
