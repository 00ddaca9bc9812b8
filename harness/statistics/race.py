"""Race of predictors: how well each predicts a number of held-out configurations.

Inside one data set all numbers are ranks about the mean of their family, so that neither
difficulty nor the kind of network helps. Ridge regression (Hoerl and Kennard 1970) on
standardised predictors is fitted without one configuration, which it then predicts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.statistics.block import Floats, Labels

PENALTY = 1.0
"""Ridge penalty, fixed: that of one observation of each standardised predictor."""
MIN_PER_FAMILY = 3
MIN_ROWS = 8
"""Configurations on a data set below which held-out errors say nothing."""


@dataclass(frozen=True, kw_only=True)
class Lap:
    """Race on one data set, shares of the variance inside families.

    Attributes:
        n: configurations.
        alone: share that each predictor predicts by itself, on held-out configurations.
        added: the same share of all predictors less that of all but this one.
        together: of all.
    """

    n: int
    alone: Mapping[str, float]
    added: Mapping[str, float]
    together: float


def lap(predictors: Mapping[str, Floats], target: Floats, family: Labels) -> Lap | None:
    """Return the race on one data set; None where too few configurations can take part.

    Args:
        predictors: shape (n,) each; one with a missing or no varying value takes no part.
        target: shape (n,), such as accuracies; nan where missing.
        family: shape (n,), numbers; families of fewer than three take no part.
    """
    counts = np.bincount(family[np.isfinite(target)], minlength=family.max() + 1)
    rows = np.flatnonzero(np.isfinite(target) & (counts[family] >= MIN_PER_FAMILY))
    if len(rows) < MIN_ROWS:
        return None
    y, families = _ranks(target[rows]), family[rows]
    columns = {
        name: _ranks(values[rows])
        for name, values in predictors.items()
        if np.isfinite(values[rows]).all() and np.ptp(values[rows]) > 0
    }
    if not columns or np.ptp(y) == 0:
        return None

    def share(names: list[str]) -> float:
        if not names:
            return 0.0
        x = np.stack([columns[name] for name in names], axis=1)
        return held_out_share(x, y, families)

    together = share([*columns])
    return Lap(
        n=len(rows),
        alone={name: share([name]) for name in columns},
        added={
            name: together - share([other for other in columns if other != name])
            for name in columns
        },
        together=together,
    )


def held_out_share(x: Floats, y: Floats, family: Labels) -> float:
    """Return the share of variance inside families predicted on held-out rows.

    1 - SSE / SST over leave-one-out predictions; family means are those of the other
    rows, in both sums. Below 0 where predictions are worse than the family's mean.

    Args:
        x: shape (n, p).
        y: shape (n,).
        family: shape (n,), each number at least twice.
    """
    errors, totals = [], []
    for row in range(len(y)):
        is_train = np.arange(len(y)) != row
        members = family[is_train]
        mean_x = _means(x[is_train], members)
        mean_y = _means(y[is_train, None], members)
        about = x[is_train] - mean_x[members]
        scale = about.std(axis=0)
        # A predictor that is constant inside all families predicts nothing.
        scale = np.where(scale > 0, scale, np.inf)
        about = about / scale
        gram = about.T @ about + PENALTY * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, about.T @ (y[is_train] - mean_y[members, 0]))
        here = (x[row] - mean_x[family[row]]) / scale
        residual = y[row] - mean_y[family[row], 0]
        errors.append((residual - here @ weights) ** 2)
        totals.append(residual**2)
    total = float(np.sum(totals))
    return 1 - float(np.sum(errors)) / total if total > 0 else math.nan


def _means(values: Floats, family: Labels) -> Floats:
    """Return means by number of family: (n, p) -> (n_families, p), 0 for an empty one."""
    members = np.eye(family.max() + 1)[family]  # (n, n_families)
    counts = np.maximum(members.sum(axis=0), 1)
    means: Floats = (members.T @ values) / counts[:, None]
    return means


def _ranks(values: Floats) -> Floats:
    from scipy.stats import rankdata

    ranked: Floats = rankdata(values)
    return ranked
