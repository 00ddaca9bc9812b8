"""Mean correlation within families, for new data sets and for new compressors.

Spearman's correlation inside each (family, data set) is one cell of a table of families
by data sets, z = mean + family + data set + error. Intervals and tests are those of the
mean in a two-way table without repetition: mean squares give its variance, (MS_family +
MS_data - MS_error) / (F D), by the method of moments (with missing cells, Henderson 1953,
method 3), and Satterthwaite (1946, "An approximate distribution of estimates of variance
components") gives its degrees of freedom.
In contrast to permutations inside families, the mean is tested under families that differ
in their slopes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from harness.statistics.block import Block, Floats, Labels, ranks, unit
from harness.statistics.intervals import LEVEL
from harness.statistics.p_values import SLACK

MIN_LEVELS = 3
"""Families, and data sets, below which their variance cannot be told."""
MAX_EXACT = 12
"""Families up to which all sign flips are listed."""
N_FLIPS = 9999
NEAR_TIE = 0.01
"""Relative difference of two rates below which their order says nothing."""
NO_VARIANCE = 1e-12


@dataclass(frozen=True, kw_only=True)
class Generality:
    """Mean over families and data sets, as an estimate for one population.

    Attributes:
        value: each family and each data set weighs the same, cells missing or not.
        ci_low, ci_high: 95 %, cut at -1 and +1; nan where no two cells differ.
        half_width: of the interval before it is cut.
        p: two-sided, of a mean of 0.
        freedom: degrees of freedom behind the interval.
    """

    value: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    half_width: float = math.nan
    p: float = math.nan
    freedom: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """Within-family statistic with both its generalities.

    Attributes:
        new_datasets: to new data sets, for these compressors: families fixed.
        new_compressors: to new compressors of these kinds, on new data sets.
        p_sign_flips: of a mean of 0, family means flipped in sign; families random.
        n_families, n_datasets: those with at least one cell.
        n_cells: cells with a correlation.
        shortage: why there is no estimate; empty where there is.
    """

    new_datasets: Generality = Generality()
    new_compressors: Generality = Generality()
    p_sign_flips: float = math.nan
    n_families: int = 0
    n_datasets: int = 0
    n_cells: int = 0
    shortage: str = ""


@dataclass(frozen=True, kw_only=True)
class NearTies:
    """Pairs of one family on one data set whose rates differ by less than 1 %.

    Attributes:
        n_near, n_pairs: near-ties among all such pairs.
        value_as_ties: the within-family mean if near-ties share their rank; nan where it
            is not estimated.
    """

    n_near: int = 0
    n_pairs: int = 0
    value_as_ties: float = math.nan


def family_correlations(block: Block) -> Floats:
    """Return Spearman's correlation inside each family and data set.

    Returns:
        Shape (..., n_families, D); nan for a family of one, and where all rates or all
        scores of a cell tie.
    """
    cells = [
        _correlation(ranks(block.rate[..., rows, :]), ranks(block.metric[..., rows, :]))
        for rows in _members(block)
    ]
    return np.stack(cells, axis=-2)


def near_ties(block: Block) -> NearTies:
    """Return how many pairs inside families are near-ties, and the mean without them."""
    n_near, n_pairs, cells = 0, 0, []
    for rows in _members(block):
        rate = block.rate[rows]
        difference = rate[:, None] - rate  # (m, m, D)
        scale = np.maximum(np.abs(rate[:, None]), np.abs(rate))
        is_near = np.abs(difference) < NEAR_TIE * scale
        upper = np.triu_indices(len(rows), k=1)
        n_near += int(is_near[upper].sum())
        n_pairs += is_near[upper].size
        # Summed signs are ranks about their mean, here with near-ties as ties.
        tied_ranks = np.where(is_near, 0.0, np.sign(difference)).sum(axis=1)
        cells.append(_correlation(tied_ranks, ranks(block.metric[rows])))
    table = _occupied(np.stack(cells))
    value = math.nan if _shortage(table) else _Fit.of(table).mean
    return NearTies(n_near=n_near, n_pairs=n_pairs, value_as_ties=value)


def crossed(correlations: Floats, rng: np.random.Generator) -> Crossed:
    """Return the mean of a table of correlations with both its generalities.

    Args:
        correlations: shape (n_families, D), nan where a cell is missing or undefined.
        rng: source of sign flips where there are too many to list.
    """
    table = _occupied(correlations)
    size = Crossed(
        n_families=table.shape[0],
        n_datasets=table.shape[1],
        n_cells=int(np.isfinite(table).sum()),
        shortage=_shortage(table),
    )
    if size.shortage:
        return size
    fit = _Fit.of(table)
    return replace(
        size,
        new_datasets=_generality(fit, families_random=False),
        new_compressors=_generality(fit, families_random=True),
        p_sign_flips=sign_flip_p(fit.family_means, rng),
    )


def sign_flip_p(means: Floats, rng: np.random.Generator) -> float:
    """Return the two-sided p of a mean of 0 by flipping signs of family means.

    Exact for up to 12 families: each of the 2^F flips counts once. Families are the unit,
    and their distribution is symmetric under the null.

    Args:
        means: shape (n_families,).
        rng: source of the flips of more families.
    """
    n = len(means)
    if n <= MAX_EXACT:
        codes = np.arange(2**n)[:, None] >> np.arange(n)
        sums = (1 - 2 * (codes & 1)) @ means
        # The observed signs are among the listed ones.
        return float((np.abs(sums) >= abs(means.sum()) - SLACK).mean())
    signs = rng.choice((-1.0, 1.0), size=(N_FLIPS, n))
    n_extreme = (np.abs(signs @ means) >= abs(means.sum()) - SLACK).sum()
    return float((1 + n_extreme) / (1 + N_FLIPS))


@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Additive least-squares fit of a table, and its mean squares.

    Attributes:
        family_means: mean plus effect of each family: (n_families,).
        squares: mean squares of families given data sets, of data sets given families,
            and of the error: (3,).
        freedoms: their degrees of freedom: (3,).
        shares: 1 / (k n), by which a mean square enters the variance of the mean, for
            families and data sets, k cells in each of n levels: (2,).
        unit_variance: variance of the mean for an error variance of 1.
    """

    mean: float
    family_means: Floats
    squares: Floats
    freedoms: Floats
    shares: Floats
    unit_variance: float

    @classmethod
    def of(cls, table: Floats) -> _Fit:
        """Return the fit of a connected table, nan where a cell is missing."""
        n_families, n_datasets = table.shape
        design, cells = _design(table), table[np.isfinite(table)]
        n_cells = len(cells)
        coefficients, *_ = np.linalg.lstsq(design, cells, rcond=None)
        error = float(((cells - design @ coefficients) ** 2).sum())
        freedoms = np.array(
            [n_families - 1, n_datasets - 1, n_cells - n_families - n_datasets + 1]
        )
        # Families given data sets: what is left when data sets alone are fitted.
        of_families, of_datasets = _spread(table, axis=0), _spread(table, axis=1)
        sums = np.array([of_families - error, of_datasets - error, error])
        # Cells per family and per data set in expectation; D and F where none is missing.
        weights = (n_cells - np.array([n_datasets, n_families])) / freedoms[:2]
        effects = coefficients[1:n_families]
        return cls(
            mean=float(coefficients[0]),
            family_means=coefficients[0] + np.append(effects, -effects.sum()),
            squares=np.maximum(sums, 0) / freedoms,
            freedoms=freedoms,
            shares=1 / (weights * np.array(table.shape)),
            unit_variance=float(np.linalg.inv(design.T @ design)[0, 0]),
        )


