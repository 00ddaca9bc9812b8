"""Bootstrap over test samples: ratios of sums, and their paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.statistics.intervals import N_RESAMPLES, Interval, percentile_interval
from harness.statistics.p_values import bootstrap_p

Floats = NDArray[np.float64]
BLOCK_ENTRIES = 1 << 22
"""Bootstrap weights held at a time: 32 MiB."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A paired difference, first minus second.

    Attributes:
        value: on the samples as they are.
        ci_low, ci_high: percentile bootstrap, 95 %, given this split.
        p: two-sided, of no difference, by the same bootstrap.
    """

    value: float
    ci_low: float
    ci_high: float
    p: float

    @classmethod
    def of(cls, value: float, replicates: Floats) -> Difference:
        """Return a difference with interval and p from its resamples."""
        low, high = percentile_interval(replicates)
        p = bootstrap_p(value, replicates)
        return cls(value=value, ci_low=low, ci_high=high, p=p)


def ratio_interval(
    numerators: Floats, denominators: Floats, rng: np.random.Generator
) -> Interval:
    """Return the percentile bootstrap interval of sum(numerators) / sum(denominators).

    Both are resampled together, by sample (Efron and Tibshirani 1993, chapter 13).

    Returns:
        Lower and upper end, 95 %, given this split.
    """
    (ratios,) = _resampled_ratios([numerators], denominators, rng)
    return percentile_interval(ratios)


def ratio_difference(
    numerators: tuple[Floats, Floats], denominators: Floats, rng: np.random.Generator
) -> Difference:
    """Return the difference of two ratios of sums over the same samples.

    Args:
        numerators: two of shape (n,), such as the bits of two compressors.
        denominators: shape (n,), such as bytes.
        rng: source of the resamples, shared by both.
    """
    # The same resamples for both, so that what is hard for both cancels out.
    first, second = _resampled_ratios(numerators, denominators, rng)
    value = (numerators[0].sum() - numerators[1].sum()) / denominators.sum()
    return Difference.of(float(value), first - second)


def resampled_weights(n: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield, in blocks (b, n), how often each resample holds each sample."""
    # All at once would take gigabytes for large test splits.
    n_rows = max(1, BLOCK_ENTRIES // n)
    for start in range(0, N_RESAMPLES, n_rows):
        b = min(n_rows, N_RESAMPLES - start)
        # One histogram counts all rows: each has its own range of cells.
        cells = rng.integers(0, n, (b, n)) + n * np.arange(b)[:, None]
        counts = np.bincount(cells.ravel(), minlength=b * n)
        yield counts.reshape(b, n).astype(np.float64)


def _resampled_ratios(
    numerators: Sequence[Floats], denominators: Floats, rng: np.random.Generator
) -> Floats:
    """Return the ratios of resampled sums: (len(numerators), resamples with bytes)."""
    columns = np.stack([*numerators, denominators], axis=1)
    blocks = [weights @ columns for weights in resampled_weights(len(columns), rng)]
    sums = np.concatenate(blocks)
    # A resample of empty samples alone has no ratio.
    sums = sums[sums[:, -1] > 0]
    ratios: Floats = (sums[:, :-1] / sums[:, -1:]).T
    return ratios
