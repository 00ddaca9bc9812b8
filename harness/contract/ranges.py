"""Ranges of hyperparameters, from which random configurations are drawn.

Random search of all fields at once (Bergstra and Bengio 2012, JMLR 13) tells configurations
of one family apart in more ways than a ladder of one field does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harness.errors import SpecError

SIGNIFICANT_DIGITS = 2


class Range(Protocol):
    """Distribution of the values of one field."""

    def sample(self, rng: np.random.Generator) -> Any:
        """Return one value."""


@dataclass(frozen=True, init=False)
class Choice:
    """Uniform choice among values, such as `Choice("10k", "50k")`."""

    values: tuple[Any, ...]

    def __init__(self, *values: Any) -> None:
        if not values:
            raise SpecError("Choice() has no values; give one or more")
        object.__setattr__(self, "values", values)

    def sample(self, rng: np.random.Generator) -> Any:
        """Return one of the values."""
        # By index: numpy would turn strings and integers into its own types.
        return self.values[rng.integers(len(self.values))]


@dataclass(frozen=True)
class LogUniform:
    """Numbers whose logarithm is uniform between those of two positive bounds."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high < math.inf:
            raise SpecError(
                f"LogUniform({self.low}, {self.high}) needs 0 < low <= high, both finite"
            )

    def sample(self, rng: np.random.Generator) -> float:
        """Return a number of two significant digits, so that specs stay short."""
        exponent = rng.uniform(math.log(self.low), math.log(self.high))
        rounded = float(f"{math.exp(exponent):.{SIGNIFICANT_DIGITS}g}")
        # Rounding may step over a bound of more digits.
        return min(max(rounded, self.low), self.high)


def random_values(
    ranges: Mapping[str, Range], rng: np.random.Generator
) -> dict[str, Any]:
    """Return one value of every field, each drawn independently."""
    return {name: ranges[name].sample(rng) for name in ranges}
