"""Small MLP over a causal neighbourhood of pixels: strong, local, without memory.

Each pixel is predicted from the pixels above and to the left within a radius, in the raster
order of iGPT (Chen et al. 2020); pixels outside the image are a symbol of their own. There
is no recurrent state, so that whole images are coded in parallel by the same integers that
go step by step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness import Arrays, Choice, LogUniform, SpecError, Stepwise, hookimpl

from .._torch.model import Engine
from .._torch.pixels import PixelModel
from .._torch.recipe import Recipe
from .neighbours import MLPWidths, Neighbourhood

LARGEST_RADIUS = 16


@dataclass(frozen=True, kw_only=True)
class PixelMLP(PixelModel):
    """MLP over the causal neighbourhood of each pixel.

    Attributes:
        radius: of the neighbourhood; without a shape, the last 2 radius (radius + 1) bytes.
        position: True gives the network the row and the column.
    """

    name = "pixel_mlp"
    family = "neighbourhood MLP"
    recipe: ClassVar[Recipe] = Recipe(
        learning_rate=4e-3, warm_up=20, weight_decay=0.3, batch=64
    )
    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(5e-4, 1.5e-2),
            "weight_decay": LogUniform(1e-2, 1.0),
            "radius": Choice(1, 2, 3, 5),
            "position": Choice(True, False),
        }
    )
    # Names are weights for 28x28 images of 256 levels at the default radius.
    widths: ClassVar[Mapping[str, MLPWidths]] = {
        "10k": MLPWidths(embedding=4, hidden=16),
        "50k": MLPWidths(embedding=6, hidden=64),
        "200k": MLPWidths(embedding=10, hidden=176),
        "1m": MLPWidths(embedding=16, hidden=512),
    }
    sizes: ClassVar[Sequence[str]] = tuple(widths)

    radius: int = 5
    position: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.radius <= LARGEST_RADIUS:
            raise SpecError(
                f"radius is {self.radius}; pixel_mlp has 1 to {LARGEST_RADIUS}"
            )

    @property
    def window(self) -> int:
        # No state reaches further back than the farthest neighbour.
        return self.neighbourhood.reach

    @property
    def neighbourhood(self) -> Neighbourhood:
        """Causal neighbourhood of each position."""
        return Neighbourhood.of(self.shape, self.radius)

    def network(self) -> Any:
        # torch is imported here only: listing plugins must be fast.
        from .network import NeighbourhoodMLP

        return NeighbourhoodMLP(
            self.neighbourhood,
            self.widths[self.size],
            alphabet=self.alphabet,
            position=self.position,
        )

    def convert(self, network: Any, symbols: Any, real: NDArray[np.bool_]) -> Arrays:
        from .conversion import integers_of

        return integers_of(network, symbols, real)

    def restore(self, learned: Arrays) -> Any:
        from .conversion import set_weights

        return set_weights(self.network(), learned)

    def engine(self, learned: Arrays) -> Engine:
        from .engine import MLPEngine

        return MLPEngine(self.neighbourhood, learned)


@hookimpl
def compressors() -> list[type[Stepwise]]:
    return [PixelMLP]
