"""How many bits: cold, stream, held-out and isolated rates (SCIENCE: code lengths)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.artifact import identity
from harness.coding import NO_ARTIFACT, code_each, code_stream
from harness.compressor import Bits, Codec, Compressor, Stepwise
from harness.data.dataset import Dataset
from harness.stats import ratio_interval
from harness.tasks.outcome import Coded, Outcome, Score
from harness.units import bits_per_byte, bytes_to_bits

VERSION = 1
N_DECODED = 32
"""Isolated codes decoded where each decode primes the whole prefix again."""


@dataclass(frozen=True, kw_only=True)
class _Rated:
    """One rate: its bits, and the code that stands for them."""

    name: str
    state: str
    bits: float
    per_sample: Bits
    coded: Coded
    realised_all: bool = True


def run(
    unfitted: Compressor, fitted: Compressor, dataset: Dataset, *, seed: int
) -> Outcome:
    """Return the rates of one compressor on the test split, and the bytes behind them.

    Args:
        unfitted: the compressor as its spec says.
        fitted: the same after fit(train).
        dataset: train and test in their seeded order.
        seed: of the intervals and of the subset that is decoded.
    """
    rated = (
        [] if "fit" in unfitted.needs else _pair(unfitted, dataset, seed, fitted=False)
    )
    rated += _pair(fitted, dataset, seed, fitted=True)
    rng = np.random.default_rng([seed, 1])
    scores = [_score(rate, unfitted, dataset, rng) for rate in rated]
    n, size = len(dataset.test.samples), dataset.test.n_bytes
    empty = bytes_to_bits(len(_code_of_nothing(fitted)))
    share = (
        1 if isinstance(fitted, Stepwise) else n
    )  # streams of a model share one coder
    scores += [
        Score(
            name="termination_bpb",
            value=bits_per_byte(share * empty, size),
            unit="bits/byte",
            state="fit(train)",
            n=n,
        ),
        Score(
            name="overhead_bytes",
            value=len(_code_of_nothing(unfitted)),
            unit="bytes",
            state="unfitted",
        ),
    ]
    arrays = {f"{rate.name}_bits": rate.per_sample for rate in rated}
    return Outcome(
        scores=tuple(scores), arrays=arrays, coded=tuple(rate.coded for rate in rated)
    )


def _pair(
    compressor: Compressor, dataset: Dataset, seed: int, *, fitted: bool
) -> list[_Rated]:
    """Return the rate of samples alone and that of the whole stream, from one state."""
    samples, artifact = dataset.test.samples, _artifact(compressor, fitted=fitted)
    lengths = compressor.code_lengths(samples)
    alone, stream = ("isolated", "heldout") if fitted else ("cold", "stream")
    state = "fit(train)" if fitted else "unfitted"
    chosen = samples
    if isinstance(compressor, Codec) and compressor.route == "suffix" and fitted:
        rng = np.random.default_rng([seed, 4])
        picked = rng.permutation(len(samples))[:N_DECODED]
        chosen = tuple(samples[i] for i in picked)
    codes = code_each(compressor, chosen, artifact=artifact)
    realised_all = len(chosen) == len(samples)
    # What is ranked is what was written: a model's container counts with its head.
    written = bytes_to_bits(sum(map(len, codes))) if realised_all else lengths.sum()
    whole = code_stream(compressor, samples, dataset.separator, artifact=artifact)
    return [
        _Rated(
            name=alone,
            state=state,
            bits=float(written),
            per_sample=lengths,
            coded=Coded(
                name=alone,
                fitted=fitted,
                stream=False,
                codes=tuple(codes),
                samples=chosen,
            ),
            realised_all=realised_all,
        ),
        _Rated(
            name=stream,
            state=state,
            bits=bytes_to_bits(len(whole)),
            per_sample=lengths,
            coded=Coded(
                name=stream,
                fitted=fitted,
                stream=True,
                codes=(whole,),
                samples=samples,
                separator=dataset.separator,
            ),
        ),
    ]


def _score(
    rate: _Rated, compressor: Compressor, dataset: Dataset, rng: np.random.Generator
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
        name=f"{rate.name}_bpb",
        value=value,
        unit="bits/byte",
        state=rate.state,
        route=compressor.route if rate.coded.fitted else "",
        n=len(sizes),
        ci_low=low * scale,
        ci_high=high * scale,
        realised="decoded" if rate.realised_all else "subset",
        note="unconditioned" if unconditioned else "given this split",
    )


def _artifact(compressor: Compressor, *, fitted: bool) -> bytes:
    return identity(compressor) if fitted else NO_ARTIFACT


def _code_of_nothing(compressor: Compressor) -> bytes:
    (code,) = code_each(compressor, [b""], artifact=NO_ARTIFACT)
    return code
