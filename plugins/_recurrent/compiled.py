"""Compiled steps in whole numbers; single float32 operations requantise.

Time comes first and streams second. The output of a cell is int16 in units of 1/ONE;
matmuls read it in coarser units that keep their sums below 2**24, so that any carrier is
exact.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled
from .._torch.sums import Curves, Matmul, dots, narrow

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


class Clock(NamedTuple):
    """Steps so far, and the period after which states are reset; 0 is never."""

    n_steps: int
    period: int


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
