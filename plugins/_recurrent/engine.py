"""Integer networks that code, without torch: numpy carries the large matmuls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import START, Arrays

from .._torch.batches import Ints
from .._torch.compiled import fill_frequencies
from .._torch.quantise import activation_limit
from .._torch.tables import LOGIT_UNITS, logit_table, sigmoid_table, tanh_table
from .architecture import GATE_REACH, GATE_UNITS, N_GATES, Architecture
from .compiled import (
    ONE,
    Cell,
    Clock,
    Curves,
    Inputs,
    Matmul,
    add_scaled,
    dots,
    gather,
    gru_cells,
    gru_steps,
    linear_steps,
    narrow,
    scale,
)

FEW_ROWS = 12
"""Most rows for which sums of int16 are faster than a float32 matmul of numpy."""
FINEST = 1 << 12
"""Finest units, 1/4096, in which matmuls read the outputs of cells."""
LOGIT_LIMIT = 1 << 20
NO_BELOW = np.zeros((0, 0, 0), np.int16)

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class RecurrentState:
    """State of some streams between two steps.

    Attributes:
        history: shape (m, reach), int16, the last symbols of each stream.
        n_read: steps taken.
        layers: the states of each layer, (m, d).
    """

    history: Array
    n_read: int
    layers: tuple[Array, ...]


class RecurrentEngine:
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
        self.architecture, self.few = architecture, few
        self.inputs = inputs_of(architecture, learned)
        last = GATE_REACH * GATE_UNITS
        self.curves = Curves(
            sigmoid=_table(sigmoid_table(units=GATE_UNITS, last=last, top=ONE)),
            tanh=_table(tanh_table(units=GATE_UNITS, last=last, top=ONE - 1)),
        )
        self.head = Dense(learned, "head", LOGIT_UNITS, carrier)
        self.head_bias = learned["head_bias"] * np.float32(LOGIT_UNITS)
        self.exponentials = logit_table().astype(np.float64)

    def start(self) -> RecurrentState:
        outside = self.architecture.n_symbols
        reach = self.architecture.distances[-1]
        width = self.architecture.widths.hidden
        return RecurrentState(
            history=np.full((1, reach), outside, np.int16),
            n_read=0,
            layers=tuple(
                np.zeros((1, width), self.state_type)
                for _ in range(self.architecture.n_layers)
            ),
        )

    def repeat(self, state: RecurrentState, n: int) -> RecurrentState:
        return RecurrentState(
            history=np.repeat(state.history, n, axis=0),
            n_read=state.n_read,
            layers=tuple(np.repeat(layer, n, axis=0) for layer in state.layers),
        )

    def advance(
        self, state: RecurrentState, symbols: Ints
    ) -> tuple[RecurrentState, Ints]:
        n_steps, n_streams = symbols.shape
        # The embedding has one more row, for symbols before the start.
        read = np.where(symbols == START, self.architecture.n_symbols, symbols)
        new = read.T.astype(np.int16)
        history = np.concatenate([state.history[:n_streams], new], axis=1)
        width = self.architecture.widths.hidden
        inputs = np.empty((n_steps, n_streams, N_GATES * width), np.int32)
        gather(inputs, history, state.n_read, self.inputs)
        layers = tuple(layer[:n_streams] for layer in state.layers)  # (m, d) each
        shown = self._show(inputs, layers, state.n_read)
        following = RecurrentState(
            history=history[:, n_steps:],
            n_read=state.n_read + n_steps,
            layers=layers,
        )
        return following, self._predict(shown)

    def _show(self, inputs: Array, layers: tuple[Array, ...], n_read: int) -> Array:
        """Change the states of all layers; return the output of the last, (k, m, d)."""
        raise NotImplementedError

    def _predict(self, shown: Array) -> Ints:
        logits = self.head.sums(shown.reshape(-1, shown.shape[2]), self.few)
        scale(logits, self.head.matmul.factor, self.head_bias, LOGIT_LIMIT)
        rows = np.empty(logits.shape, np.int64)
        fill_frequencies(rows, logits, self.exponentials)
        return rows.reshape(*shown.shape[:2], -1)


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
        bias = _whole(learned["recurrent_bias"])
        self.cell = Cell(matmul=self.recurrent.matmul, bias=bias, curves=self.curves)

    def _show(self, inputs: Array, layers: tuple[Array, ...], n_read: int) -> Array:
        (states,), period = layers, self.inputs.period
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
        self.upper = [
            (Dense(learned, name, GATE_UNITS, carrier), _whole(learned[f"{name}_bias"]))
            for name in architecture.upper
        ]

    def _show(self, inputs: Array, layers: tuple[Array, ...], n_read: int) -> Array:
        way = (Clock(n_read, self.inputs.period), self.curves)
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


class Dense:
    """Matrix that reads the outputs of cells."""

    def __init__(self, learned: Arrays, name: str, units: int, carrier: Any) -> None:
        integers = learned[name]
        # The finest units for which no float32 sum is rounded.
        read = min(activation_limit(integers), FINEST)
        factor = learned[f"{name}_scale"] * (np.float32(units) / np.float32(read))
        self.matmul = Matmul(
            weights=integers.astype(np.int16), factor=factor, units=read
        )
        self._carried = np.ascontiguousarray(integers.T, carrier)

    def sums(self, shown: Array, few: int) -> NDArray[np.float32]:
        """Return the sums of rows (n, d), float32 (n, n_out), exact either way."""
        rows = np.empty(shown.shape, np.int16)
        narrow(rows, shown, self.matmul.units)
        # Both ways give the same integers; only their speed differs.
        if len(rows) <= few:
            out = np.empty((len(rows), len(self.matmul.weights)), np.float32)
            dots(out, rows, self.matmul.weights)
            return out
        sums: Array = rows.astype(self._carried.dtype) @ self._carried
        return sums.astype(np.float32, copy=False)


def engine_of(architecture: Architecture, learned: Arrays) -> RecurrentEngine:
    """Return the engine of these cells."""
    kind = GRUEngine if architecture.cell == "gru" else LinearEngine
    return kind(architecture, learned)


def inputs_of(architecture: Architecture, learned: Arrays) -> Inputs:
    """Return the summands of gates by symbol and place, in units of 1/GATE_UNITS.

    Products of integers are exact, and single float64 operations follow, so that
    these are the same on every machine.
    """
    e, n_taps = architecture.widths.embedding, len(architecture.distances)
    mixing = np.split(learned["mixing"], np.arange(1, n_taps + 1) * e, axis=1)
    levels = [_products(learned, "embedding", part) for part in mixing[:n_taps]]
    bias = _whole(learned["mixing_bias"])[None]
    if architecture.grid:
        p, (n_rows, n_columns) = architecture.place_width, architecture.grid
        row = _products(learned, "row", mixing[n_taps][:, :p])
        column = _products(learned, "column", mixing[n_taps][:, p:])
        places = np.repeat(row, n_columns, axis=0) + np.tile(column, (n_rows, 1))
        bias = bias + places.astype(np.int32)
    # int16 halves the memory of the tables; larger summands would saturate gates anyway.
    top = np.iinfo(np.int16).max
    return Inputs(
        distances=np.array(architecture.distances, np.int64),
        levels=np.clip(np.stack(levels), -top, top).astype(np.int16),
        places=bias,
        period=architecture.n_places,
    )


def _products(learned: Arrays, name: str, mixing: Array) -> NDArray[np.float64]:
    whole = learned[name].astype(np.int64) @ mixing.T.astype(np.int64)
    scales = learned["mixing_scale"].astype(np.float64) * GATE_UNITS
    rows = learned[f"{name}_scale"].astype(np.float64)[:, None]
    products: NDArray[np.float64] = np.rint(whole * rows * scales)
    return products


def _whole(bias: Array) -> NDArray[np.int32]:
    whole: Array = np.rint(bias * np.float32(GATE_UNITS))
    return whole.astype(np.int32)


def _table(values: Array) -> NDArray[np.int32]:
    return values.astype(np.int32)
