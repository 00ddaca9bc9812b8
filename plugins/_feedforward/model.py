"""The common part of the feed-forward plugins."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness import Arrays, SpecError

from .._torch.batches import Ints
from .._torch.model import Engine, NeuralModel
from .._torch.recipe import Course
from .architecture import Architecture

if TYPE_CHECKING:
    from .network import FeedForwardNetwork


@dataclass(frozen=True, kw_only=True)
class FeedForward(NeuralModel):
    """Feed-forward network, trained in float, coded in integers.

    Class variables:
        configuration_ranges: for each field that a registered draw of random configurations
            may vary, its legal range: two floats are the ends of an interval, for a
            log-uniform draw; every other tuple lists the values. Any combination is a valid
            configuration. Models differ in kind as well as in quality only if such a draw
            is made before results are known, so that the ranges are part of the source.

    Attributes:
        learning_rate: after the warm-up; None is that of the recipe.
        weight_decay: of matrices; None is that of the recipe.
        levels: number of symbols, from the card; None is 256.
    """

    configuration_ranges: ClassVar[Mapping[str, tuple[Any, ...]]] = {}

    learning_rate: float | None = None
    weight_decay: float | None = None
    levels: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        rate, decay = self.learning_rate, self.weight_decay
        if rate is not None and not (rate > 0 and math.isfinite(rate)):
            raise SpecError(f"learning_rate is {rate}; give a number above 0")
        if decay is not None and not (decay >= 0 and math.isfinite(decay)):
            raise SpecError(f"weight_decay is {decay}; give 0 or more")
        if self.levels is not None and not 1 <= self.levels <= 256:
            raise SpecError(f"levels is {self.levels}; bytes have 1 to 256")

    @property
    @abstractmethod
    def architecture(self) -> Architecture:
        """The shape of the network."""

    @property
    def alphabet(self) -> int:
        return self.levels or 256

    @property
    def window(self) -> int:
        return self.architecture.reach

    def network(self) -> FeedForwardNetwork:
        from .network import FeedForwardNetwork

        return FeedForwardNetwork(self.architecture)

    def convert(self, network: Any, symbols: Ints, real: NDArray[np.bool_]) -> Arrays:
        # Units are bounded by 1: there are no ranges to be measured on symbols.
        del symbols, real
        from .conversion import to_integers

        return to_integers(network)

    def restore(self, learned: Arrays) -> FeedForwardNetwork:
        from .conversion import to_floats

        return to_floats(self.architecture, learned)

    def engine(self, learned: Arrays) -> Engine:
        from .engine import FeedForwardEngine

        return FeedForwardEngine(self.architecture, learned)

    def _reach(self, context: bytes) -> bytes:
        # Earlier bytes change no prediction, and would only be read in vain.
        return context[-self.architecture.reach :]

    def _course(self, seed: int) -> Course:
        course = super()._course(seed)
        recipe, rate, decay = course.recipe, self.learning_rate, self.weight_decay
        if rate is not None:
            recipe = replace(recipe, learning_rate=rate)
        if decay is not None:
            recipe = replace(recipe, weight_decay=decay)
        return replace(course, recipe=recipe)