def _generality(fit: _Fit, *, families_random: bool) -> Generality:
    """Return the mean with the variance that new data sets, or new families too, give it.

    Families add their component to the variance that new data sets give. A component that
    comes out negative counts as none: the difference of mean squares alone would reject a
    true null too often where families do not differ.
    """
    of_families, of_datasets = fit.shares
    if not families_random or fit.squares[0] <= fit.squares[2]:
        of_families = 0.0
    of_error = fit.unit_variance - of_families - of_datasets
    parts = np.array([of_families, of_datasets, of_error]) * fit.squares
    variance = float(parts.sum())
    if variance < NO_VARIANCE:
        return Generality(value=fit.mean)
    freedom = variance**2 / float((parts**2 / fit.freedoms).sum())
    half_width, p = _student(fit.mean, math.sqrt(variance), freedom)
    # No correlation, and no mean of correlations, lies outside -1 to +1.
    return Generality(
        value=fit.mean,
        ci_low=max(fit.mean - half_width, -1.0),
        ci_high=min(fit.mean + half_width, 1.0),
        half_width=half_width,
        p=p,
        freedom=freedom,
    )


def _student(mean: float, error: float, freedom: float) -> tuple[float, float]:
    """Return the half-width of the interval of a mean, and p of a mean of 0."""
    from scipy.special import stdtr, stdtrit

    half_width = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    return half_width, float(2 * stdtr(freedom, -abs(mean) / error))


