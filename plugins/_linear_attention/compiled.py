"""Compiled steps in whole numbers: one path for whole sequences and for single steps.

Rows are (step, stream) pairs, time first. A block of rows goes through all layers before
the next; only states are read and changed row by row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled
from .._torch.sums import dots, scale
from .integers import LARGEST_READ, SQUARE_UNITS, VALUE_LIMIT, Affines, Tables

Array = NDArray[Any]

ROWS = 64
"""Rows of a block: many, so that a weight is read seldom; few, so that it stays cached."""
UNBOUNDED = float(1 << 23)
LOGIT_LIMIT = float(1 << 20)
F4, F8, I4, I8 = np.float32, np.float64, np.int32, np.int64


@compiled
def read_rows(logits: Array, streams: Array, memory: Array, tables: Tables) -> None:
    """Write the whole logits of k steps of m streams, (k m, V) float32.

    Args:
        logits: written.
        streams: shape (k m, D), int32, the residual streams; changed.
        memory: shape (m, L, H, d, d + 1), float64, whole numbers: states, and in the last
            column the sums of features; changed.
        tables: the model.
    """
    n_streams = len(memory)
    # Whole steps, so that the first row of a block is the first stream.
    size = max(1, ROWS // n_streams) * n_streams
    for first in range(0, len(streams), size):
        block = streams[first : first + size]
        for layer in range(len(tables.qkv.weights)):
            _attend(layer, block, memory, tables)
            _perceive(layer, block, tables)
        normal = _normalised(2 * len(tables.qkv.weights), block, tables)
        out = logits[first : first + size]
        dots(out, normal, tables.head.weights[0])
        scale(out, tables.head.factor[0], tables.head.bias[0], LOGIT_LIMIT)


@compiled
def _attend(layer: int, block: Array, memory: Array, tables: Tables) -> None:
    """Add what the heads of a layer read to the residual streams."""
    normal = _normalised(2 * layer, block, tables)
    qkv = np.empty((len(block), tables.qkv.weights.shape[1]), np.float32)
    dots(qkv, normal, tables.qkv.weights[layer])
    scale(qkv, tables.qkv.factor[layer], tables.qkv.bias[layer], UNBOUNDED)
    read = np.empty(block.shape, np.int16)
    n_streams, n_heads, width = len(memory), memory.shape[2], memory.shape[3]
    total, bound = np.empty(width + 1), tables.read_limit[layer]
    for row in range(len(block)):
        states = memory[row % n_streams, layer]
        for head in range(n_heads):
            _remember(states[head], total, qkv[row], head, tables)
            factor = tables.read_scale[layer, head]
            for j in range(width):
                # A correctly rounded quotient, then a product: the same everywhere.
                mean = total[j] / total[width]
                value = np.rint(mean * factor)
                read[row, head * width + j] = I4(min(max(value, -bound), bound))
    _add(layer, block, read, tables.project, tables.stream_limit)


@compiled
def _remember(
    state: Array, total: Array, qkv: Array, head: int, tables: Tables
) -> None:
    """Let a state decay, write key and value into it, and sum up what the query reads.

    Args:
        state: shape (d, d + 1), changed.
        total: shape (d + 1,), written.
        qkv: shape (3 D,), whole numbers, of a row.
        head: number of the head.
        tables: the model.
    """
    width, stream = len(state), len(qkv) // 3
    middle, decay = len(tables.features) // 2, tables.decays[head]
    values = np.empty(width + 1)
    for j in range(width):
        value = F8(qkv[2 * stream + head * width + j])
        values[j] = min(max(value, -F8(VALUE_LIMIT)), F8(VALUE_LIMIT))
    # The last column sums up the features themselves.
    values[width] = 1
    total[:] = 0
    for i in range(width):
        at = head * width + i
        query = F8(tables.features[_index(qkv[at], middle)])
        key = F8(tables.features[_index(qkv[stream + at], middle)])
        for j in range(width + 1):
            # Below 2**53 before the rounding, so that it is that of integers.
            state[i, j] = np.rint(state[i, j] * decay) + key * values[j]
            total[j] += query * state[i, j]


@compiled
def _index(value: Any, middle: int) -> Any:
    return I8(min(max(value, -middle), middle)) + middle


@compiled
def _perceive(layer: int, block: Array, tables: Tables) -> None:
    """Add the feed-forward part of a layer to the residual streams."""
    normal = _normalised(2 * layer + 1, block, tables)
    sums = np.empty((len(block), tables.expand.weights.shape[1]), np.float32)
    dots(sums, normal, tables.expand.weights[layer])
    bound = tables.active_limit[layer]
    scale(sums, tables.expand.factor[layer], tables.expand.bias[layer], bound)
    active = np.empty(sums.shape, np.int16)
    for row in range(len(sums)):
        for j in range(sums.shape[1]):
            active[row, j] = I4(max(sums[row, j], F4(0)))
    _add(layer, block, active, tables.contract, tables.stream_limit)


@compiled
def _add(layer: int, block: Array, x: Array, matrices: Affines, limit: float) -> None:
    """Add a matrix times x (n, n_in) to the residual streams, within the limit."""
    sums = np.empty(block.shape, np.float32)
    dots(sums, x, matrices.weights[layer])
    scale(sums, matrices.factor[layer], matrices.bias[layer], UNBOUNDED)
    for row in range(len(block)):
        for j in range(block.shape[1]):
            value = F8(block[row, j]) + F8(sums[row, j])
            block[row, j] = I4(min(max(value, -limit), limit))


@compiled
def _normalised(place: int, block: Array, tables: Tables) -> Array:
    """Return the streams over their root mean square, (n, D) int16."""
    normal = np.empty(block.shape, np.int16)
    factor, bound = tables.scales[place], min(tables.limits[place], F4(LARGEST_READ))
    for row in range(len(block)):
        squares = I8(0)
        for j in range(block.shape[1]):
            squares += I8(block[row, j]) * I8(block[row, j])
        squares = squares * SQUARE_UNITS + tables.epsilon
        root = I8(np.sqrt(F8(squares)))
        # Exact whatever sqrt does in its last place.
        root -= I8(root * root > squares)
        root += I8((root + 1) * (root + 1) <= squares)
        share = F4(factor / F8(root))
        for j in range(block.shape[1]):
            value = np.rint(F4(block[row, j]) * share)
            normal[row, j] = I4(min(max(value, -bound), bound))
    return normal
