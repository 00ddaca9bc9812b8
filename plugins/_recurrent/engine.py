"""Integer networks that code, without torch: numpy carries the large matmuls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import Arrays

from .._torch.dense import (
    FEW_ROWS,
    GATE_UNITS,
    Dense,
    embedded,
    symbol_levels,
    whole_bias,
)
from .._torch.engine import Layers, TableEngine, upper_layers
from .._torch.sums import Inputs, add_scaled
from .architecture import Architecture
from .compiled import Cell, Clock, gru_cells, gru_steps, linear_steps

NO_BELOW = np.zeros((0, 0, 0), np.int16)

Array = NDArray[Any]


class RecurrentEngine(TableEngine):
    """Base of the engines of both kinds of cells.

    Args:
        architecture: the shape of the network.
        learned: its integers.
        carrier: type in which numpy carries matmuls: float32, float64 or int64.
        few: most rows whose sums are computed without a carrier.
    """

    state_type: Any = np.int16

    def __init__(
        self,
        architecture: Architecture,
        learned: Arrays,
        *,
        carrier: Any = np.float32,
        few: int = FEW_ROWS,
    ) -> None:
        inputs = inputs_of(architecture, learned)
        super().__init__(inputs, learned, carrier=carrier, few=few)
        self.architecture = architecture

    def first_layers(self) -> Layers:
        shape, n_layers = (
            (1, self.architecture.widths.hidden),
            self.architecture.n_layers,
        )
        return tuple(np.zeros(shape, self.state_type) for _ in range(n_layers))

    def repeated(self, layer: Array, n: int) -> Array:
        return np.repeat(layer, n, axis=0)

    def run(self, sums: Array, layers: Layers, n_read: int) -> tuple[Array, Layers]:
        running = tuple(layer[: sums.shape[1]] for layer in layers)  # (m, d) each
        return self._show(sums, running, n_read), running

    def _show(self, inputs: Array, layers: Layers, n_read: int) -> Array:
        """Change the states of all layers; return the output of the last, (k, m, d)."""
        raise NotImplementedError


class GRUEngine(RecurrentEngine):
    """One layer of gated recurrent units."""

    def __init__(
        self,
        architecture: Architecture,
        learned: Arrays,
        *,
        carrier: Any = np.float32,
        few: int = FEW_ROWS,
    ) -> None:
        super().__init__(architecture, learned, carrier=carrier, few=few)
        self.recurrent = Dense(learned, "recurrent", GATE_UNITS, carrier)
        bias = whole_bias(learned, "recurrent")
        self.cell = Cell(matmul=self.recurrent.matmul, bias=bias, curves=self.curves)

    def _show(self, inputs: Array, layers: Layers, n_read: int) -> Array:
        (states,), period = layers, self.architecture.n_places
        n_steps, n_streams, _ = inputs.shape
        shown = np.empty((n_steps, *states.shape), np.int16)
        if n_streams <= self.few:
            # Few streams: one compiled loop over all steps, without calls of numpy.
            gru_steps(shown, states, inputs, self.cell, Clock(n_read, period))
            return shown
        for step in range(n_steps):
            if period and (n_read + step) % period == 0:
                states[:] = 0
            # Many streams: one matmul of all of them per step.
            sums = self.recurrent.sums(states, 0)  # (m, d) -> (m, 3d)
            gru_cells(states, inputs[step], sums, self.cell)
            shown[step] = states
        return shown


class LinearEngine(RecurrentEngine):
    """Layers of linear cells: matmuls of all steps at once, then the steps."""

    state_type = np.int32

    def __init__(
        self,
        architecture: Architecture,
        learned: Arrays,
        *,
        carrier: Any = np.float32,
        few: int = FEW_ROWS,
    ) -> None:
        super().__init__(architecture, learned, carrier=carrier, few=few)
        self.upper = upper_layers(learned, architecture.upper, carrier)

    def _show(self, inputs: Array, layers: Layers, n_read: int) -> Array:
        way = (Clock(n_read, self.architecture.n_places), self.curves)
        # The first layer has no input of the width of its state to pass on.
        below = NO_BELOW
        for i, states in enumerate(layers):
            if i:
                dense, bias = self.upper[i - 1]
                sums = dense.sums(below.reshape(-1, below.shape[2]), self.few)
                flat = inputs.reshape(-1, inputs.shape[2])
                add_scaled(flat, sums, dense.matmul.factor, bias)
            shown = np.empty((len(inputs), *states.shape), np.int16)
            linear_steps(shown, states, inputs, below, way)
            below = shown
        return below


def engine_of(architecture: Architecture, learned: Arrays) -> RecurrentEngine:
    """Return the engine of these cells."""
    kind = GRUEngine if architecture.cell == "gru" else LinearEngine
    return kind(architecture, learned)


def inputs_of(architecture: Architecture, learned: Arrays) -> Inputs:
    """Return the summands of gates by symbol and place, in units of 1/GATE_UNITS."""
    e, n_taps = architecture.widths.embedding, len(architecture.distances)
    mixing = np.split(learned["mixing"], np.arange(1, n_taps + 1) * e, axis=1)
    distances = np.array(architecture.distances, np.int64)
    # Without images the history itself is padded in front of the first symbol.
    inside = np.ones((1, n_taps), np.bool_)
    bias = whole_bias(learned, "mixing")[None]
    if architecture.grid:
        p, (n_rows, n_columns) = architecture.place_width, architecture.grid
        row = embedded(learned, "row", mixing[n_taps][:, :p], "mixing")
        column = embedded(learned, "column", mixing[n_taps][:, p:], "mixing")
        places = np.repeat(row, n_columns, axis=0) + np.tile(column, (n_rows, 1))
        bias = bias + places.astype(np.int32)
        inside = distances <= np.arange(architecture.n_places)[:, None]
    return Inputs(
        distances=distances,
        inside=inside,
        levels=symbol_levels(learned, mixing[:n_taps], "mixing"),
        places=bias,
    )
