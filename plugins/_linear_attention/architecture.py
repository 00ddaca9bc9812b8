"""Architecture of a network of linear attention, and the decay of its heads."""

from __future__ import annotations

import math
from dataclasses import dataclass

DECAY_BITS = 16
"""Decays are whole parts of 2**-16, in training as in the integers."""
SHORTEST = 2
"""Memory of the first head, in symbols."""
LONGEST = 1 << 9
"""Largest memory of a head: with more, products of whole numbers would not be exact."""


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Widths of a network.

    Attributes:
        embedding: of a symbol.
        stream: D, of the residual stream.
    """

    embedding: int
    stream: int


# Names are weights of two layers over bytes with three taps, embeddings included.
SIZES = {
    "10k": Widths(embedding=8, stream=16),
    "50k": Widths(embedding=16, stream=44),
    "100k": Widths(embedding=16, stream=68),
    "200k": Widths(embedding=24, stream=100),
}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Sizes that fix the shape of every array.

    Attributes:
        n_symbols: V; symbol V stands before the start.
        widths: of embeddings and of the residual stream, D.
        n_layers: L.
        n_heads: H, each of width D / H.
        memory: of the last head, in symbols.
        taps: number of last symbols that enter the residual stream together.
    """

    n_symbols: int
    widths: Widths
    n_layers: int
    n_heads: int
    memory: int
    taps: int

    @property
    def head_width(self) -> int:
        """Width of one head."""
        return self.widths.stream // self.n_heads

    @property
    def wide(self) -> int:
        """Width inside the feed-forward part."""
        return 2 * self.widths.stream

    @property
    def decays(self) -> tuple[float, ...]:
        """Share of a state that each head keeps per step, in whole parts of 2**-16.

        A head of memory m keeps 1 - 1/m; memories are a geometric series from SHORTEST to
        `memory`, as the decays of retention are (Sun et al. 2023, section 2.2).
        """
        growth = math.log(self.memory / SHORTEST) / max(1, self.n_heads - 1)
        # The last head has the longest memory, also where it is the only head.
        memories = [
            self.memory * math.exp(-growth * i) for i in range(self.n_heads)[::-1]
        ]
        parts = 1 << DECAY_BITS
        return tuple(round(parts - parts / memory) / parts for memory in memories)

    @property
    def matrices(self) -> tuple[str, ...]:
        """Names of the matrices that read the residual stream or write to it."""
        kinds = ("qkv", "project", "expand", "contract")
        layers = range(self.n_layers)
        return (*(f"{kind}{i}" for i in layers for kind in kinds), "head")
