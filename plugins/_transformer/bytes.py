"""Next-byte transformer: attention over a sliding window, biases by distance.

No positions: each head adds to its scores a learned bias that starts as a slope (ALiBi:
Press et al. 2022, arXiv:2108.12409), so that streams may be of any length.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from harness import Choice, LogUniform, SpecError

from .._torch.recipe import Recipe
from .architecture import SIZES, Architecture
from .model import Transformer


@dataclass(frozen=True, kw_only=True)
class ByteTransformer(Transformer):
    """Small language model over bytes that codes exactly.

    Attributes:
        attention: number of earlier bytes a position attends to, in every layer.
    """

    name = "byte_transformer"
    family = "byte transformer"
    recipe = Recipe(learning_rate=3e-3, warm_up=50, batch=16, window=256)

    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(5e-4, 1.5e-2),
            "weight_decay": LogUniform(1e-3, 0.3),
            "attention": Choice(8, 32, 128),
        }
    )

    attention: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.attention <= 1 << 12:
            raise SpecError(f"attention is {self.attention}; give 1 to 4096 bytes")

    @property
    def window(self) -> int:
        """Bytes of context that can reach a prediction, through all layers."""
        return self.architecture.receptive_field

    @property
    def architecture(self) -> Architecture:
        width, n_layers, n_heads = SIZES[self.size]
        return Architecture(
            n_symbols=self.alphabet,
            width=width,
            n_heads=n_heads,
            # The same window in every layer; the receptive field is their sum.
            reaches=(self.attention,) * n_layers,
        )

    def _reach(self, context: bytes) -> bytes:
        # Earlier bytes cannot reach a prediction.
        return context[-self.window :]
