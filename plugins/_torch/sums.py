"""Compiled sums of integers whose inputs have a known bound, counted in 1/ONE of it.

Time comes first and streams second. Activations are int16; matmuls read them in coarser
units that keep their sums below 2**24, so that any carrier is exact. Single float32
operations requantise.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import compiled

Array = NDArray[Any]

BITS = 15
ONE = 1 << BITS
"""Gates and candidates are counted in 1/32768, activations in that of their bound."""
HALF = ONE // 2
I4, F4 = np.int32, np.float32


class Inputs(NamedTuple):
    """Summands of a first layer by the symbols and the place of a step.

    Attributes:
        distances: shape (K,), how many symbols back each input is, at least 1.
        inside: shape (n_places or 1, K), True where the input is a symbol of the sample,
            and not one outside of it.
        levels: shape (K, A + 1, n_sums), int16; symbol A stands outside.
        places: shape (n_places or 1, n_sums), int32, biases included.
    """

    distances: Array
    inside: Array
    levels: Array
    places: Array


class Curves(NamedTuple):
    """Tables of sigmoid and tanh, int32 in units of 1/ONE, 0 in the middle."""

    sigmoid: Array
    tanh: Array


class Matmul(NamedTuple):
    """Matrix with the factors that turn its sums into whole numbers.

    Attributes:
        weights: shape (n_out, n_in), int16.
        factor: shape (n_out,), float32, of the sums.
        units: inputs of the matrix are counted in 1/units of their bound.
    """

    weights: Array
    factor: Array
    units: int


@compiled
def gather(out: Array, history: Array, first: int, inputs: Inputs) -> None:
    """Write the input sums of k steps of m streams, out (k, m, n_sums) int32.

    Args:
        out: written.
        history: shape (m, reach + k), the symbols before each step, the k last are new.
        first: symbols read before the first step.
        inputs: what to add up.
    """
    distances, inside, levels, places = inputs
    n_steps, n_streams, width = out.shape
    outside, reach = levels.shape[1] - 1, history.shape[1] - n_steps
    for step in range(n_steps):
        # After the last place of an image comes the first one of the next.
        place = (first + step) % len(places)
        for stream in range(n_streams):
            sums = out[step, stream]
            sums[:] = places[place]
            for j in range(len(distances)):
                # Outside an image, where the history holds another row or another image,
                # every symbol is the same special one.
                symbol = np.int64(outside)
                if inside[place, j]:
                    symbol = np.int64(history[stream, reach + step + 1 - distances[j]])
                row = levels[j, symbol]
                for i in range(width):
                    sums[i] += row[i]


@compiled
def narrow(out: Array, shown: Array, units: int) -> None:
    """Write activations, (n, d) in 1/ONE of their bound, in 1/units of it."""
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
