"""Intervals of 95 %: percentiles of a bootstrap, bounds of a share, means over draws."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Interval = tuple[float, float]
N_RESAMPLES = 2000
"""Resamples behind a bootstrap interval."""
LEVEL = 0.95
TAIL = 0.025
"""Beyond each end of an interval of 95 %."""
NORMAL_95 = 1.959964
NO_INTERVAL: Interval = (math.nan, math.nan)


def percentile_interval(replicates: Floats, tail: float = TAIL) -> Interval:
    """Return both ends of a percentile interval with this share beyond each."""
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return float(low), float(high)


def wilson_lower(successes: int, n: int, *, level: float = LEVEL) -> float:
    """Return the one-sided lower bound of a share (Wilson 1927).

    Args:
        successes: how many of the n trials.
        n: trials, at least 1.
        level: how often the bound lies below the true share.
    """
    from scipy.stats import binomtest

    # Of a test against "greater" scipy gives the one-sided bound.
    test = binomtest(successes, n, alternative="greater")
    return float(test.proportion_ci(level, method="wilson").low)


def edge_interval(value: float, n: float) -> Interval:
    """Return Wilson's 95 % interval of a share of 0 or 1, whose resamples are all alike.

    Args:
        value: 0 or 1.
        n: trials, or what they are worth; above 0.
    """
    width = NORMAL_95**2 / (n + NORMAL_95**2)
    return (0.0, width) if value == 0 else (1 - width, 1.0)


def interval_over_draws(values: Floats, lows: Floats, highs: Floats) -> Interval:
    """Return the 95 % interval of a mean over draws, from each draw's own interval.

    Two variances are added: that of the draws' mean (split, order, shards, seeds), and that
    of test samples inside a draw, which is not divided by the number of draws, since they
    may share their test samples. Student's t covers the few draws.

    Args:
        values: shape (n_draws,), n_draws >= 2.
        lows: lower ends, 95 %, of each draw.
        highs: upper ends.

    Raises:
        ValueError: there are fewer than two draws.
    """
    n = len(values)
    if n < 2:
        raise ValueError(f"an interval over draws needs at least 2, got {n}")
    from scipy.special import stdtrit

    within = ((highs - lows) / (2 * NORMAL_95)) ** 2
    between = values.var(ddof=1) / n
    # Welch and Satterthwaite: only the draws' part has few degrees of freedom.
    variance = between + within.mean()
    freedom = (n - 1) * (variance / between) ** 2 if between > 0 else np.inf
    half = float(stdtrit(min(freedom, 1e6), (1 + LEVEL) / 2) * np.sqrt(variance))
    mean = float(values.mean())
    return mean - half, mean + half
