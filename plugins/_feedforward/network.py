"""The float network: trained, and opened to probes, but never used for coding."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .._torch.network import Network, by_window, images_of, joined_images
from .architecture import Architecture, Offset


class FeedForwardNetwork(Network):
    """Embedded symbols through layers of bounded units to one logit per symbol.

    Matrices are (out, in). Rows of a gated layer are candidates first, then gates. Bytes
    are an image of one row; positions lie in (N, rows, columns).
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        for name, shape in architecture.shapes().items():
            self.register_parameter(name, nn.Parameter(torch.zeros(*shape)))
            if name in architecture.biased:
                bias = nn.Parameter(torch.zeros(shape[0]))
                self.register_parameter(f"{name}_bias", bias)

    def forward(self, symbols: Tensor) -> Tensor:
        # The state after the last symbol predicts nothing inside the window.
        last = self.states(symbols)[-1][:, :, :-1]  # (B, images, L, d)
        return joined_images(self._sums("head", last), symbols.shape[1])

    def hidden(self, symbols: Tensor) -> dict[str, Tensor]:
        # The first state has read nothing; state t + 1 has just read symbol t.
        return {
            f"layer{i}": joined_images(states[:, :, 1:], symbols.shape[1])
            for i, states in enumerate(self.states(symbols), start=1)
        }

    def states(self, symbols: Tensor) -> list[Tensor]:
        """Return the units of each layer, (B, T) -> (B, images, L + 1, d).

        State t of an image predicts its symbol t; the last is that of the position below
        its first column, which has read the whole image.
        """
        a = self.architecture
        images = images_of(symbols, a.n_places)  # (N, L)
        n, length = images.shape
        # One row more than the image has, for the state after its last symbol.
        shape = (a.grid[0] + 1, a.grid[1]) if a.grid else (1, length + 1)
        missing = shape[0] * shape[1] - length
        table = functional.pad(images, (0, missing), value=a.n_symbols).view(n, *shape)
        units = self._units(self._sums("layer1", self._embedded(table)), None)
        layers = [units]
        for name, offsets in zip(a.upper, a.offsets, strict=True):
            units = self._units(self._sums(name, _neighbours(units, offsets)), units)
            layers.append(units)
        return [
            by_window(states.flatten(1, 2)[:, : length + 1], len(symbols))
            for states in layers
        ]

    def initial_scale(self, name: str, parameter: Tensor) -> float:
        # Symbols must differ enough from the start to move bounded units.
        return 0.5 if name == "embedding" else super().initial_scale(name, parameter)

    def _sums(self, name: str, rows: Tensor) -> Tensor:
        weights, bias = self.get_parameter(name), self.get_parameter(f"{name}_bias")
        return functional.linear(rows, weights, bias)

    def _embedded(self, table: Tensor) -> Tensor:
        """Return the embedded symbols that each position reads, (N, R, C, taps e)."""
        taps, outside = self.architecture.taps, self.architecture.n_symbols
        top, left, right = _margins(taps)
        # Outside the image stands a symbol of its own, with an embedding.
        padded = functional.pad(table, (left, right, top, 0), value=outside)
        vectors = functional.embedding(padded, self.get_parameter("embedding"))
        return _shifted(vectors, taps, table.shape[1:])

    def _units(self, sums: Tensor, below: Tensor | None) -> Tensor:
        if self.architecture.unit == "tanh":
            return sums.tanh()
        candidate, gate = sums.chunk(2, -1)
        change = candidate.tanh() * gate.sigmoid()
        return change if below is None else below + change


def _neighbours(units: Tensor, offsets: tuple[Offset, ...]) -> Tensor:
    """Return the units that each position reads, 0 outside: (N, R, C, K d)."""
    top, left, right = _margins(offsets)
    padded = functional.pad(units, (0, 0, left, right, top, 0))
    return _shifted(padded, offsets, units.shape[1:3])


def _margins(offsets: tuple[Offset, ...]) -> tuple[int, int, int]:
    """Return how many rows above, and columns left and right, the offsets need."""
    down, right = zip(*offsets, strict=True)
    return max(-min(down), 0), max(-min(right), 0), max(*right, 0)


def _shifted(
    padded: Tensor, offsets: tuple[Offset, ...], shape: tuple[int, ...]
) -> Tensor:
    """Return what lies at the offsets from each of (R, C) positions, side by side."""
    (top, left, _), (n_rows, n_columns) = _margins(offsets), shape
    return torch.cat(
        [
            padded[:, top + down :, left + right :][:, :n_rows, :n_columns]
            for down, right in offsets
        ],
        -1,
    )
