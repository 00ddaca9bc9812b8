"""Statistics: numbers in, numbers out, random state passed in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
N_RESAMPLES = 2000
N_PERMUTATIONS = 9999
LEVEL = 0.95
NORMAL_95 = 1.959964
BLOCK_ENTRIES = 1 << 22
"""Bootstrap weights held at a time: 32 MiB."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A paired difference, first minus second.

    Attributes:
        value: on the samples as they are.
        ci_low, ci_high: percentile bootstrap, 95 %, given this split.
        p: two-sided, of no difference: the share of resamples that stray from `value` by
            at least |value| (Efron and Tibshirani 1993, chapter 16).
    """

    value: float
    ci_low: float
    ci_high: float
    p: float


def ratio_interval(
    numerators: Floats, denominators: Floats, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of sum(numerators) / sum(denominators).

    Both are resampled together, by sample (Efron and Tibshirani 1993, chapter 13).

    Returns:
        Lower and upper end, 95 %, given this split.
    """
    (ratios,) = _resampled_ratios([numerators], denominators, rng)
    return _ends(ratios)


def ratio_difference(
    numerators: tuple[Floats, Floats], denominators: Floats, rng: np.random.Generator
) -> Difference:
    """Return the difference of two ratios of sums over the same samples.

    Args:
        numerators: two of shape (n,), such as the bits of two compressors.
        denominators: shape (n,), such as bytes.
        rng: source of the resamples, shared by both.
    """
    first, second = _resampled_ratios(numerators, denominators, rng)
    value = (numerators[0].sum() - numerators[1].sum()) / denominators.sum()
    return _difference(float(value), first - second)


def confusion(labels: Labels, credit: Floats) -> Floats:
    """Return the expected confusion matrix, (n_classes, n_classes): true class x share."""
    table = np.zeros((credit.shape[1], credit.shape[1]))
    np.add.at(table, labels, credit)
    return table


def accuracy_of(table: Floats) -> float:
    """Return the share of correct answers in a confusion matrix."""
    return float(_measures_of(table)["accuracy"])


def balanced_accuracy_of(table: Floats) -> float:
    """Return the mean recall over the classes that occur."""
    return float(_measures_of(table)["balanced_accuracy"])


def macro_f1_of(table: Floats) -> float:
    """Return the mean F1 over the classes that occur, from expected counts."""
    return float(_measures_of(table)["macro_f1"])


def accuracy_intervals(
    labels: Labels, credit: Floats, rng: np.random.Generator
) -> dict[str, tuple[float, float]]:
    """Return percentile bootstrap intervals over test samples, given this split.

    Args:
        labels: shape (n,), the true classes.
        credit: shape (n, n_classes), the share of each answer; rows sum to 1.
        rng: source of the resamples.

    Returns:
        Both ends for "accuracy", "balanced_accuracy" and "macro_f1".
    """
    (drawn,) = _resampled_measures(labels, [credit], rng)
    return {name: _ends(values) for name, values in drawn.items()}


def accuracy_differences(
    labels: Labels, credits_: tuple[Floats, Floats], rng: np.random.Generator
) -> dict[str, Difference]:
    """Return the differences of two classifiers on the same test samples.

    Args:
        labels: shape (n,), the true classes.
        credits_: two of shape (n, n_classes), the share of each answer.
        rng: source of the resamples, shared by both.

    Returns:
        For "accuracy", "balanced_accuracy" and "macro_f1".
    """
    first, second = _resampled_measures(labels, credits_, rng)
    whole = [_measures_of(confusion(labels, credit)) for credit in credits_]
    return {
        name: _difference(
            float(whole[0][name] - whole[1][name]), first[name] - second[name]
        )
        for name in first
    }


