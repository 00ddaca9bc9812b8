"""Next-pixel transformer (image GPT: Chen et al. 2020, "Generative Pretraining from Pixels").

Raster order, learned positions, pre-norm blocks. Two interventions in the spirit of its
authors: a limit of the previous pixels a prediction sees, and a fixed shuffle of the pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from harness import (
    Arrays,
    Bits,
    Choice,
    LogUniform,
    NotApplicableError,
    SpecError,
    Watch,
)

from .._torch.batches import Ints, philox
from .._torch.model import Running
from .._torch.pixels import PixelModel
from .._torch.recipe import Recipe
from .architecture import SIZES, Architecture, spread
from .model import Transformer


@dataclass(frozen=True, kw_only=True)
class PixelTransformer(PixelModel, Transformer):
    """Image GPT that codes exactly.

    Attributes:
        context: number of previous pixels that a prediction sees; None is all.
        shuffle_seed: of a fixed order in which the pixels of every image are read and
            coded; None is raster order.
    """

    name = "pixel_transformer"
    family = "pixel transformer"
    recipe = Recipe(learning_rate=3e-3, warm_up=50, weight_decay=0.3)

    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(5e-4, 1.5e-2),
            "weight_decay": LogUniform(1e-2, 1.0),
            "context": Choice(8, 32, None),
        }
    )

    context: int | None = None
    shuffle_seed: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.context is not None and self.context < 1:
            raise SpecError(
                f"context is {self.context}; a prediction sees 1 pixel or more, None is all"
            )

    @property
    def window(self) -> int:
        """Largest useful context in bytes: the earlier part of the same image."""
        return min(self.architecture.receptive_field, self.training_window)

    @property
    def architecture(self) -> Architecture:
        width, n_layers, n_heads = SIZES[self.size]
        n_pixels = self.training_window
        # A limit of a whole image is none: the layers then attend without a mask.
        whole = self.context is None or self.context >= n_pixels
        return Architecture(
            n_symbols=self.alphabet,
            width=width,
            n_heads=n_heads,
            reaches=(n_pixels - 1,) * n_layers
            if whole
            else spread(int(self.context or 1), n_layers),
            n_positions=n_pixels,
        )

    def arrange(self, samples: Sequence[bytes]) -> list[bytes]:
        """Return samples with their pixels in the order in which they are coded.

        `step` and `frequencies` take and give that order; a last image that is not whole
        stays as it is.
        """
        return self._reordered(samples, self._order)

    def rearrange(self, samples: Sequence[bytes]) -> list[bytes]:
        """Undo `arrange`."""
        return self._reordered(samples, np.argsort(self._order))

    def train(
        self,
        corpus: Sequence[bytes],
        steps: Sequence[int],
        *,
        seed: int,
        watch: Watch | None = None,
    ) -> Iterator[Arrays]:
        return super().train(self.arrange(corpus), steps, seed=seed, watch=watch)

    def start(self, n: int, *, context: bytes = b"") -> Running:
        return super().start(n, context=self.arrange([context])[0])

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        return super().code_lengths(self.arrange(samples), context=context)

    def hidden_states(self, batch: Sequence[bytes]) -> dict[str, NDArray[np.float32]]:
        """Return the states at the pixels' original places, by which probes pool."""
        layers = super().hidden_states(self.arrange(batch))
        if self.shuffle_seed is None:
            return layers
        # The batch is padded; only whole images can be put back in order.
        length = max(map(len, batch), default=0)
        if any(len(sample) != length for sample in batch) or length % len(self._order):
            raise NotApplicableError(
                f"shuffled pixels have no place in an image of {length} bytes; "
                f"give whole images of {len(self._order)}"
            )
        # Places of each image, image by image.
        whole = np.arange(0, length, len(self._order))[:, None]
        places = (whole + np.argsort(self._order)).reshape(-1)
        return {name: states[:, places] for name, states in layers.items()}

    def sample(
        self, prefixes: Sequence[bytes], length: int, rng: np.random.Generator
    ) -> list[bytes]:
        if self.shuffle_seed is not None and any(prefixes):
            raise NotApplicableError(
                "a part of an image is no prefix of shuffled pixels; "
                "complete with shuffle_seed=None"
            )
        return self.rearrange(super().sample(prefixes, length, rng))

    @cached_property
    def _order(self) -> Ints:
        n_pixels = self.training_window
        if self.shuffle_seed is None:
            return np.arange(n_pixels)
        return philox(self.shuffle_seed, 3).permutation(n_pixels)

    def _reordered(self, samples: Sequence[bytes], order: Ints) -> list[bytes]:
        if self.shuffle_seed is None:
            return list(samples)
        reordered = []
        for sample in samples:
            # The incomplete image at the end has no order of its own.
            n_whole = len(sample) // len(order) * len(order)
            images = np.frombuffer(sample[:n_whole], np.uint8).reshape(-1, len(order))
            reordered.append(images[:, order].tobytes() + sample[n_whole:])
        return reordered

    def _reach(self, context: bytes) -> bytes:
        # Only the pixels of the image that is not complete yet matter.
        return context[len(context) // self.training_window * self.training_window :]
