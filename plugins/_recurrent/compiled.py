"""Compiled steps in whole numbers; single float32 operations requantise.

Time comes first and streams second. The output of a cell is int16 in units of 1/ONE;
matmuls read it in coarser units that keep their sums below 2**24, so that any carrier is
exact.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled

Array = NDArray[Any]

# Here, where they are compiled in: caches of compiled code know this file alone.
BITS = 15
ONE = 1 << BITS
"""Gates, candidates and outputs of cells are counted in 1/32768."""
FINE_BITS = 5
FINE = 1 << FINE_BITS
"""The states of linear cells are counted in 1/32 of that: they change slowly."""
HALF = ONE // 2
I4, F4 = np.int32, np.float32


class Inputs(NamedTuple):
    """Summands of gates and candidates by the symbols and the place of a step.

    Attributes:
        distances: shape (K,), how many symbols back each input is, rising.
        levels: shape (K, A + 1, 3d), int16; symbol A stands before the start.
        places: shape (n_places or 1, 3d), int32, biases included.
        period: steps after which all states are reset; 0 is never.
    """

    distances: Array
    levels: Array
    places: Array
    period: int


class Curves(NamedTuple):
    """Tables of sigmoid and tanh, int32 in units of 1/ONE, 0 in the middle."""

    sigmoid: Array
    tanh: Array


class Clock(NamedTuple):
    """Steps so far, and the period after which states are reset; 0 is never."""

    n_steps: int
    period: int


class Matmul(NamedTuple):
    """Matrix with the factors that turn its sums into whole numbers.

    Attributes:
        weights: shape (n_out, n_in), int16.
        factor: shape (n_out,), float32, of the sums.
        units: inputs of the matrix are counted in 1/units.
    """

    weights: Array
    factor: Array
    units: int


class Cell(NamedTuple):
    """A layer of gated recurrent units.

    Attributes:
        matmul: matrix that reads the states.
        bias: shape (d,), int32, of the candidate's sums, inside the reset gate.
        curves: of gates and candidates.
    """

    matmul: Matmul
    bias: Array
    curves: Curves


@compiled
def gather(out: Array, history: Array, first: int, inputs: Inputs) -> None:
    """Write the input sums of k steps of m streams, out (k, m, 3d) int32.

    Args:
        out: written.
        history: shape (m, reach + k), the symbols before each step, the k last are new.
        first: symbols read before the first step.
        inputs: what to add up.
    """
    distances, levels, places, period = inputs
    n_steps, n_streams, width = out.shape
    outside, reach = levels.shape[1] - 1, history.shape[1] - n_steps
    for step in range(n_steps):
        place = first + step
        if period:
            place %= period
        start = places[place if period else 0]
        for stream in range(n_streams):
            sums = out[step, stream]
            sums[:] = start
            for j in range(len(distances)):
                # Before the start of an image every symbol is the same special one.
                symbol = np.int64(outside)
                if distances[j] <= place:
                    symbol = np.int64(history[stream, reach + step + 1 - distances[j]])
                row = levels[j, symbol]
                for i in range(width):
                    sums[i] += row[i]


@compiled
def narrow(out: Array, shown: Array, units: int) -> None:
    """Write the outputs of cells, (n, d), in units of 1/units."""
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = (I4(shown[row, i]) * units + HALF) >> BITS


@compiled
def dots(out: Array, rows: Array, weights: Array) -> None:
    """Write the sums of rows (n, n_in) @ weights.T, float32 (n, n_out): exact."""
    for row in range(len(rows)):
        values = rows[row]
        for j in range(len(weights)):
            column = weights[j]
            # int32 holds the sum: it is below 2**24 by the choice of units.
            total = I4(0)
            for i in range(len(column)):
                total = I4(total + I4(values[i]) * I4(column[i]))
            out[row, j] = total


@compiled
def scale(sums: Array, factor: Array, bias: Array, limit: float) -> None:
    """Requantise sums (n, n_out) in place: round(sums * factor + bias) within +-limit."""
    for row in sums:
        for i in range(len(row)):
            # Rounded to float32 after the product and after the sum.
            value = np.rint(F4(row[i] * factor[i]) + bias[i])
            row[i] = min(max(value, -limit), limit)


@compiled
def add_scaled(out: Array, sums: Array, factor: Array, bias: Array) -> None:
    """Write round(sums * factor) + bias, int32 (n, n_out)."""
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = I4(np.rint(sums[row, i] * factor[i])) + bias[i]


@compiled
def gru_cells(states: Array, inputs: Array, sums: Array, cell: Cell) -> None:
    """Take one step of all streams, in place.

    Args:
        states: shape (m, d), int16, outputs of the cells.
        inputs: shape (m, 3d), int32, of the inputs.
        sums: shape (m, 3d), float32, of the states.
        cell: parameters of the layer.
    """
    factor, bias, curves = cell.matmul.factor, cell.bias, cell.curves
    d, top = states.shape[1], len(curves.sigmoid) // 2
    changes = np.empty(3 * d, np.int32)
    for stream in range(len(states)):
        state, summands, total = states[stream], inputs[stream], sums[stream]
        for i in range(3 * d):
            changes[i] = I4(np.rint(total[i] * factor[i]))
        for i in range(2 * d):
            # Indices into the curve: clamped to its ends, shifted to be positive.
            changes[i] = min(max(summands[i] + changes[i], -top), top) + top
        for i in range(d):
            # A product of two int32 in 1/ONE needs 64 bits.
            reset = np.int64(curves.sigmoid[changes[i]])
            inner = (reset * (changes[2 * d + i] + bias[i]) + HALF) >> BITS
            at = min(max(summands[2 * d + i] + inner, -top), top) + top
            keep = curves.sigmoid[changes[d + i]]
            mixed = keep * I4(state[i]) + (ONE - keep) * curves.tanh[at]
            state[i] = (mixed + HALF) >> BITS


@compiled
def gru_steps(
    shown: Array, states: Array, inputs: Array, cell: Cell, clock: Clock
) -> None:
    """Take k steps of m streams and write the outputs of the cells, (k, m, d).

    Args:
        shown: written.
        states: shape (m, d), int16, changed in place.
        inputs: shape (k, m, 3d), int32, of the inputs.
        cell: parameters of the layer.
        clock: when states are reset.
    """
    sums = np.empty((1, inputs.shape[2]), np.float32)
    read = np.empty((1, states.shape[1]), np.int16)
    for step in range(len(shown)):
        if clock.period and (clock.n_steps + step) % clock.period == 0:
            states[:] = 0
        for stream in range(shown.shape[1]):
            # Stream by stream: a result must not depend on the other streams.
            row = slice(stream, stream + 1)
            narrow(read, states[row], cell.matmul.units)
            dots(sums, read, cell.matmul.weights)
            gru_cells(states[row], inputs[step, row], sums, cell)
            shown[step, stream] = states[stream]


@compiled
def linear_steps(
    shown: Array,
    states: Array,
    inputs: Array,
    below: Array,
    way: tuple[Clock, Curves],
) -> None:
    """Take k steps of m streams through a linear layer; write its output, (k, m, d).

    Args:
        shown: written.
        states: shape (m, d), int32 in units of 1/(ONE FINE), changed in place.
        inputs: shape (k, m, 3d), int32: of the gate that keeps, candidate, output gate.
        below: shape (k, m, d), passed on where the output gate is closed; with no steps
            the candidate is passed on.
        way: when states are reset; the curves of gates and candidates.
    """
    clock, curves = way
    d, top = states.shape[1], len(curves.sigmoid) // 2
    for step in range(len(shown)):
        if clock.period and (clock.n_steps + step) % clock.period == 0:
            states[:] = 0
        for stream in range(shown.shape[1]):
            summands, state = inputs[step, stream], states[stream]
            for i in range(d):
                keep = np.int64(curves.sigmoid[min(max(summands[i], -top), top) + top])
                new = curves.tanh[min(max(summands[d + i], -top), top) + top]
                gate = curves.sigmoid[min(max(summands[2 * d + i], -top), top) + top]
                # The state keeps 5 more bits than its output, for changes by slow gates.
                mixed = keep * state[i] + (ONE - keep) * (new * FINE)
                state[i] = (mixed + HALF) >> BITS
                skip = I4(below[step, stream, i]) if len(below) else new
                remembered = I4(state[i] >> FINE_BITS)
                shown[step, stream, i] = (
                    gate * remembered + (ONE - gate) * skip + HALF
                ) >> BITS
