"""Common base of all recurrent plugins."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import Arrays

from .._torch.batches import Ints
from .._torch.model import Engine, NeuralModel
from .architecture import SIZES, Architecture

if TYPE_CHECKING:
    from .network import RecurrentNetwork


@dataclass(frozen=True, kw_only=True)
class Recurrent(NeuralModel):
    """Recurrent network, trained in float, coded in integers."""

    sizes = tuple(SIZES)

    @property
    @abstractmethod
    def architecture(self) -> Architecture:
        """The shape of the network."""

    def network(self) -> RecurrentNetwork:
        from .network import RecurrentNetwork

        # torch is imported here only: listing plugins must be fast.
        return RecurrentNetwork(self.architecture)

    def convert(self, network: Any, symbols: Ints, real: NDArray[np.bool_]) -> Arrays:
        # No activation passes 1: there are no ranges to be measured.
        del symbols, real
        from .conversion import to_integers

        return to_integers(network)

    def restore(self, learned: Arrays) -> RecurrentNetwork:
        from .conversion import to_floats

        return to_floats(self.architecture, learned)

    def engine(self, learned: Arrays) -> Engine:
        from .engine import engine_of

        return engine_of(self.architecture, learned)
