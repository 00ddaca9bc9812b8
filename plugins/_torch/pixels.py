"""Base of the neural compressors that read images pixel by pixel."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness import SpecError

from .batches import Windows, philox, with_random_targets
from .model import NeuralModel


@dataclass(frozen=True, kw_only=True)
class PixelModel(NeuralModel):
    """Network that reads images pixel by pixel, row by row.

    A window is one sample. After height * width symbols of a stream the next image starts.

    Attributes:
        shape: (height, width) of the card, or also channels, then side by side in a row.
        levels: number of symbols; None is 256.
        n_samples: train on the first so many samples only; None is all.
        random_targets: the fraction of training targets that are replaced, once, by
            symbols drawn uniformly. What is read, and what is coded, stays as it is.
    """

    shape: tuple[int, ...] | None = None
    levels: int | None = None
    n_samples: int | None = None
    random_targets: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_samples is not None and self.n_samples < 1:
            raise SpecError(
                f"n_samples is {self.n_samples}; train on 1 sample or more, None is all"
            )
        if not 0 <= self.random_targets <= 1:
            raise SpecError(
                f"random_targets is {self.random_targets}; give a fraction of 0 to 1"
            )

    @property
    def alphabet(self) -> int:
        return self.levels or 256

    @property
    def training_window(self) -> int:
        return self.recipe.window if self.shape is None else int(np.prod(self.shape))

    @property
    def n_channels(self) -> int:
        """Symbols of a pixel."""
        return int(np.prod((self.shape or ())[2:]))

    @property
    def grid(self) -> tuple[int, int] | None:
        """Rows and columns of symbols of an image; None without two axes."""
        if self.shape is None or len(self.shape) < 2:
            return None
        return self.shape[0], int(np.prod(self.shape[1:]))

    def unfinished_image(self, context: bytes) -> bytes:
        """Return the part of a context that belongs to its last image, if that has an end."""
        if self.grid is None:
            return context
        whole = self.grid[0] * self.grid[1]
        return context[len(context) // whole * whole :]

    def windows(self, corpus: Sequence[bytes], *, seed: int) -> Windows:
        return with_random_targets(
            super().windows(corpus[: self.n_samples], seed=seed),
            fraction=self.random_targets,
            alphabet=self.alphabet,
            rng=philox(seed, 4),
        )


def causal_offsets(radius: int, n_channels: int) -> list[tuple[int, int]]:
    """Return the earlier positions within a radius, as (rows down, columns to the right).

    Args:
        radius: in pixels, in all directions.
        n_channels: of a pixel, side by side in a row; all those of a pixel above count.
    """
    side = radius * n_channels
    offsets = [(0, -x) for x in range(1, side + 1)]
    return offsets + [
        (-y, x) for y in range(1, radius + 1) for x in range(-side, side + n_channels)
    ]