def _members(block: Block) -> list[Labels]:
    """Return the rows of each family."""
    return [np.flatnonzero(block.family == f) for f in range(block.n_families)]


def _correlation(x: Floats, y: Floats) -> Floats:
    """Return the correlation of centred ranks over rows, nan where either is constant.

    Args:
        x: shape (..., m, D).
        y: shape (..., m, D).
    """
    is_defined = (np.ptp(x, axis=-2) > 0) & (np.ptp(y, axis=-2) > 0)
    correlations = (unit(x) * unit(y)).sum(axis=-2)
    return np.where(is_defined, correlations, math.nan)


def _occupied(table: Floats) -> Floats:
    """Return the table without families and data sets that have no cell."""
    has_cell = np.isfinite(table)
    return table[has_cell.any(axis=1)][:, has_cell.any(axis=0)]


def _shortage(table: Floats) -> str:
    """Return what an occupied table lacks for an estimate; empty where it lacks nothing."""
    n_families, n_datasets = table.shape
    levels = {
        "families with a correlation inside": n_families,
        "data sets with a correlation inside families": n_datasets,
    }
    words = [
        f"{name}: {n}, needed: {MIN_LEVELS}"
        for name, n in levels.items()
        if n < MIN_LEVELS
    ]
    if words:
        return "; ".join(words)
    n_effects = n_families + n_datasets - 1
    # Where cells fall into islands, no family can be compared with those elsewhere.
    if np.linalg.matrix_rank(_design(table)) < n_effects:
        return "no data set connects all families"
    n_cells = int(np.isfinite(table).sum())
    if n_cells == n_effects:
        return f"cells: {n_cells}, needed: {n_effects + 1}"
    return ""


def _design(table: Floats) -> Floats:
    """Return the additive model of the cells at hand: mean, families, data sets.

    Effects sum to zero, so that the mean weighs families, and data sets, equally.

    Returns:
        Shape (n_cells, F + D - 1), cells in the order of `table[isfinite(table)]`.
    """
    families, datasets = np.nonzero(np.isfinite(table))
    columns = [np.ones((len(families), 1))]
    for levels, n in zip((families, datasets), table.shape, strict=True):
        # The last level is minus the sum of all others.
        coding = np.vstack([np.eye(n - 1), -np.ones(n - 1)])
        columns.append(coding[levels])
    return np.hstack(columns)


def _spread(table: Floats, axis: int) -> float:
    """Return the sum of squares about the means along an axis."""
    return float(np.nansum((table - np.nanmean(table, axis=axis, keepdims=True)) ** 2))