def mcnemar_p(right_a: NDArray[np.bool_], right_b: NDArray[np.bool_]) -> float:
    """Return McNemar's exact two-sided p of equal accuracy on the same samples.

    Binomial on the samples that exactly one of the two has right (McNemar 1947).

    Args:
        right_a: shape (n,), whether the first is right.
        right_b: shape (n,), whether the second is right.
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    n = only_a + only_b
    term = total = 1
    for i in range(min(only_a, only_b)):
        term = term * (n - i) // (i + 1)  # binomial coefficients as exact integers
        total += term
    return min(1.0, float(2 * total / 2**n))


def paired_p(
    right_a: Floats, right_b: Floats, rng: np.random.Generator
) -> tuple[float, str]:
    """Return the two-sided p of equal accuracy, and the name of the test.

    McNemar's exact test where each answer is right or wrong; where ties give shares, the
    paired bootstrap of the mean difference.

    Args:
        right_a: shape (n,), the share of the first's answer that is right.
        right_b: the same of the second.
        rng: source of the resamples.
    """
    both = np.concatenate([right_a, right_b])
    if np.isclose(both, np.round(both), atol=1e-9).all():
        return mcnemar_p(right_a > 0.5, right_b > 0.5), "McNemar, exact"
    ones = np.ones(len(right_a))
    return ratio_difference((right_a, right_b), ones, rng).p, "paired bootstrap"


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number, in the order given (Holm 1979)."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def spearman(x: Floats, y: Floats) -> float:
    """Return Spearman's rank correlation, tied values sharing their mean rank.

    Returns:
        From -1 to 1; nan where either is constant.
    """
    a, b = _centred_ranks(x), _centred_ranks(y)
    scale = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / scale if scale > 0 else math.nan


def spearman_in_blocks(
    blocks: Sequence[tuple[Floats, Floats]], rng: np.random.Generator
) -> tuple[float, float]:
    """Return the mean Spearman correlation over rows, and its p from permuted columns.

    Each block permutes its columns by itself, all its rows alike: rows of a block share
    what their columns are.

    Args:
        blocks: two arrays of shape (n_rows, n_columns) each, at least one block.
        rng: source of the permutations.

    Returns:
        The mean over the rows of all blocks (a constant row counts 0), and the two-sided
        p: twice the smaller tail, at most 1.
    """
    n_rows = sum(len(x) for x, _ in blocks)
    observed, drawn = 0.0, np.zeros(N_PERMUTATIONS)
    for x, y in blocks:
        products = _unit_ranks(x).T @ _unit_ranks(y)  # (n_columns, n_columns)
        columns = np.arange(len(products))
        shuffles = rng.permuted(np.tile(columns, (N_PERMUTATIONS, 1)), axis=1)
        observed += float(np.trace(products))
        drawn += products[shuffles, columns].sum(axis=1)
    # Rounding must not turn a permutation that is exactly as extreme into one that is not.
    above = int((drawn >= observed - 1e-9).sum())
    below = int((drawn <= observed + 1e-9).sum())
    p = min(1.0, 2 * (1 + min(above, below)) / (1 + N_PERMUTATIONS))
    return observed / n_rows, p


def _unit_ranks(rows: Floats) -> Floats:
    """Return the ranks inside each row about their mean, scaled to length 1 (or 0)."""
    centred = np.array([_centred_ranks(row) for row in rows])
    norms = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    unit: Floats = centred / np.where(norms > 0, norms, np.inf)
    return unit


def wilson_lower(successes: int, n: int, *, level: float = LEVEL) -> float:
    """Return the one-sided lower bound of a share (Wilson 1927).

    Args:
        successes: how many of the n trials.
        n: trials, at least 1.
        level: how often the bound lies below the true share.
    """
    z = NormalDist().inv_cdf(level)
    share = successes / n
    spread = z * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    return max(0.0, (share + z**2 / (2 * n) - spread) / (1 + z**2 / n))


def _resamples(n: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Yield, in blocks (b, n), how often each resample holds each sample."""
    n_rows = max(1, BLOCK_ENTRIES // n)
    for start in range(0, N_RESAMPLES, n_rows):
        b = min(n_rows, N_RESAMPLES - start)
        cells = rng.integers(0, n, (b, n)) + n * np.arange(b)[:, None]
        counts = np.bincount(cells.ravel(), minlength=b * n)
        yield counts.reshape(b, n).astype(np.float64)


def _resampled_ratios(
    numerators: Sequence[Floats], denominators: Floats, rng: np.random.Generator
) -> Floats:
    """Return the ratios of resampled sums: (len(numerators), resamples with bytes)."""
    columns = np.stack([*numerators, denominators], axis=1)
    sums = np.concatenate([w @ columns for w in _resamples(len(columns), rng)])
    sums = sums[sums[:, -1] > 0]
    ratios: Floats = (sums[:, :-1] / sums[:, -1:]).T
    return ratios


def _resampled_measures(
    labels: Labels, credits_: Sequence[Floats], rng: np.random.Generator
) -> list[dict[str, Floats]]:
    """Return, for each classifier, its measures on the same resamples."""
    truth = np.eye(credits_[0].shape[1])[labels]  # (n, n_classes)
    drawn: list[list[dict[str, Floats]]] = [[] for _ in credits_]
    for weights in _resamples(len(labels), rng):
        actual = weights @ truth  # (b, n) -> (b, n_classes)
        for blocks, credit in zip(drawn, credits_, strict=True):
            hits, given = weights @ (credit * truth), weights @ credit
            blocks.append(_measures(hits, actual, given))
    return [
        {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
        for blocks in drawn
    ]


def _measures_of(table: Floats) -> dict[str, Floats]:
    return _measures(np.diag(table), table.sum(axis=1), table.sum(axis=0))


def _measures(hits: Floats, actual: Floats, given: Floats) -> dict[str, Floats]:
    """Return the measures of confusion matrices by their diagonals and marginal sums.

    Args:
        hits: shape (..., n_classes), the diagonal.
        actual: the same shape, samples of each class.
        given: the same shape, answers of each class.
    """
    occurs = actual > 0
    n_occurring = occurs.sum(axis=-1)
    recall = np.divide(hits, actual, out=np.zeros_like(hits), where=occurs)
    f1 = np.divide(2 * hits, actual + given, out=np.zeros_like(hits), where=occurs)
    return {
        "accuracy": hits.sum(axis=-1) / actual.sum(axis=-1),
        "balanced_accuracy": recall.sum(axis=-1) / n_occurring,
        "macro_f1": f1.sum(axis=-1) / n_occurring,
    }


def _difference(value: float, drawn: Floats) -> Difference:
    low, high = _ends(drawn)
    # Rounding must not turn a resample that is exactly as far off into one that is not.
    strays = np.abs(drawn - value) >= abs(value) - 1e-12
    p = (1 + int(strays.sum())) / (1 + len(drawn))
    return Difference(value=value, ci_low=low, ci_high=high, p=p)


def _ends(drawn: Floats) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _centred_ranks(values: Floats) -> Floats:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[which]
    centred: Floats = ranks - ranks.mean()
    return centred


def interval_over_draws(
    values: Floats, lows: Floats, highs: Floats
) -> tuple[float, float]:
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
    spread = between + within.mean()
    freedom = (n - 1) * (spread / between) ** 2 if between > 0 else np.inf
    half = float(stdtrit(min(freedom, 1e6), (1 + LEVEL) / 2) * np.sqrt(spread))
    mean = float(values.mean())
    return mean - half, mean + half
