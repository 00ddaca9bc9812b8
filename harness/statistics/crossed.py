"""Mean of a table of families by data sets, for new data sets and for new families.

Spearman's correlation inside each (family, data set) is one cell of the table, z = mean +
family + data set + error. Intervals and tests are those of the mean in a two-way table
without repetition: mean squares give its variance, (MS_family + MS_data - MS_error) / (F D),
by the method of moments (with missing cells, Henderson 1953, method 3), and Satterthwaite
(1946, "An approximate distribution of estimates of variance components") gives its degrees
of freedom. In contrast to permutations inside families, the mean is tested under families
that differ in their slopes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.statistics.block import Floats
from harness.statistics.estimate import NO_ESTIMATE, NO_VARIANCE, Estimate, student
from harness.statistics.p_values import SLACK

MIN_LEVELS = 3
"""Families, and data sets, below which their variance cannot be told."""
MIN_FREEDOM = 3.0
"""Degrees of freedom that a variance has at least; with it the size stays below its level."""
MAX_EXACT = 12
"""Families up to which all sign flips are listed."""
N_FLIPS = 9999


@dataclass(frozen=True, kw_only=True)
class Crossed:
    """Mean over families and data sets, as an estimate for two populations.

    Families, and data sets, weigh the same, cells missing or not. Intervals are cut at -1
    and +1.

    Attributes:
        new_datasets: to new data sets, for these compressors: families fixed.
        new_compressors: to new compressors of these kinds, on new data sets.
        p_sign_flips: of a mean of 0, family means flipped in sign; families random.
        n_families, n_datasets: those with at least one cell.
        n_cells: cells with a correlation.
        shortage: why there is no estimate; empty where there is.
    """

    new_datasets: Estimate = NO_ESTIMATE
    new_compressors: Estimate = NO_ESTIMATE
    p_sign_flips: float = math.nan
    n_families: int = 0
    n_datasets: int = 0
    n_cells: int = 0
    shortage: str = ""


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
    fit = AdditiveFit.of(table[None])
    estimates = [
        student(float(fit.means[0]), float(variances[0]), float(freedoms[0])).within(
            -1.0, 1.0
        )
        for random in (False, True)
        for variances, freedoms in [fit.variances(families_random=random)]
    ]
    return replace(
        size,
        new_datasets=estimates[0],
        new_compressors=estimates[1],
        p_sign_flips=sign_flip_p(fit.family_means[0], rng),
    )


def crossed_mean(correlations: Floats) -> float:
    """Return the mean of a table alone; nan where families or data sets are too few."""
    table = _occupied(correlations)
    if _shortage(table):
        return math.nan
    return float(AdditiveFit.of(table[None]).means[0])


def mean_of_cells(
    correlations: Floats, names: Sequence[str], axis: int
) -> dict[str, float]:
    """Return the mean over an axis of the cells at hand, by name; without empty rows."""
    counts = np.isfinite(correlations).sum(axis=axis)
    sums = np.nansum(correlations, axis=axis)
    return {
        name: float(total / n)
        for name, total, n in zip(names, sums, counts, strict=True)
        if n
    }


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
class AdditiveFit:
    """Additive least-squares fits of k tables with cells in the same places.

    Attributes:
        means: shape (k,).
        family_means: mean plus effect of each family: (k, F).
        squares: mean squares of families given data sets, of data sets given families,
            and of the error: (k, 3).
        freedoms: their degrees of freedom: (3,).
        shares: 1 / (c n), by which a mean square enters the variance of the mean, for
            families and data sets, c cells in each of n levels: (2,).
        unit_variance: variance of the mean for an error variance of 1.
    """

    means: Floats
    family_means: Floats
    squares: Floats
    freedoms: Floats
    shares: Floats
    unit_variance: float

    @classmethod
    def of(cls, tables: Floats) -> AdditiveFit:
        """Return the fits of connected tables (k, F, D), nan where a cell is missing."""
        n_families, n_datasets = tables.shape[1:]
        has_cell = np.isfinite(tables[0])
        design, cells = _design(tables[0]), tables[:, has_cell]  # (k, n_cells)
        n_cells = cells.shape[1]
        coefficients = cells @ np.linalg.pinv(design).T
        error = ((cells - coefficients @ design.T) ** 2).sum(axis=1)
        freedoms = np.array(
            [n_families - 1, n_datasets - 1, n_cells - n_families - n_datasets + 1]
        )
        # Families given data sets: what is left when data sets alone are fitted.
        of_families, of_datasets = _spread(tables, axis=1), _spread(tables, axis=2)
        sums = np.stack([of_families - error, of_datasets - error, error], axis=1)
        # Cells per family and per data set in expectation; D and F where none is missing.
        weights = (n_cells - np.array([n_datasets, n_families])) / freedoms[:2]
        effects = coefficients[:, 1:n_families]
        last = -effects.sum(axis=1, keepdims=True)
        return cls(
            means=coefficients[:, 0],
            family_means=coefficients[:, :1] + np.hstack([effects, last]),
            squares=np.maximum(sums, 0) / freedoms,
            freedoms=freedoms,
            shares=1 / (weights * np.array([n_families, n_datasets])),
            unit_variance=float(np.linalg.inv(design.T @ design)[0, 0]),
        )

    def variances(self, *, families_random: bool) -> tuple[Floats, Floats]:
        """Return the variance of each mean, and its degrees of freedom: two of (k,).

        Families add their component to the variance that new data sets give. A component
        that comes out negative counts as none: the difference of mean squares alone would
        reject a true null too often where families do not differ.
        """
        adds = families_random & (self.squares[:, 0] > self.squares[:, 2])
        of_families = np.where(adds, self.shares[0], 0.0)
        of_datasets = np.full(len(adds), self.shares[1])
        of_error = self.unit_variance - of_families - of_datasets
        # (k, 3), mean squares with their weights.
        parts = np.stack([of_families, of_datasets, of_error], axis=1) * self.squares
        variances = parts.sum(axis=1)
        spread = (parts**2 / self.freedoms).sum(axis=1)
        is_defined = variances > NO_VARIANCE
        ratio = np.divide(
            variances**2, spread, out=np.zeros_like(spread), where=is_defined
        )
        # A difference of mean squares may seem to have less than one degree, with an
        # interval of no use; the poorest side, which never has less, would be too many.
        return variances, np.maximum(ratio, min(MIN_FREEDOM, *self.freedoms[:2]))


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


def _spread(tables: Floats, axis: int) -> Floats:
    """Return the sums of squares about the means along an axis: (k,)."""
    about = tables - np.nanmean(tables, axis=axis, keepdims=True)
    squares: Floats = np.nansum(about**2, axis=(1, 2))
    return squares
