"""Effects that a layout can detect, and half-widths to expect, before there are records.

Inside families, correlations of cells are simulated around a mean: families differ, and
cells of a family do. Over compressors, each number is the sum of a part that its family
shares and a part that is its own, the same on all data sets up to a share.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from harness.statistics.block import (
    MIN_COMPRESSORS,
    Block,
    Floats,
    compressor_ranks,
    overall,
)
from harness.statistics.bootstrap import Replicates, two_way_interval
from harness.statistics.cells import family_correlations
from harness.statistics.crossed import MIN_LEVELS, AdditiveFit
from harness.statistics.permutation import between_ps

STABLE = 0.8
"""Share of a compressor's variance that is the same on all data sets."""
LARGEST = 0.95
POWER = 0.8
N_SIMULATIONS = 400
STACK = 20
"""Simulations at a time, to bound memory."""
N_INTERVALS, N_RESAMPLES = 20, 400
"""Simulated blocks, and resamples of each, behind an expected half-width."""
N_PERMUTATIONS = 199
GRID = tuple(round(0.05 * i, 2) for i in range(1, 20))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Design of a test over all compressors, with new compressors in view.

    Attributes:
        sizes: members of each family, or superfamily.
        n_datasets: number of data sets.
        intra_family: correlation between members of a family, 0 to 1.
    """

    sizes: tuple[int, ...]
    n_datasets: int
    intra_family: float = 0.7


@dataclass(frozen=True, kw_only=True)
class CellLayout:
    """Design of a test inside families.

    Attributes:
        sizes: configurations of each family on each data set, (F, D); 0 where it has none.
        heterogeneity: standard deviation of the correlation over families, and over the
            cells of a family.
    """

    sizes: tuple[tuple[int, ...], ...]
    heterogeneity: float = 0.25


@dataclass(frozen=True, kw_only=True)
class Detectable:
    """Smallest effect that a layout detects, and the precision to expect.

    Attributes:
        effect: correlation of rate and metric in the simulated population; nan where
            none up to .95 is detected often enough.
        statistic: mean of the deciding statistic at that effect.
        power: how often it is detected.
        alpha: the level of the test.
        half_width: mean half-width of the interval, 95 %, where there is no effect.
    """

    effect: float = math.nan
    statistic: float = math.nan
    power: float = math.nan
    alpha: float = math.nan
    half_width: float = math.nan


Trial = Callable[[float], tuple[float, float]]
"""Gives the power at an effect, and the mean of the statistic there."""


@cache
def detectable_over_datasets(
    n_datasets: int, *, heterogeneity: float, alpha: float
) -> Detectable:
    """Return what a t test over data sets detects, compressors fixed, in closed form.

    By the noncentral t distribution (Owen 1965): correlations of data sets are normal about
    their mean with this standard deviation.
    """
    from scipy.stats import nct, t

    if n_datasets < 2:
        return Detectable(alpha=alpha)
    error, freedom = heterogeneity / math.sqrt(n_datasets), n_datasets - 1
    critical = t.isf(alpha / 2, freedom)

    def trial(effect: float) -> tuple[float, float]:
        return float(nct.sf(critical, freedom, effect / error)), effect

    return _smallest(trial, alpha, half_width=float(t.isf(0.025, freedom)) * error)


@cache
def detectable_over_families(
    layout: Layout, *, alpha: float, seed: int = 0
) -> Detectable:
    """Return what permuted families detect, with the half-width of the bootstrap.

    Args:
        layout: the preregistered design.
        alpha: the level of the test, such as .025 for the first of two claims by Holm.
        seed: of the simulations.
    """
    # Nothing can be permuted in such a layout, so that no effect is detected.
    if len(layout.sizes) < 2 or sum(layout.sizes) < MIN_COMPRESSORS:
        return Detectable(alpha=alpha)

    def trial(effect: float) -> tuple[float, float]:
        # Each effect has its own stream: the search path does not change its power.
        rng = np.random.default_rng([seed, round(100 * effect)])
        n_detected, total = 0, 0.0
        for _ in range(N_SIMULATIONS // STACK):
            stack = simulated_stack(layout, effect, STACK, rng)
            x, y = compressor_ranks(stack)
            is_positive = (x * y).sum(axis=(1, 2)) > 0
            is_significant = between_ps(stack, rng, N_PERMUTATIONS) <= alpha
            n_detected += int((is_positive & is_significant).sum())
            total += overall(stack) * STACK  # of a stack, the mean over its blocks
        return n_detected / N_SIMULATIONS, total / N_SIMULATIONS

    return _smallest(trial, alpha, half_width=_bootstrap_half_width(layout, seed))


@cache
def detectable_inside_families(
    layout: CellLayout, *, families_random: bool, alpha: float, seed: int = 0
) -> Detectable:
    """Return what the crossed t detects, families fixed or random.

    Args:
        layout: the preregistered design.
        families_random: new compressors in view; else families have one mean.
        alpha: the level of the test.
        seed: of the simulations.
    """
    has_cell = np.atleast_2d(layout.sizes) >= MIN_COMPRESSORS
    of_families, of_datasets = has_cell.any(axis=1), has_cell.any(axis=0)
    if min(of_families.sum(), of_datasets.sum()) < MIN_LEVELS:
        return Detectable(alpha=alpha)
    from scipy.special import stdtr, stdtrit

    def simulated(effect: float) -> tuple[Floats, Floats, Floats]:
        rng = np.random.default_rng([seed, round(100 * effect)])
        tables = simulated_tables(
            layout, effect, N_SIMULATIONS, rng, families_random=families_random
        )
        fit = AdditiveFit.of(tables[:, of_families][:, :, of_datasets])
        variances, freedoms = fit.variances(families_random=families_random)
        return fit.means, np.sqrt(variances), freedoms

    def trial(effect: float) -> tuple[float, float]:
        means, errors, freedoms = simulated(effect)
        # Cells that all agree have no error, and no test.
        t = np.divide(means, errors, out=np.zeros_like(means), where=errors > 0)
        is_detected = 2 * stdtr(freedoms, -t) <= alpha
        return float(is_detected.mean()), float(means.mean())

    _, errors, freedoms = simulated(0.0)
    half_width = float((stdtrit(freedoms, 0.975) * errors).mean())
    return _smallest(trial, alpha, half_width=half_width)


def _smallest(trial: Trial, alpha: float, *, half_width: float) -> Detectable:
    """Return the smallest of multiples of .05 that is detected in 80 % of runs."""
    low, high = 0, len(GRID)
    best = Detectable(alpha=alpha, half_width=half_width)
    # Power rises with the effect, so that bisection finds the smallest.
    while low < high:
        middle = (low + high) // 2
        power, statistic = trial(GRID[middle])
        if power >= POWER:
            best = Detectable(
                effect=GRID[middle],
                statistic=statistic,
                power=power,
                alpha=alpha,
                half_width=half_width,
            )
            high = middle
        else:
            low = middle + 1
    return best


def _bootstrap_half_width(layout: Layout, seed: int) -> float:
    rng = np.random.default_rng([seed, 0])
    stack = simulated_stack(layout, 0.0, N_INTERVALS, rng)
    widths = []
    for rate, metric in zip(stack.rate, stack.metric, strict=True):
        block = Block(rate=rate, metric=metric, family=stack.family)
        low, high = two_way_interval(Replicates.of(block), rng, N_RESAMPLES)
        widths.append((high - low) / 2)
    return float(np.mean(widths))


def simulated_stack(
    layout: Layout, effect: float, n_blocks: int, rng: np.random.Generator
) -> Block:
    """Return blocks of one layout as one, with rates and metrics (n_blocks, n, D).

    Rate and metric correlate by `effect` between and within families.
    """
    family = np.repeat(np.arange(len(layout.sizes)), layout.sizes)

    def part(n_columns: int) -> Floats:
        shape = (n_blocks, len(layout.sizes), n_columns)
        shared = rng.normal(size=shape)[:, family]
        single = rng.normal(size=(n_blocks, len(family), n_columns))
        weight = layout.intra_family
        mixed: Floats = math.sqrt(weight) * shared + math.sqrt(1 - weight) * single
        return mixed

    def standard() -> Floats:
        on_all, on_one = part(1), part(layout.n_datasets)
        return math.sqrt(STABLE) * on_all + math.sqrt(1 - STABLE) * on_one

    x, z = standard(), standard()
    # Cholesky: y correlates with x by `effect`, and has variance 1 as well.
    y = effect * x + math.sqrt(1 - effect**2) * z
    return Block(rate=x, metric=y, family=family)


def simulated_tables(
    layout: CellLayout,
    effect: float,
    n_tables: int,
    rng: np.random.Generator,
    *,
    families_random: bool,
) -> Floats:
    """Return tables of correlations inside families: (n_tables, F, D), nan without cells.

    Configurations are drawn anew on each data set, as suites draw them.
    """
    sizes = np.array(layout.sizes)
    n_families, n_datasets = sizes.shape
    scale = layout.heterogeneity
    slope = effect + scale * rng.normal(size=(n_tables, *sizes.shape))
    if families_random:
        slope += scale * rng.normal(size=(n_tables, n_families, 1))
    slope = np.clip(slope, -LARGEST, LARGEST)[:, :, None]
    shape = (n_tables, n_families, int(sizes.max()), n_datasets)
    x, z = rng.normal(size=shape), rng.normal(size=shape)
    y = slope * x + np.sqrt(1 - slope**2) * z
    # A family with fewer configurations on some data set lacks the last ones.
    is_missing = np.arange(shape[2])[:, None] >= sizes[:, None, :]
    rate, metric = (
        np.where(is_missing, math.nan, v).reshape(n_tables, -1, n_datasets)
        for v in (x, y)
    )
    family = np.repeat(np.arange(n_families), shape[2])
    return family_correlations(Block(rate=rate, metric=metric, family=family))
