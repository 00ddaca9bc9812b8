"""Causal neighbourhoods of positions; numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .._torch.pixels import causal_offsets


@dataclass(frozen=True, kw_only=True)
class MLPWidths:
    """Widths of one size: embedding of a level, and units of both hidden layers."""

    embedding: int
    hidden: int


@dataclass(frozen=True, kw_only=True)
class Neighbourhood:
    """The causal neighbourhood of every position of an image, or of a byte string.

    Attributes:
        distances: shape (K,), distance of each neighbour in symbols, at least 1.
        inside: shape (n_positions + 1, K), True where it lies in the image; the last row is of
            a position below the image's first column, which no symbol has.
        grid: (rows, columns) of the image; (1, 1) for a byte string, where every position
            is alike.
    """

    distances: NDArray[np.int64]
    inside: NDArray[np.bool_]
    grid: tuple[int, int]

    @classmethod
    def of(cls, shape: Sequence[int] | None, radius: int) -> Self:
        """Return the neighbourhood in images (height, width[, channels]), or in plain bytes.

        Channels lie side by side in a row; a radius counts pixels.
        """
        if shape is None:
            # As many neighbours as in an image, so that sizes agree.
            n_neighbours = 2 * radius * (radius + 1)
            return cls(
                distances=np.arange(1, n_neighbours + 1),
                inside=np.ones((2, n_neighbours), np.bool_),
                grid=(1, 1),
            )
        n_channels = int(np.prod(shape[2:]))
        height, width = shape[0], shape[1] * n_channels
        down, right = np.array(causal_offsets(radius, n_channels)).T
        position = np.arange(height * width + 1)[:, None]
        row, column = position // width + down, position % width + right
        inside = (row >= 0) & (column >= 0) & (column < width)
        # In an image narrower than the radius some offsets are never inside.
        distances = np.maximum(-(down * width + right), 1)
        return cls(distances=distances, inside=inside, grid=(height, width))

    @property
    def reach(self) -> int:
        """Distance of the farthest neighbour in symbols."""
        return int(self.distances.max())

    @property
    def n_positions(self) -> int:
        """Number of symbols of an image."""
        return self.grid[0] * self.grid[1]
