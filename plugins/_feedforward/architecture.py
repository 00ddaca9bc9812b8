"""The shape of a feed-forward network over bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Unit = Literal["tanh", "gated"]


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Numbers per embedded symbol, and units of a layer."""

    embedding: int
    hidden: int


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Layers of a network and the distances that each of them reads.

    Attributes:
        n_symbols: size of the alphabet; one more symbol stands for "before the start".
        widths: of the embedding and of every layer.
        unit: "tanh" is tanh(c); "gated" is s(g) tanh(c) + (1 - s(g)) x for a sigmoid s and
            the value x of the same unit in the layer below (0 below the first layer).
        taps: number of last symbols that the first layer reads.
        offsets: for each layer above the first, the distances back, rising from 0, at which
            it reads the layer below.
    """

    n_symbols: int
    widths: Widths
    unit: Unit
    taps: int
    offsets: tuple[tuple[int, ...], ...]

    @property
    def reach(self) -> int:
        """Number of last symbols on which a prediction depends."""
        return self.taps + sum(self.reaches)

    @property
    def reaches(self) -> tuple[int, ...]:
        """Largest distance back of each layer above the first."""
        return tuple(distances[-1] for distances in self.offsets)

    @property
    def n_sums(self) -> int:
        """Sums of a unit: of its candidate, and of its gate where it has one."""
        return 2 if self.unit == "gated" else 1

    @property
    def upper(self) -> tuple[str, ...]:
        """Names of the matrices of the layers above the first."""
        return tuple(f"layer{layer}" for layer in range(2, len(self.offsets) + 2))

    @property
    def matrices(self) -> tuple[str, ...]:
        """Names of all weight matrices, (out, in) each; a bias is called NAME_bias."""
        return ("embedding", *self.biased)

    @property
    def biased(self) -> tuple[str, ...]:
        """Names of the matrices that have a bias, from the first layer to the logits."""
        return ("layer1", *self.upper, "head")
