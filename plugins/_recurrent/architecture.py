"""Architecture of a recurrent network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._torch.recipe import Widths

Cell = Literal["gru", "linear"]

N_GATES = 3


# Names are weights over bytes with three symbols of input; two linear layers have as many
# as one of gated units.
SIZES = {
    "10k": Widths(embedding=8, hidden=24),
    "50k": Widths(embedding=16, hidden=72),
    "100k": Widths(embedding=16, hidden=128),
    "200k": Widths(embedding=24, hidden=192),
    "1m": Widths(embedding=32, hidden=480),
    "5m": Widths(embedding=48, hidden=1200),
}


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """Inputs, cells and sizes of a network.

    Attributes:
        n_symbols: of the alphabet; one more stands for "before the start".
        widths: of embeddings and layers.
        cell: "gru", which has one layer, or "linear".
        distances: how many symbols back each input symbol of a step lies, rising.
        n_layers: of linear cells.
        grid: (rows, columns) of an image, after which all states are reset; None: never.
    """

    n_symbols: int
    widths: Widths
    cell: Cell
    distances: tuple[int, ...]
    n_layers: int = 1
    grid: tuple[int, int] | None = None

    @property
    def n_places(self) -> int:
        """Symbols of an image; 0 without a grid."""
        return self.grid[0] * self.grid[1] if self.grid else 0

    @property
    def place_width(self) -> int:
        """Width of the embeddings of rows and columns."""
        return max(4, self.widths.embedding // 4)

    @property
    def n_inputs(self) -> int:
        """Number of inputs of a step."""
        symbols = len(self.distances) * self.widths.embedding
        return symbols + (2 * self.place_width if self.grid else 0)

    @property
    def matrices(self) -> tuple[str, ...]:
        """Names of all weight matrices, (out, in) each."""
        # Order matters: artifacts list arrays in it.
        places = ("row", "column") if self.grid else ()
        inner = ("recurrent",) if self.cell == "gru" else self.upper
        return ("embedding", *places, "mixing", *inner, "head")

    @property
    def upper(self) -> tuple[str, ...]:
        """Names of the matrices between linear layers."""
        return tuple(f"upper{layer}" for layer in range(1, self.n_layers))
