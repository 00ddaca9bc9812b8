"""Architecture of a causal transformer."""

from __future__ import annotations

from dataclasses import dataclass

SIZES: dict[str, tuple[int, int, int]] = {
    "10k": (20, 2, 2),
    "50k": (32, 4, 4),
    "200k": (64, 4, 4),
    "1m": (128, 5, 4),
    "5m": (256, 6, 8),
    "20m": (512, 6, 8),
}
"""Name -> width, layers, heads: 12 width**2 weights a layer, embeddings not counted
(as in Kaplan et al. 2020, arXiv:2001.08361)."""


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes that fix the shape of every array.

    Attributes:
        n_symbols: V; symbol V is the start.
        width: D, of the residual stream.
        n_heads: H, each of width D / H.
        reaches: per layer, how many positions before its own a position attends to.
        n_positions: of the learned position embedding; 0 for learned biases by distance.
        has_prior: True where each position also reads another model's distribution of the
            next symbol, as V levels (`integers`).
    """

    n_symbols: int
    width: int
    n_heads: int
    reaches: tuple[int, ...]
    n_positions: int = 0
    has_prior: bool = False

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.width // self.n_heads

    @property
    def n_layers(self) -> int:
        """Number of blocks."""
        return len(self.reaches)

    @property
    def receptive_field(self) -> int:
        """Number of previous symbols that a prediction can depend on."""
        # Each layer looks its reach further back; the last symbol is the input.
        return 1 + sum(self.reaches)

    def restarts_at(self, position: int) -> bool:
        """Return True where a new image starts, and with it an empty memory."""
        return bool(self.n_positions) and position % self.n_positions == 0

    def piece(self, position: int, longest: int) -> int:
        """Return the number of symbols until the end of the image, at most `longest`."""
        if not self.n_positions:
            return longest
        return min(longest, self.n_positions - position % self.n_positions)


def spread(context: int, n_layers: int) -> tuple[int, ...]:
    """Return reaches of the layers that let a prediction see `context` symbols and no more.

    Its own position shows a layer the last symbol; each further one is one step of some
    layer, so that the reaches add up to context - 1. The first layers get the remainder.
    """
    share, remainder = divmod(context - 1, n_layers)
    # The first layers take the remainder.
    return tuple(share + (layer < remainder) for layer in range(n_layers))


def slopes(n_heads: int) -> list[float]:
    """Return the slope of each head's scores by distance (ALiBi, arXiv:2108.12409)."""
    # A geometric series that ends at 2**-8, as in the paper.
    return [2.0 ** (-8 * (head + 1) / n_heads) for head in range(n_heads)]
