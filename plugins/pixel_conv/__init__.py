"""Masked convolutions over pixels (PixelCNN: van den Oord et al. 2016, arXiv:1601.06759).

The first layer reads the pixels above and to the left within a radius and not the pixel
itself (mask A of section 3.4); each further layer reads the layer below with a 3x3 kernel of
which only the rows above, the left and the position itself are left (mask B), so that what
a prediction sees grows by a pixel on each side per layer. All positions share their
weights, nothing tells a layer where it is, and pixels outside the image are a symbol of
their own. Units are the gated ones of the authors' second paper (arXiv:1606.05328, section
2.1), each added to the layer below. `pixel_mlp` sees one fixed neighbourhood instead, with
a weight for each of its places and, as a default, for each position.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from harness import Choice, LogUniform, SpecError, hookimpl

from .._feedforward.architecture import Architecture, Offset, back
from .._feedforward.model import FeedForward
from .._torch.pixels import PixelModel, causal_offsets
from .._torch.recipe import Recipe, Widths

LARGEST_RADIUS = 16
MOST_LAYERS = 16
# Names are weights for images of one channel and 256 levels, at the defaults.
SIZES = {
    "10k": Widths(embedding=4, hidden=16),
    "50k": Widths(embedding=8, hidden=40),
    "200k": Widths(embedding=12, hidden=88),
    "1m": Widths(embedding=16, hidden=208),
}


@dataclass(frozen=True, kw_only=True)
class PixelConv(PixelModel, FeedForward):
    """Stack of masked convolutions that reads images and codes them exactly.

    Attributes:
        radius: of the first layer's kernel, in pixels; without a shape that layer reads the
            last 2 radius (radius + 1) bytes, and the others 5 positions.
        layers: convolutions, the first one included.
    """

    name = "pixel_conv"
    family = "pixel convolution"
    # Rate: bits on a part of train alone (docs/networks.md, "Learning rates").
    recipe = Recipe(learning_rate=2e-2, warm_up=50, weight_decay=0.1, batch=16)
    sizes = tuple(SIZES)
    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(2e-3, 6e-2),
            "weight_decay": LogUniform(1e-2, 1.0),
            "radius": Choice(1, 2, 3),
            "layers": Choice(2, 3, 4),
        }
    )

    radius: int = 2
    layers: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, most in (("radius", LARGEST_RADIUS), ("layers", MOST_LAYERS)):
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise SpecError(f"{name} is {value}; {self.name} has 1 to {most}")

    @property
    def architecture(self) -> Architecture:
        return Architecture(
            n_symbols=self.alphabet,
            widths=SIZES[self.size],
            unit="gated",
            taps=self._kernel(self.radius),
            # Mask B: the position itself, which has read what lies before its own pixel.
            offsets=(((0, 0), *self._kernel(1)),) * (self.layers - 1),
            grid=self.grid,
        )

    def _kernel(self, radius: int) -> tuple[Offset, ...]:
        """Return the offsets of mask A: all earlier positions within a radius."""
        if self.grid is None:
            return back(range(1, 2 * radius * (radius + 1) + 1))
        return tuple(causal_offsets(radius, self.n_channels))

    def _reach(self, context: bytes) -> bytes:
        if self.grid is None:
            return super()._reach(context)
        # Complete images leave no trace, and the place in the last one counts.
        return self.unfinished_image(context)


@hookimpl
def compressors() -> list[type[PixelConv]]:
    return [PixelConv]
