"""Dilated causal convolutions over bytes.

Each layer reads the layer below at `kernel` positions, `dilation` times as far apart as in
the layer before, so that a few layers see many bytes with weights that all positions share.
Units are those of WaveNet (van den Oord et al. 2016, arXiv:1609.03499, sections 2.1 to 2.4):
tanh(c) times a sigmoid gate is added to the layer below. Its skip connections and its one
layer more before the logits are left out. ByteNet (Kalchbrenner et al. 2016,
arXiv:1610.10099) reads characters in this way.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from harness import Choice, LogUniform, SpecError, hookimpl

from .._feedforward.architecture import Architecture, back
from .._feedforward.model import FeedForward
from .._torch.recipe import Recipe, Widths

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
        dilation: factor by which the distances between these positions grow per layer.
    """

    name = "byte_conv"
    family = "convolution"
    # Rate: bits on a part of train alone (docs/networks.md, "Learning rates").
    recipe = Recipe(learning_rate=2e-2, warm_up=50, batch=16, window=128)
    sizes = tuple(SIZES)
    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(2e-3, 6e-2),
            "weight_decay": LogUniform(1e-3, 0.3),
            "kernel": Choice(2, 3, 4),
            "layers": Choice(2, 3, 4),
            "dilation": Choice(1, 2),
        }
    )

    # Byte models need more than the default size of pixel models.
    size: str = "100k"
    kernel: int = 3
    layers: int = 4
    dilation: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kernel < 2 or self.layers < 1 or self.dilation < 1:
            raise SpecError(
                f"kernel is {self.kernel}, layers is {self.layers}, dilation is "
                f"{self.dilation}; give a kernel of 2 or more, and 1 or more of both others"
            )
        # Beyond the training window a layer would read what it never saw in training.
        reach, longest = self.architecture.reach, self.recipe.window
        if reach > longest:
            raise SpecError(
                f"{self.name} would see {reach} bytes and is trained on windows of "
                f"{longest}; give a smaller kernel, fewer layers or less dilation"
            )

    @property
    def architecture(self) -> Architecture:
        k = self.kernel
        steps = [self.dilation**layer for layer in range(1, self.layers)]
        return Architecture(
            n_symbols=self.alphabet,
            widths=SIZES[self.size],
            unit="gated",
            taps=back(range(1, k + 1)),
            # The position itself comes first: it has read the last bytes below.
            offsets=tuple(back(range(0, k * step, step)) for step in steps),
        )


@hookimpl
def compressors() -> list[type[ByteConv]]:
    return [ByteConv]
