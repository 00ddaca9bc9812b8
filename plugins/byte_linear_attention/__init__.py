"""Linear attention over bytes: a matrix that decays, written by keys, read by queries.

Each head of a layer keeps a sum of outer products of keys and values, an associative
memory; reading it costs the same at any distance, and what was written fades at the rate of
the head (Katharopoulos et al. 2020, arXiv:2006.16236; decays by head as in retention, Sun
et al. 2023, arXiv:2307.08621). The last bytes enter the residual stream together, as short
convolutions do in later models of the kind, since a sum has no order.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness import Arrays, Choice, LogUniform, SpecError, hookimpl

from .._linear_attention.architecture import LONGEST, SHORTEST, SIZES, Architecture
from .._torch.batches import Ints
from .._torch.model import Engine, NeuralModel
from .._torch.recipe import Recipe

if TYPE_CHECKING:
    from .._linear_attention.network import LinearAttention


@dataclass(frozen=True, kw_only=True)
class ByteLinearAttention(NeuralModel):
    """Linear attention that codes exactly.

    Attributes:
        layers: number of layers of attention and feed-forward part.
        heads: states of a layer; they divide the width of the residual stream.
        memory: bytes after which the slowest head has forgotten all but 1/e.
        taps: number of last bytes that enter the residual stream together.
    """

    name = "byte_linear_attention"
    family = "byte linear attention"
    requires = ("numpy", "numba", "torch", "constriction")
    sizes = tuple(SIZES)
    recipe = Recipe(learning_rate=2e-2, warm_up=50, batch=16, window=256)

    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(2e-3, 6e-2),
            "weight_decay": LogUniform(1e-3, 0.3),
            "layers": Choice(1, 2),
            "heads": Choice(2, 4),
            "memory": Choice(16, 64, 256),
            "taps": Choice(1, 2, 3, 5),
        }
    )

    # Byte models need more than the default size of pixel models.
    size: str = "100k"
    layers: int = 2
    heads: int = 4
    memory: int = 128
    taps: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        limits = {"layers": (1, 16), "taps": (1, 16), "memory": (SHORTEST, LONGEST)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise SpecError(f"{name} is {value}; give {low} to {high}")
        width = SIZES[self.size].stream
        if self.heads < 1 or width % self.heads:
            raise SpecError(
                f"heads is {self.heads}; give a divisor of {width}, the width of "
                f"size {self.size!r}"
            )

    @property
    def architecture(self) -> Architecture:
        """The shape of the network."""
        return Architecture(
            n_symbols=self.alphabet,
            widths=SIZES[self.size],
            n_layers=self.layers,
            n_heads=self.heads,
            memory=self.memory,
            taps=self.taps,
        )

    def network(self) -> LinearAttention:
        from .._linear_attention.network import LinearAttention

        # torch is imported here only: listing plugins must be fast.
        return LinearAttention(self.architecture)

    def convert(self, network: Any, symbols: Ints, real: NDArray[np.bool_]) -> Arrays:
        import torch

        from .._linear_attention.conversion import to_integers

        return to_integers(network, torch.from_numpy(symbols), torch.from_numpy(real))

    def restore(self, learned: Arrays) -> LinearAttention:
        from .._linear_attention.conversion import to_floats

        return to_floats(self.architecture, learned)

    def engine(self, learned: Arrays) -> Engine:
        from .._linear_attention.engine import LinearEngine

        return LinearEngine(self.architecture, learned)


@hookimpl
def compressors() -> list[type[ByteLinearAttention]]:
    return [ByteLinearAttention]
