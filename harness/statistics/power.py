"""Simulated blocks with families, and the effect that a layout can detect.

Each number of a compressor is the sum of a part that its family shares and a part that is
its own, the same on all data sets up to a share; rates and metrics correlate by a known
effect.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from harness.statistics.block import Block, Floats, family_ranks, member_ranks, overall
from harness.statistics.permutation import between_ps, within_ps

STABLE = 0.8
"""Share of a compressor's variance that is the same on all data sets."""
POWER = 0.8
N_SIMULATIONS = 400
STACK = 20
"""Simulations at a time, to bound memory."""
N_PERMUTATIONS = 199
GRID = tuple(round(0.05 * i, 2) for i in range(1, 20))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Design of a test.

    Attributes:
        sizes: members of each family.
        n_datasets: number of data sets.
        intra_family: correlation between members of a family, 0 to 1.
    """

    sizes: tuple[int, ...]
    n_datasets: int
    intra_family: float = 0.7


@dataclass(frozen=True, kw_only=True)
class Detectable:
    """Smallest effect that a layout detects.

    Attributes:
        effect: correlation of rate and metric in the simulated population; nan where
            none up to .95 is detected often enough.
        statistic: mean of the preregistered statistic at that effect.
        power: how often it is detected.
        alpha: the level of the test.
    """

    effect: float
    statistic: float
    power: float
    alpha: float


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


@cache
def minimum_detectable_effect(
    layout: Layout, *, decided_by: str, alpha: float, seed: int = 0
) -> Detectable:
    """Return the smallest effect found by the permutation test in 80 % of simulations.

    Needs the layout alone, so it can be known before a run. Searches multiples of .05.

    Args:
        layout: the preregistered design.
        decided_by: "between" or "within".
        alpha: the level of the test, such as .025 for the first of two claims by Holm.
        seed: of the simulations.
    """
    low, high = 0, len(GRID)
    best = Detectable(effect=math.nan, statistic=math.nan, power=math.nan, alpha=alpha)
    # Nothing can be permuted in such a layout, so that no effect is detected.
    if len(layout.sizes) < 2 or (decided_by == "within" and max(layout.sizes) < 2):
        return best
    # Power rises with the effect, so that bisection finds the smallest.
    while low < high:
        middle = (low + high) // 2
        candidate = _simulated(layout, GRID[middle], (decided_by, alpha), seed)
        if candidate.power >= POWER:
            best, high = candidate, middle
        else:
            low = middle + 1
    return best


def _simulated(
    layout: Layout, effect: float, test: tuple[str, float], seed: int
) -> Detectable:
    decided_by, alpha = test
    ps_of = between_ps if decided_by == "between" else within_ps
    ranks_of = family_ranks if decided_by == "between" else member_ranks
    # Each effect has its own stream: the search path does not change its power.
    rng = np.random.default_rng([seed, round(100 * effect)])
    n_detected, total = 0, 0.0
    for _ in range(N_SIMULATIONS // STACK):
        stack = simulated_stack(layout, effect, STACK, rng)
        x, y = ranks_of(stack)
        is_positive = (x * y).sum(axis=(1, 2)) > 0
        is_significant = ps_of(stack, rng, N_PERMUTATIONS) <= alpha
        n_detected += int((is_positive & is_significant).sum())
        total += overall(stack) * STACK  # of a stack, the mean over its blocks
    return Detectable(
        effect=effect,
        statistic=total / N_SIMULATIONS,
        power=n_detected / N_SIMULATIONS,
        alpha=alpha,
    )
