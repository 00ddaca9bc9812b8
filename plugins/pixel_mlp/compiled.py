"""Compiled half of the MLP: gather and add tables, requantise."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class FirstTables(NamedTuple):
    """Tables that the first layer looks up and adds.

    Attributes:
        distances: shape (K,), distance of each neighbour in symbols.
        inside: shape (n_positions + 1, K), True where a neighbour lies in the image.
        levels: shape (K, A + 1, d), summands by neighbour; level A is "outside".
        summands: shape (n_positions, d), summands by place.
    """

    distances: Ints
    inside: NDArray[np.bool_]
    levels: NDArray[np.int16]
    summands: NDArray[np.int32]


@compiled
def first_layer(
    out: Floats,
    history: NDArray[np.int16],
    start: tuple[int, int],
    tables: FirstTables,
    requantise: tuple[np.float32, np.float32],
) -> None:
    """Write the first hidden layer of k steps of m streams, as integers in float32.

    Args:
        out: shape (k, m, d), written.
        history: shape (at least m, room), the last symbols of each stream.
        start: number of symbols in `history` at the first step, and its place in an image.
        tables: summands of the layer.
        requantise: factor of the sums, and the limit of the result.
    """
    n_steps, n_streams, d = out.shape
    distances, inside, levels, summands = tables
    outside = levels.shape[1] - 1
    factor, limit = requantise
    sums = np.empty(d, np.int32)
    for step in range(n_steps):
        place = (start[1] + step) % len(summands)
        for stream in range(n_streams):
            # Sums of table entries replace the matmul of the first layer.
            sums[:] = summands[place]
            for j in range(len(distances)):
                # Outside the image the history holds another row or another image.
                level = outside
                if inside[place, j]:
                    level = history[stream, start[0] + step - distances[j]]
                row = levels[j, level]
                for i in range(d):
                    sums[i] += row[i]
            target = out[step, stream]
            for i in range(d):
                # One product and one rounding: the same float32 on every machine.
                value = np.rint(np.float32(sums[i]) * factor)
                target[i] = min(max(value, np.float32(0)), limit)


@compiled
def rectify(sums: Floats, factor: Floats, bias: Floats, limit: np.float32) -> None:
    """Requantise sums (n, d) in place: round(sums * factor + bias) within 0 .. limit."""
    for row in sums:
        for i in range(len(row)):
            value = np.rint(np.float32(row[i] * factor[i]) + bias[i])
            row[i] = min(max(value, np.float32(0)), limit)


@compiled
def scale_logits(sums: Floats, factor: Floats, bias: Floats, limit: np.float32) -> None:
    """Requantise sums (n, A) in place: round(sums * factor + bias) within +-limit."""
    for row in sums:
        for i in range(len(row)):
            value = np.rint(np.float32(row[i] * factor[i]) + bias[i])
            row[i] = min(max(value, -limit), limit)
