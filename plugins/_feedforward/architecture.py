"""Architecture of a feed-forward network over bytes or pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._torch.recipe import Widths

Unit = Literal["tanh", "gated"]

Offset = tuple[int, int]
"""Rows down and columns to the right of a position; bytes are a single row."""


def back(distances: Iterable[int]) -> tuple[Offset, ...]:
    """Return the offsets of these distances back in a row."""
    return tuple((0, -distance) for distance in distances)


@dataclass(frozen=True, kw_only=True)
class Reads:
    """Positions that a layer reads, by the place of the position that it computes.

    Attributes:
        distances: shape (K,), how many steps back each of them lies.
        inside: shape (n_places or 1, K), True where it lies in the same image.
    """

    distances: NDArray[np.int64]
    inside: NDArray[np.bool_]

    @property
    def farthest(self) -> int:
        """Largest of the distances."""
        return int(self.distances.max())


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Layers of a network and the positions that each of them reads.

    Attributes:
        n_symbols: size of the alphabet; one more symbol stands outside the sample.
        widths: of the embedding and of every layer.
        unit: "tanh" is tanh(c); "gated" adds s(g) tanh(c) to the same unit of the layer
            below, for a sigmoid s; there is nothing below the first layer.
        taps: offsets of the symbols that the first layer reads.
        offsets: for each layer above the first, where it reads the layer below.
        grid: (rows, columns) of an image; None is a row without an end.
    """

    n_symbols: int
    widths: Widths
    unit: Unit
    taps: tuple[Offset, ...]
    offsets: tuple[tuple[Offset, ...], ...]
    grid: tuple[int, int] | None = None

    @property
    def n_places(self) -> int:
        """Symbols of an image; 0 without a grid."""
        return self.grid[0] * self.grid[1] if self.grid else 0

    @property
    def n_layers(self) -> int:
        """Number of layers between symbols and logits."""
        return 1 + len(self.offsets)

    @property
    def reach(self) -> int:
        """Number of last symbols on which a prediction depends, other images aside."""
        layers = (self.taps, *self.offsets)
        farthest = sum(self.reads(layer).farthest for layer in layers)
        return min(farthest, self.n_places) if self.grid else farthest

    def reads(self, offsets: tuple[Offset, ...]) -> Reads:
        """Return distances of offsets, and at which places of an image they are inside."""
        down, right = np.array(offsets, np.int64).T  # (K,), (K,)
        n_columns = self.grid[1] if self.grid else 1
        # In an image narrower than a kernel some offsets are never inside.
        distances = np.maximum(-(down * n_columns + right), 0)
        if not self.grid:
            # Zeros and outside symbols stand in the memory before the start of a row.
            return Reads(distances=distances, inside=np.ones((1, len(down)), np.bool_))
        row, column = np.divmod(np.arange(self.n_places)[:, None], n_columns)
        row, column = row + down, column + right  # (n_places, K)
        inside = (row >= 0) & (column >= 0) & (column < n_columns)
        return Reads(distances=distances, inside=inside)

    @property
    def n_sums(self) -> int:
        """Sums of a unit: of its candidate, and of its gate where it has one."""
        return 2 if self.unit == "gated" else 1

    @property
    def largest(self) -> int:
        """Bound of the size of units, a power of two."""
        # Every gated layer adds up to 1.
        return 1 << (self.n_layers - 1).bit_length() if self.unit == "gated" else 1

    @property
    def upper(self) -> tuple[str, ...]:
        """Names of the matrices of the layers above the first."""
        return tuple(f"layer{layer}" for layer in range(2, self.n_layers + 1))

    @property
    def matrices(self) -> tuple[str, ...]:
        """Names of all weight matrices, (out, in) each; a bias is called NAME_bias."""
        return ("embedding", *self.biased)

    @property
    def biased(self) -> tuple[str, ...]:
        """Names of the matrices that have a bias, from the first layer to the logits."""
        return ("layer1", *self.upper, "head")

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Return the shapes (out, in) of all matrices."""
        e, d = self.widths.embedding, self.widths.hidden
        inputs = {"layer1": len(self.taps) * e}
        for name, offsets in zip(self.upper, self.offsets, strict=True):
            inputs[name] = len(offsets) * d
        layers: Any = {name: (self.n_sums * d, n) for name, n in inputs.items()}
        ends = (self.n_symbols + 1, e), (self.n_symbols, d)
        return {"embedding": ends[0], **layers, "head": ends[1]}
