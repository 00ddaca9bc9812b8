"""Gated linear recurrence over bytes: remembers like a GRU, learns in parallel.

Two layers whose gates see their input alone (Lei et al. 2018, arXiv:1709.02755; Martin and
Cundy 2018, arXiv:1709.04057), so that training and coding of a known text do not go step by
step through matmuls.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from harness import Choice, LogUniform, SpecError, hookimpl

from .._recurrent.architecture import SIZES, Architecture
from .._recurrent.model import Recurrent
from .._torch.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class ByteRecurrence(Recurrent):
    """Gated linear recurrence that codes exactly.

    Attributes:
        layers: number of layers of cells; each above the first adds three matrices.
        taps: number of last bytes that the first layer reads at once.
    """

    name = "byte_recurrence"
    family = "gated linear recurrence"
    recipe = Recipe(learning_rate=1.5e-2, warm_up=50, batch=16, window=256)

    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(1.5e-3, 4.5e-2),
            "weight_decay": LogUniform(1e-3, 0.3),
            "layers": Choice(1, 2),
            "taps": Choice(1, 2, 3, 5),
        }
    )

    # Byte models need more than the default size of pixel models.
    size: str = "100k"
    layers: int = 2
    taps: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layers < 1 or not 1 <= self.taps <= 16:
            raise SpecError(
                f"layers is {self.layers}, taps is {self.taps}; "
                "give 1 layer or more, and 1 to 16 taps"
            )

    @property
    def architecture(self) -> Architecture:
        return Architecture(
            n_symbols=self.alphabet,
            widths=SIZES[self.size],
            cell="linear",
            # The last bytes, the nearest first.
            distances=tuple(range(1, self.taps + 1)),
            n_layers=self.layers,
        )


@hookimpl
def compressors() -> list[type[ByteRecurrence]]:
    return [ByteRecurrence]
