"""Common base of the pixel and the byte transformer."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import Arrays, Bits

from .._torch.batches import Ints
from .._torch.model import Engine, NeuralModel
from .._torch.recipe import Recipe
from .architecture import SIZES, Architecture

if TYPE_CHECKING:
    from .engine import TransformerEngine
    from .network import CausalTransformer

GROUP = 256
"""Samples whose code lengths are computed at once: bounds the memory of keys and values."""


@dataclass(frozen=True, kw_only=True)
class Transformer(NeuralModel):
    """Causal transformer, trained in float, coded in integers."""

    requires = ("numba", "numpy", "torch", "constriction")
    sizes = tuple(SIZES)
    recipe = Recipe(learning_rate=3e-3, warm_up=50)

    @property
    @abstractmethod
    def architecture(self) -> Architecture:
        """The shape of the network."""

    def network(self) -> CausalTransformer:
        from .network import CausalTransformer

        # torch is imported here only: listing plugins must be fast.
        return CausalTransformer(self.architecture)

    def convert(self, network: Any, symbols: Ints, real: NDArray[np.bool_]) -> Arrays:
        import torch

        from .._torch.training import device_for
        from .conversion import to_integers

        # Only what the arrays hold is decided here; coding reads nothing but them.
        network = network.to(device_for(self.device))
        return to_integers(network, torch.from_numpy(symbols), torch.from_numpy(real))

    def restore(self, learned: Arrays) -> CausalTransformer:
        from .conversion import to_floats

        return to_floats(self.network(), learned)

    def engine(self, learned: Arrays) -> Engine:
        return self.transformer(learned)

    def transformer(self, learned: Arrays) -> TransformerEngine:
        """Return the engine of the network alone."""
        import torch

        from .._torch.training import device_for
        from .engine import TransformerEngine
        from .integers import derive

        # What a GPU trained and coded, a machine without one decodes.
        device = device_for(self.device) if torch.cuda.is_available() else "cpu"
        return TransformerEngine(derive(self.architecture, learned), device=device)

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        # The memory of a group is freed before the next one.
        groups = [samples[i : i + GROUP] for i in range(0, len(samples), GROUP)]
        lengths = [
            super(Transformer, self).code_lengths(group, context=context)
            for group in groups
        ]
        return np.concatenate([*lengths, np.zeros(0)])
