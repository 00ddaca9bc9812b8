"""Float networks, used in training.

The gated recurrent unit is that of Cho et al. 2014 (arXiv:1406.1078) with the reset gate
after the matmul, as torch has it. The linear cell forgets by a gate that depends on its
input alone (Lei et al. 2018, arXiv:1709.02755, without the peephole), so that all positions
of a layer are computed at once:

    h_t = f_t h_(t-1) + (1 - f_t) c_t        y_t = o_t h_t + (1 - o_t) skip_t

with skip_t the layer's input; for the first layer, whose input has another width, c_t.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .._torch.network import Network, by_window, images_of, joined_images
from .architecture import N_GATES, Architecture
from .scan import linear_scan

SLOWEST = {"gru": 2.0, "linear": 5.0}
"""Gates start by keeping sigmoid(-1 .. this) of the state, unit by unit."""


class RecurrentNetwork(Network):
    """Network of embedded earlier symbols, recurrent cells and one output matrix.

    Matrices are (out, in); biases of gates are stacked in the order of the cell's gates:
    reset, keep, candidate (gru) or keep, candidate, output (linear).
    """

    spread: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        e, d = a.widths.embedding, a.widths.hidden
        self.embedding = _weight(a.n_symbols + 1, e)
        if a.grid:
            self.row = _weight(a.grid[0], a.place_width)
            self.column = _weight(a.grid[1], a.place_width)
        self.mixing = _weight(N_GATES * d, a.n_inputs)
        self.mixing_bias = nn.Parameter(torch.zeros(N_GATES * d))
        if a.cell == "gru":
            self.recurrent = _weight(N_GATES * d, d)
            self.recurrent_bias = nn.Parameter(torch.zeros(d))
        for name in a.upper:
            self.register_parameter(name, _weight(N_GATES * d, d))
            bias = nn.Parameter(torch.zeros(N_GATES * d))
            self.register_parameter(f"{name}_bias", bias)
        self.head = _weight(a.n_symbols, d)
        self.head_bias = nn.Parameter(torch.zeros(a.n_symbols))
        # Gates that keep start spread over time scales, from a few symbols to hundreds.
        keep = 1 if a.cell == "gru" else 0
        spread = np.zeros((N_GATES, d), np.float32)
        spread[keep] = np.linspace(-1, SLOWEST[a.cell], d)
        self.register_buffer(
            "spread", torch.from_numpy(spread.reshape(-1)), persistent=False
        )

    def forward(self, symbols: Tensor) -> Tensor:
        layers = self.states(symbols)
        shown = layers[-1][:, :, :-1]  # (B, images, L, d)
        logits = functional.linear(shown, self.head, self.head_bias)
        return joined_images(logits, symbols.shape[1])

    def hidden(self, symbols: Tensor) -> dict[str, Tensor]:
        length = symbols.shape[1]
        return {
            f"layer{i}": joined_images(states[:, :, 1:], length)
            for i, states in enumerate(self.states(symbols), start=1)
        }

    def states(self, symbols: Tensor) -> list[Tensor]:
        """Return the outputs of each layer: (B, images, L + 1, d), one more than symbols."""
        # States are reset between the images of a window.
        inputs = self.inputs(images_of(symbols, self.architecture.n_places))
        if self.architecture.cell == "gru":
            layers = [self._remember(inputs)]
        else:
            layers = self._linear_layers(inputs)
        return [by_window(states, len(symbols)) for states in layers]

    def inputs(self, symbols: Tensor) -> Tensor:
        """Return the inputs of each step, (B, L) -> (B, L + 1, n_inputs)."""
        a, (n, length) = self.architecture, symbols.shape
        parts = []
        for distance in a.distances:
            earlier = symbols[:, : max(0, length + 1 - distance)]
            before = length + 1 - earlier.shape[1]
            shifted = functional.pad(earlier, (before, 0), value=a.n_symbols)
            # (B, L + 1) -> (B, L + 1, e)
            parts.append(functional.embedding(shifted, self.embedding))
        if a.grid:
            steps = torch.arange(length + 1, device=symbols.device)
            # The step after the last pixel predicts nothing; any place will do.
            place = steps.clamp(max=a.n_places - 1)
            rows, columns = self.row[place // a.grid[1]], self.column[place % a.grid[1]]
            parts += [rows.expand(n, -1, -1), columns.expand(n, -1, -1)]
        return torch.cat(parts, -1)

    def initial_scale(self, name: str, parameter: Tensor) -> float:
        if name in ("embedding", "row", "column"):
            return 0.5
        return super().initial_scale(name, parameter)

    def _remember(self, inputs: Tensor) -> Tensor:
        d = self.architecture.widths.hidden
        bias = self.mixing_bias + self.spread
        # torch has recurrent biases on all gates; the integer model only on the candidate.
        inner = functional.pad(self.recurrent_bias, (2 * d, 0))
        weights = (self.mixing, self.recurrent, bias, inner)
        first = inputs.new_zeros(1, len(inputs), d)
        states: Tensor = torch.gru(
            inputs, first, weights, True, 1, 0.0, self.training, False, True
        )[0]
        return states

    def _linear_layers(self, inputs: Tensor) -> list[Tensor]:
        layers: list[Tensor] = []
        for name in ("mixing", *self.architecture.upper):
            bias = self.get_parameter(f"{name}_bias") + self.spread
            below = layers[-1] if layers else inputs
            # (B, L, n_in) -> (B, L, 3d)
            gates = functional.linear(below, self.get_parameter(name), bias)
            keep, candidate, output = gates.chunk(N_GATES, -1)
            keep, new, output = keep.sigmoid(), candidate.tanh(), output.sigmoid()
            # The first layer's input has another width: its candidate is passed on.
            skip = layers[-1] if layers else new
            states = linear_scan(keep, (1 - keep) * new)  # (B, L, d)
            layers.append(skip + output * (states - skip))
        return layers


def _weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*shape))
