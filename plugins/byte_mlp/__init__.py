"""Window MLP over bytes: the last bytes, embedded, through one or two hidden layers.

The neural language model of Bengio et al. 2003 ("A neural probabilistic language model",
JMLR 3, section 2), over bytes instead of words and without its direct connections from
embeddings to logits: it has no memory beyond the window, and a weight belongs to one place
of the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from harness import Choice, LogUniform, SpecError, hookimpl

from .._feedforward.architecture import Architecture, back
from .._feedforward.model import FeedForward
from .._torch.recipe import Recipe, Widths

LARGEST_WINDOW = 64
# Names are weights over bytes with the default taps and layers.
SIZES = {
    "10k": Widths(embedding=8, hidden=24),
    "50k": Widths(embedding=16, hidden=88),
    "100k": Widths(embedding=16, hidden=160),
    "200k": Widths(embedding=24, hidden=240),
    "1m": Widths(embedding=32, hidden=720),
    "5m": Widths(embedding=48, hidden=1856),
}


@dataclass(frozen=True, kw_only=True)
class ByteMLP(FeedForward):
    """Window MLP that codes exactly.

    Attributes:
        taps: number of last bytes that are embedded.
        layers: hidden layers, 1 or 2.
    """

    name = "byte_mlp"
    family = "window MLP"
    # Rate: bits on a part of train alone (docs/networks.md, "Learning rates").
    recipe = Recipe(learning_rate=2e-2, warm_up=50, batch=16, window=128)
    sizes = tuple(SIZES)
    ranges = MappingProxyType(
        {
            "size": Choice("10k", "50k"),
            "learning_rate": LogUniform(2e-3, 6e-2),
            "weight_decay": LogUniform(1e-3, 0.3),
            "taps": Choice(3, 6, 12, 24),
            "layers": Choice(1, 2),
        }
    )

    # Byte models need more than the default size of pixel models.
    size: str = "100k"
    taps: int = 12
    layers: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.taps <= LARGEST_WINDOW:
            raise SpecError(f"taps is {self.taps}; byte_mlp has 1 to {LARGEST_WINDOW}")
        if self.layers not in (1, 2):
            raise SpecError(f"layers is {self.layers}; byte_mlp has 1 or 2")

    @property
    def architecture(self) -> Architecture:
        return Architecture(
            n_symbols=self.alphabet,
            widths=SIZES[self.size],
            unit="tanh",
            taps=back(range(1, self.taps + 1)),
            # The second layer reads the first where it stands.
            offsets=(back([0]),) * (self.layers - 1),
        )


@hookimpl
def compressors() -> list[type[ByteMLP]]:
    return [ByteMLP]
