"""Dilated causal convolutions over bytes.

Layer l reads the layer below at distances 0, k**l, ..., (k - 1) k**l for a kernel of k, as in
WaveNet (van den Oord et al. 2016, arXiv:1609.03499) and ByteNet (Kalchbrenner et al. 2016,
arXiv:1610.10099), so that n layers see the last k**n bytes. Units are WaveNet's gated ones;
where their gate is closed they pass the layer below (a highway instead of a sum), so that no
value passes 1 and integers need no measured range.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from harness import SpecError, hookimpl

from .._feedforward.architecture import Architecture, Widths
from .._feedforward.model import FeedForward
from .._torch.recipe import Recipe

# Names are weights over bytes with the default kernel and layers.
SIZES = {
    "10k": Widths(embedding=8, hidden=16),
    "50k": Widths(embedding=16, hidden=40),
    "100k": Widths(embedding=16, hidden=64),
    "200k": Widths(embedding=24, hidden=96),
    "1m": Widths(embedding=32, hidden=224),
    "5m": Widths(embedding=48, hidden=512),
}


@dataclass(frozen=True, kw_only=True)
class ByteConv(FeedForward):
    """Stack of dilated causal convolutions that codes exactly.

    Attributes:
        kernel: positions that a layer reads.
        layers: convolutions; the first reads embedded bytes.
    """

    name = "byte_conv"
    family = "convolution"
    recipe = Recipe(learning_rate=1e-2, warm_up=50, batch=16, window=256)
    sizes = tuple(SIZES)
    configuration_ranges: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "size": ("10k", "50k", "100k", "200k"),
        "kernel": (2, 3, 4),
        "layers": (2, 3, 4),
        "learning_rate": (2e-3, 2e-2),
        "weight_decay": (1e-3, 0.3),
    }

    size: str = "100k"
    kernel: int = 3
    layers: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        # Beyond the training window a layer would read what it never saw in training.
        longest = self.recipe.window
        fits = self.kernel >= 2 and self.layers >= 1
        if not fits or self.layers > 8 or self.kernel**self.layers > longest:
            raise SpecError(
                f"kernel is {self.kernel}, layers is {self.layers}; give a kernel of 2 or "
                f"more, 1 layer or more, and kernel ** layers of at most {longest}"
            )

    @property
    def architecture(self) -> Architecture:
        k = self.kernel
        return Architecture(
            n_symbols=self.alphabet,
            widths=SIZES[self.size],
            unit="gated",
            taps=k,
            offsets=tuple(
                tuple(range(0, k**layer * k, k**layer))
                for layer in range(1, self.layers)
            ),
        )


@hookimpl
def compressors() -> list[type[ByteConv]]:
    return [ByteConv]
