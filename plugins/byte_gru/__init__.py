"""Gated recurrent units over bytes (Cho et al. 2014, arXiv:1406.1078)."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from harness import Choice, LogUniform, SpecError, hookimpl

from .._recurrent.architecture import SIZES, Architecture
from .._recurrent.model import Recurrent
from .._torch.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class ByteGRU(Recurrent):
    """Layer of gated recurrent units that codes exactly.

    Attributes:
        taps: number of last bytes that a step reads at once.
    """

    name = "byte_gru"
    family = "byte GRU"
    recipe = Recipe(learning_rate=1e-2, warm_up=50, batch=16, window=128)

    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(1e-3, 3e-2),
            "weight_decay": LogUniform(1e-3, 0.3),
            "taps": Choice(1, 2, 3, 5),
        }
    )

    # Byte models need more than the default size of pixel models.
    size: str = "100k"
    taps: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.taps <= 16:
            raise SpecError(f"taps is {self.taps}; byte_gru has 1 to 16")

    @property
    def architecture(self) -> Architecture:
        return Architecture(
            n_symbols=self.alphabet,
            widths=SIZES[self.size],
            cell="gru",
            # The last bytes, the nearest first.
            distances=tuple(range(1, self.taps + 1)),
        )


@hookimpl
def compressors() -> list[type[ByteGRU]]:
    return [ByteGRU]
