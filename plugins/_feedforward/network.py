"""The float network: trained, and opened to probes, but never used for coding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .._torch.network import Network
from .architecture import Architecture


class FeedForwardNetwork(Network):
    """Embedded last symbols through layers of bounded units to one logit per symbol.

    Matrices are (out, in). Rows of a gated layer are candidates first, then gates.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        e, d = a.widths.embedding, a.widths.hidden
        self.embedding = nn.Parameter(torch.zeros(a.n_symbols + 1, e))
        self._add("layer1", a.n_sums * d, a.taps * e)
        for name, distances in zip(a.upper, a.offsets, strict=True):
            self._add(name, a.n_sums * d, len(distances) * d)
        self._add("head", a.n_symbols, d)

    def forward(self, symbols: Tensor) -> Tensor:
        # The state after the last symbol predicts nothing inside the window.
        last = self.states(symbols)[-1][:, :-1]  # (B, T + 1, d) -> (B, T, d)
        return self._sums("head", last)

    def hidden(self, symbols: Tensor) -> dict[str, Tensor]:
        # The first state has read nothing; state t + 1 has just read symbol t.
        layers = enumerate(self.states(symbols), start=1)
        return {f"layer{i}": states[:, 1:] for i, states in layers}

    def states(self, symbols: Tensor) -> list[Tensor]:
        """Return the units of each layer, (B, T) -> (B, T + 1, d): one more than symbols."""
        layers = [self._units(self._sums("layer1", self._embedded(symbols)), None)]
        offsets = self.architecture.offsets
        for name, distances in zip(self.architecture.upper, offsets, strict=True):
            below = layers[-1]
            rows = torch.cat([_delayed(below, distance) for distance in distances], -1)
            layers.append(self._units(self._sums(name, rows), below))
        return layers

    def initial_scale(self, name: str, parameter: Tensor) -> float:
        # Symbols must differ enough from the start to move bounded units.
        if name == "embedding":
            return 0.5
        return super().initial_scale(name, parameter)

    def _add(self, name: str, n_out: int, n_in: int) -> None:
        self.register_parameter(name, nn.Parameter(torch.zeros(n_out, n_in)))
        self.register_parameter(f"{name}_bias", nn.Parameter(torch.zeros(n_out)))

    def _sums(self, name: str, rows: Tensor) -> Tensor:
        weights, bias = self.get_parameter(name), self.get_parameter(f"{name}_bias")
        return functional.linear(rows, weights, bias)

    def _embedded(self, symbols: Tensor) -> Tensor:
        """Return the embedded last symbols of each step, (B, T) -> (B, T + 1, taps e)."""
        n_symbols, taps = self.architecture.n_symbols, self.architecture.taps
        padded = functional.pad(symbols, (taps, 0), value=n_symbols)
        vectors = functional.embedding(padded, self.embedding)  # (B, taps + T, e)
        n_steps = symbols.shape[1] + 1
        delayed = [
            vectors[:, taps - d : taps - d + n_steps] for d in range(1, taps + 1)
        ]
        return torch.cat(delayed, -1)

    def _units(self, sums: Tensor, below: Tensor | None) -> Tensor:
        if self.architecture.unit == "tanh":
            return sums.tanh()
        candidate, gate = sums.chunk(2, -1)
        new, share = candidate.tanh(), gate.sigmoid()
        return share * new if below is None else below + share * (new - below)


def _delayed(states: Tensor, distance: int) -> Tensor:
    """Return the states of so many steps earlier, 0 before the start: (B, T, d)."""
    if distance == 0:
        return states
    # A window may be shorter than the distance.
    earlier = states[:, : max(0, states.shape[1] - distance)]
    return functional.pad(earlier, (0, 0, states.shape[1] - earlier.shape[1], 0))
