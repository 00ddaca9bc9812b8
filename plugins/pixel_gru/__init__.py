"""Gated recurrent units over pixels in raster order.

A plain relative of PixelRNN (van den Oord et al. 2016, arXiv:1601.06759): each step is
given the last pixel, the one above the next pixel, and the position of that. The state is
reset after each image.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from harness import Choice, LogUniform, hookimpl

from .._recurrent.architecture import SIZES, Architecture
from .._recurrent.model import Recurrent
from .._torch.pixels import PixelModel
from .._torch.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class PixelGRU(PixelModel, Recurrent):
    """Layer of gated recurrent units that reads images and codes them exactly."""

    name = "pixel_gru"
    family = "pixel GRU"
    recipe = Recipe(learning_rate=5e-3, warm_up=50, batch=32, weight_decay=0.1)
    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(1e-3, 3e-2),
            "weight_decay": LogUniform(1e-2, 1.0),
        }
    )

    @property
    def window(self) -> int | None:
        """Largest useful context in bytes: the earlier part of the same image."""
        return self.architecture.n_places or None

    @property
    def architecture(self) -> Architecture:
        grid, channels = self.grid, self.n_channels
        # Of a coloured pixel, the same channel of the last pixel and of that above.
        distances = {1, channels, grid[1]} if grid else {1, 2, 3}
        return Architecture(
            n_symbols=self.alphabet,
            widths=SIZES[self.size],
            cell="gru",
            distances=tuple(sorted(distances)),
            grid=grid,
        )

    def _reach(self, context: bytes) -> bytes:
        # States are reset after an image: complete ones leave no trace.
        return self.unfinished_image(context)


@hookimpl
def compressors() -> list[type[PixelGRU]]:
    return [PixelGRU]
