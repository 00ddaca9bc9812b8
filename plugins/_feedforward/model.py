"""The common part of the feed-forward plugins."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import Arrays

from .._torch.batches import Ints
from .._torch.model import Engine, NeuralModel
from .architecture import Architecture

if TYPE_CHECKING:
    from .network import FeedForwardNetwork


@dataclass(frozen=True, kw_only=True)
class FeedForward(NeuralModel):
    """Feed-forward network, trained in float, coded in integers."""

    @property
    @abstractmethod
    def architecture(self) -> Architecture:
        """Layers and sizes of the network."""

    @property
    def window(self) -> int | None:
        """Largest useful context in bytes."""
        return self.architecture.reach

    def network(self) -> FeedForwardNetwork:
        from .network import FeedForwardNetwork

        return FeedForwardNetwork(self.architecture)

    def convert(self, network: Any, symbols: Ints, real: NDArray[np.bool_]) -> Arrays:
        # Units have a known bound: there are no ranges to be measured on symbols.
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
