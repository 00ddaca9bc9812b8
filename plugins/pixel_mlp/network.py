"""Float network: embedded neighbours, two hidden layers, one logit per level."""

import numpy as np
import torch
from torch import nn

from .._torch.network import Network
from .neighbours import MLPWidths, Neighbourhood

N_KNOTS = 9
POSITIONS_PER_WINDOW = 32


class NeighbourhoodMLP(Network):
    """Network of two ReLU layers over the embedded levels of the neighbours."""

    basis: torch.Tensor
    inside: torch.Tensor
    distances: torch.Tensor

    def __init__(
        self,
        neighbourhood: Neighbourhood,
        widths: MLPWidths,
        *,
        alphabet: int,
        position: bool,
    ) -> None:
        super().__init__()
        n_neighbours = len(neighbourhood.distances)
        e, d = widths.embedding, widths.hidden
        self.neighbourhood, self.alphabet = neighbourhood, alphabet
        self.embedding = nn.Parameter(torch.empty(alphabet + 1, e))
        # Levels are ordered: a basis that is linear between knots says so from the start.
        self.knots = nn.Parameter(torch.empty(e, N_KNOTS))
        self.mixing = nn.Linear(n_neighbours * e, d)
        n_rows, n_columns = neighbourhood.grid if position else (0, 0)
        self.row = nn.Parameter(torch.empty(d, n_rows))
        self.column = nn.Parameter(torch.empty(d, n_columns))
        self.inner = nn.Linear(d, d)
        self.head = nn.Linear(d, alphabet)
        self.register_buffer("basis", _hats(alphabet), persistent=False)
        inside = torch.from_numpy(neighbourhood.inside)
        self.register_buffer("inside", inside, persistent=False)
        distances = torch.from_numpy(neighbourhood.distances)
        self.register_buffer("distances", distances, persistent=False)

    def forward(self, symbols: torch.Tensor) -> torch.Tensor:
        n, length = symbols.shape
        where = torch.arange(length, device=symbols.device).expand(n, -1)
        place = where % self.neighbourhood.n_positions
        logits: torch.Tensor = self.head(self.states(symbols, where, place)[1])
        return logits

    def hidden(self, symbols: torch.Tensor) -> dict[str, torch.Tensor]:
        n, length = symbols.shape
        where = torch.arange(length, device=symbols.device).expand(n, -1)
        # After a row's end comes the next row; after the last, one below the image.
        place = where % self.neighbourhood.n_positions + 1
        first, second = self.states(symbols, where + 1, place)
        return {"layer1": first, "layer2": second}

    def nats(
        self,
        symbols: torch.Tensor,
        targets: torch.Tensor,
        real: torch.Tensor,
        rng: np.random.Generator,
    ) -> torch.Tensor:
        """Return the mean nats of a few positions of each window: pixels are alike."""
        n, length = symbols.shape
        positions = rng.integers(0, length, (n, min(POSITIONS_PER_WINDOW, length)))
        where = torch.from_numpy(positions).to(symbols.device)
        place = where % self.neighbourhood.n_positions
        logits = self.head(self.states(symbols, where, place)[1])
        target, counted = targets.gather(1, where), real.gather(1, where)
        each = nn.functional.cross_entropy(
            logits.flatten(0, 1), target.flatten(), reduction="none"
        )
        return (each * counted.flatten()).sum() / counted.sum().clamp(min=1)

    def states(
        self, symbols: torch.Tensor, where: torch.Tensor, place: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return both hidden layers of the networks that predict some positions.

        Args:
            symbols: (B, T).
            where: (B, P), which symbol of the window is predicted, up to T.
            place: (B, P), where in an image it lies; n_positions is below the image.
        """
        sums = self.mixing(self.inputs(symbols, where, place))
        if self.row.numel():
            n_rows, n_columns = self.neighbourhood.grid
            row = (place // n_columns).clamp(max=n_rows - 1)
            sums = sums + self.row.T[row] + self.column.T[place % n_columns]
        first = torch.relu(sums)  # (B, P, d)
        return first, torch.relu(self.inner(first))

    def inputs(
        self, symbols: torch.Tensor, where: torch.Tensor, place: torch.Tensor
    ) -> torch.Tensor:
        """Return the embedded neighbours, (B, P, K * embedding)."""
        n, reach = len(symbols), self.neighbourhood.reach
        before = symbols.new_full((n, reach), self.alphabet)
        padded = torch.cat([before, symbols], 1)
        at = reach + where[..., None] - self.distances  # (B, P, K)
        levels = padded.gather(1, at.flatten(1)).view(at.shape)  # (B, P, K)
        levels = levels.masked_fill(~self.inside[place], self.alphabet)
        return self.meanings()[levels].flatten(2)

    def meanings(self) -> torch.Tensor:
        """Return the embedding of each level, "outside" last: (A + 1, embedding)."""
        return self.embedding + self.basis @ self.knots.T

    def initial_scale(self, name: str, parameter: torch.Tensor) -> float:
        small = {"embedding": 0.1, "knots": 1.0, "row": 0.02, "column": 0.02}
        # Asked only for others: rows and columns are empty without positions.
        return small[name] if name in small else super().initial_scale(name, parameter)


def _hats(alphabet: int) -> torch.Tensor:
    """Return the values of N_KNOTS hat functions at each level, (A + 1, N_KNOTS)."""
    place = torch.arange(alphabet + 1) * ((N_KNOTS - 1) / max(alphabet - 1, 1))
    hats = (1 - (place[:, None] - torch.arange(N_KNOTS)).abs()).clamp(min=0)
    hats[alphabet] = 0
    return hats
