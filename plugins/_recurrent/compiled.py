"""The compiled steps: whole numbers, and single float32 operations to requantise.

Time comes first and streams second. What a cell shows is int16 in units of 1/ONE; matmuls
read it in coarser units that keep their sums below 2**24, so that any carrier is exact.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled

Array = NDArray[Any]

# Here, where they are compiled in: caches of compiled code know this file alone.
BITS = 15
ONE = 1 << BITS
"""Gates, candidates and what a cell shows are counted in 1/32768."""
FINE_BITS = 5
FINE = 1 << FINE_BITS
"""The states of linear cells are counted in 1/32 of that: they change slowly."""
HALF = ONE // 2
I4, F4 = np.int32, np.float32


class Inputs(NamedTuple):
    """What the symbols of a step and its place add to gates and candidates.

    Attributes:
        distances: shape (K,), how many symbols back each input is, rising.
        levels: shape (K, A + 1, 3d), int16; symbol A stands before the start.
        places: shape (n_places or 1, 3d), int32, biases included.
        period: steps after which everything starts anew; 0 is never.
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
    """Steps taken so far, and after how many states start anew; 0 is never."""

    taken: int
    period: int


class Matmul(NamedTuple):
    """A matrix, and how its sums become whole numbers again.

    Attributes:
        weights: shape (n_out, n_in), int16.
        factor: shape (n_out,), float32, of the sums.
        units: what the matrix reads is counted in 1/units.
    """

    weights: Array
    factor: Array
    units: int


class Cell(NamedTuple):
    """A layer of gated recurrent units.

    Attributes:
        matmul: what reads the states.
        bias: shape (d,), int32, of the candidate's sums, inside the reset gate.
        curves: of gates and candidates.
    """

    matmul: Matmul
    bias: Array
    curves: Curves


@compiled
def gather(out: Array, history: Array, first: int, inputs: Inputs) -> None:
    """Write what k steps of m streams are given, out (k, m, 3d) int32.

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
                symbol = np.int64(outside)
                if distances[j] <= place:
                    symbol = np.int64(history[stream, reach + step + 1 - distances[j]])
                row = levels[j, symbol]
                for i in range(width):
                    sums[i] += row[i]


@compiled
def narrow(out: Array, shown: Array, units: int) -> None:
    """Write what cells show, (n, d), in units of 1/units."""
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
            total = I4(0)
            for i in range(len(column)):
                total = I4(total + I4(values[i]) * I4(column[i]))
            out[row, j] = total


@compiled
def scale(sums: Array, factor: Array, bias: Array, limit: float) -> None:
    """Requantise sums (n, n_out) in place: round(sums * factor + bias) within +-limit."""
    for row in sums:
        for i in range(len(row)):
            value = np.rint(F4(row[i] * factor[i]) + bias[i])
            row[i] = min(max(value, -limit), limit)


@compiled
def add_scaled(out: Array, sums: Array, factor: Array, bias: Array) -> None:
    """Write round(sums * factor) + bias, int32 (n, n_out)."""
    for row in range(len(out)):
        for i in range(out.shape[1]):
            out[row, i] = I4(np.rint(sums[row, i] * factor[i])) + bias[i]


@compiled
def gru_cells(states: Array, given: Array, sums: Array, cell: Cell) -> None:
    """Take one step of all streams, in place.

    Args:
        states: shape (m, d), int16, what the cells show.
        given: shape (m, 3d), int32, of the inputs.
        sums: shape (m, 3d), float32, of the states.
        cell: what they are.
    """
    factor, bias, curves = cell.matmul.factor, cell.bias, cell.curves
    d, top = states.shape[1], len(curves.sigmoid) // 2
    changes = np.empty(3 * d, np.int32)
    for stream in range(len(states)):
        state, own, total = states[stream], given[stream], sums[stream]
        for i in range(3 * d):
            changes[i] = I4(np.rint(total[i] * factor[i]))
        for i in range(2 * d):
            changes[i] = min(max(own[i] + changes[i], -top), top) + top
        for i in range(d):
            reset = np.int64(curves.sigmoid[changes[i]])
            inner = (reset * (changes[2 * d + i] + bias[i]) + HALF) >> BITS
            at = min(max(own[2 * d + i] + inner, -top), top) + top
            keep = curves.sigmoid[changes[d + i]]
            mixed = keep * I4(state[i]) + (ONE - keep) * curves.tanh[at]
            state[i] = (mixed + HALF) >> BITS


@compiled
def gru_steps(
    shown: Array, states: Array, given: Array, cell: Cell, clock: Clock
) -> None:
    """Take k steps of m streams and write what the cells show, (k, m, d).

    Args:
        shown: written.
        states: shape (m, d), int16, changed in place.
        given: shape (k, m, 3d), int32, of the inputs.
        cell: what they are.
        clock: when states start anew.
    """
    sums = np.empty((1, given.shape[2]), np.float32)
    read = np.empty((1, states.shape[1]), np.int16)
    for step in range(len(shown)):
        if clock.period and (clock.taken + step) % clock.period == 0:
            states[:] = 0
        for stream in range(shown.shape[1]):
            one = slice(stream, stream + 1)
            narrow(read, states[one], cell.matmul.units)
            dots(sums, read, cell.matmul.weights)
            gru_cells(states[one], given[step, one], sums, cell)
            shown[step, stream] = states[stream]


@compiled
def linear_steps(
    shown: Array,
    states: Array,
    given: Array,
    below: Array,
    way: tuple[Clock, Curves],
) -> None:
    """Take k steps of m streams through a linear layer; write what it shows, (k, m, d).

    Args:
        shown: written.
        states: shape (m, d), int32 in units of 1/(ONE FINE), changed in place.
        given: shape (k, m, 3d), int32: of the gate that keeps, candidate, output gate.
        below: shape (k, m, d), what is passed where the output gate is closed; of no
            steps: the candidate is.
        way: when states start anew; the curves of gates and candidates.
    """
    clock, curves = way
    d, top = states.shape[1], len(curves.sigmoid) // 2
    for step in range(len(shown)):
        if clock.period and (clock.taken + step) % clock.period == 0:
            states[:] = 0
        for stream in range(shown.shape[1]):
            own, state = given[step, stream], states[stream]
            for i in range(d):
                keep = np.int64(curves.sigmoid[min(max(own[i], -top), top) + top])
                new = curves.tanh[min(max(own[d + i], -top), top) + top]
                gate = curves.sigmoid[min(max(own[2 * d + i], -top), top) + top]
                mixed = keep * state[i] + (ONE - keep) * (new * FINE)
                state[i] = (mixed + HALF) >> BITS
                skip = I4(below[step, stream, i]) if len(below) else new
                remembered = I4(state[i] >> FINE_BITS)
                shown[step, stream, i] = (
                    gate * remembered + (ONE - gate) * skip + HALF
                ) >> BITS
