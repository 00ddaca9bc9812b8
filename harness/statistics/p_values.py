"""P-values: of permutations, of a bootstrap, of discordant pairs, of several claims."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SLACK = 1e-9
"""Rounding must not turn a permutation that is exactly as extreme into one that is not."""
BOOTSTRAP_SLACK = 1e-12


def permutation_p(observed: Floats, permuted: Floats) -> Floats:
    """Return the two-sided p of a permutation test: twice the smaller tail, at most 1.

    The order observed counts as one of the permutations (Phipson and Smyth 2010).

    Args:
        observed: shape (k,), the statistic of each of k tests.
        permuted: shape (k, n_permutations).

    Returns:
        Shape (k,).
    """
    # An order as extreme as the observed one counts on both sides.
    above = (permuted >= observed[:, None] - SLACK).sum(axis=1)
    below = (permuted <= observed[:, None] + SLACK).sum(axis=1)
    n_permutations = permuted.shape[1]
    doubled: Floats = 2 * (1 + np.minimum(above, below)) / (1 + n_permutations)
    return np.minimum(1.0, doubled)


def bootstrap_p(value: float, replicates: Floats) -> float:
    """Return the two-sided p of no difference, from resamples of the difference.

    The share of resamples that stray from `value` by at least |value| (Efron and
    Tibshirani 1993, chapter 16).
    """
    is_stray = np.abs(replicates - value) >= abs(value) - BOOTSTRAP_SLACK
    return (1 + int(is_stray.sum())) / (1 + len(replicates))


def mcnemar_p(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> float:
    """Return McNemar's exact two-sided p of equal accuracy on the same samples.

    Binomial on the samples that exactly one of the two has right (McNemar 1947).

    Args:
        right_a: shape (n,), whether the first is right.
        right_b: shape (n,), whether the second is right.
    """
    from scipy.stats import binomtest

    # Samples that both have right, or both wrong, say nothing about a difference.
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n_discordant = only_a + only_b
    return float(binomtest(only_a, n_discordant).pvalue) if n_discordant else 1.0


def holm(p_values: dict[str, float]) -> dict[str, float]:
    """Return p-values adjusted for their number (Holm 1979); an undefined one counts as 1."""
    defined = {name: 1.0 if math.isnan(p) else p for name, p in p_values.items()}
    adjusted, highest = dict(defined), 0.0
    # Adjusted values never fall below those of smaller p-values.
    for rank, name in enumerate(sorted(defined, key=defined.__getitem__)):
        highest = max(highest, min(1.0, (len(defined) - rank) * defined[name]))
        adjusted[name] = highest
    return adjusted
