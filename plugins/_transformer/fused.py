"""Integer transformer as compiled loops, for small models on a CPU.

Launching operations of torch costs more than the arithmetic of a small model. Here
rows, each a position of a stream, go through the layers a block at a time; only attention
takes them one by one. The integers are those of `parallel`: whole sums, which its bounds
keep below 2**24, and the same float32 operations in the same order.
"""

from __future__ import annotations

from typing import Any, cast

import numba
import numpy as np

from .._torch.compiled import Function, compiled
from .integers import NORM_SHIFT, UNIFORM_LEVEL, WEIGHT_TOTAL
from .tables import (
    LANES,
    Affines,
    Array,
    Attention,
    Inputs,
    Place,
    Rings,
    RowBlock,
    Tables,
)

F4 = np.float32
ROWS = 64
"""Rows of a block: many, so that a weight is read seldom; few, so that it stays cached."""
UNSEEN = F4(-(1 << 30))
"""So far below every score that the weight is 0."""


@compiled
def read_symbols(
    logits: Array, inputs: Inputs, position: int, tables: Tables, rings: Rings
) -> None:
    """Read the inputs of m streams; write whole logits (m, k, V), float32."""
    n_steps, tokens = inputs.symbols.shape[1], inputs.symbols.reshape(-1)
    predicted = logits.reshape(-1, logits.shape[2])
    all_levels = inputs.levels.reshape(len(tokens), inputs.levels.shape[2])
    for first in range(0, len(tokens), ROWS):
        levels = all_levels[first : first + ROWS]
        rows = np.arange(first, min(first + ROWS, len(tokens)))
        block = _block(rows // n_steps, position + rows % n_steps, tables)
        _embed(tokens[first : first + ROWS], block, tables)
        if len(tables.trust) > 0:
            _expect(levels, block, tables)
        # A block goes through all layers before the next: its states stay cached.
        for layer in range(len(tables.slots)):
            _attend(layer, block, tables, rings)
            _perceive(layer, block, tables)
        _norm(-1, block, tables)
        _affine(0, block.normal, tables.head, predicted[first : first + ROWS])
        if len(tables.trust) > 0:
            _trust(levels, predicted[first : first + ROWS], tables)


@compiled
def _block(streams: Array, positions: Array, tables: Tables) -> RowBlock:
    n, width = len(streams), tables.embed.shape[1]
    return RowBlock(
        streams,
        positions,
        np.empty((n, width), np.int32),
        np.empty((n, width), F4),
        np.empty((n, 3 * width), F4),
        np.empty((n, 4 * width), F4),
    )


@compiled
def _embed(tokens: Array, block: RowBlock, tables: Tables) -> None:
    period = len(tables.position)
    for row in range(len(tokens)):
        block.states[row] = tables.embed[tokens[row]]
        if period > 0:
            # Images restart their positions; texts have none.
            block.positions[row] %= period
            block.states[row] += tables.position[block.positions[row]]


@compiled
def _expect(levels: Array, block: RowBlock, tables: Tables) -> None:
    """Add the prior to the states, by those of its levels that are likely."""
    weight = tables.prior.weight[0]
    sums = np.zeros(block.states.shape, F4)
    for row in range(len(levels)):
        for j in range(levels.shape[1]):
            excess = levels[row, j] - F4(UNIFORM_LEVEL)
            # Few symbols are likely: the other rows of the matrix are not read.
            if excess > 0:
                for k in range(weight.shape[1]):
                    sums[row, k] += excess * weight[j, k]
    _change(0, sums, tables.prior, block)


@compiled
def _trust(levels: Array, logits: Array, tables: Tables) -> None:
    """Add the prior to the logits."""
    for row in range(len(levels)):
        for j in range(levels.shape[1]):
            # Rounded before it is added, so that only whole numbers are summed.
            logits[row, j] += np.rint(levels[row, j] * tables.trust[0])


@compiled
def _attend(layer: int, block: RowBlock, tables: Tables, rings: Rings) -> None:
    """Add the attention of one layer to the states."""
    _norm(2 * layer, block, tables)
    _affine(layer, block.normal, tables.qkv, block.qkv)
    n_heads, room = tables.score_scale.shape[1], rings.keys.shape[4]
    attention = Attention(
        rings.keys[layer],
        rings.values[layer],
        tables.score_scale[layer],
        tables.biases[layer],
        tables.exponentials,
        np.empty((n_heads, room), F4),
        np.empty(room, np.int32),
    )
    # Position by position: a row may attend to an earlier row of its own block.
    slots, relative = tables.slots[layer], len(tables.position) == 0
    for row in range(len(block.streams)):
        stream, at = block.streams[row], block.positions[row]
        n_seen = min(at + 1, slots)
        n_read = (n_seen + LANES - 1) // LANES * LANES
        place = Place(row, stream, at % slots, n_seen, n_read)
        _remember(block.qkv, attention, place)
        _score(block.qkv, attention, place)
        if relative:
            _favour(attention, place, slots)
        _weigh(attention, n_read)
        _read(attention, block.normal, place)
    _narrow(layer, block.normal, tables)
    _add(layer, block.normal, tables.project, block)


@compiled
def _remember(qkv: Array, attention: Attention, place: Place) -> None:
    """Store the key and the value of a row."""
    n_heads, head_width = attention.keys.shape[1:3]
    width = n_heads * head_width
    row, stream, slot = place.row, place.stream, place.slot
    for head in range(n_heads):
        for j in range(head_width):
            at = width + head * head_width + j
            attention.keys[stream, head, j, slot] = np.int16(qkv[row, at])
            attention.values[stream, head, j, slot] = np.int16(qkv[row, width + at])


@compiled
def _score(query: Array, attention: Attention, place: Place) -> None:
    """Write the products of one query and the keys of all slots, by head."""
    keys, scores = attention.keys, attention.scores
    n_heads, head_width = keys.shape[1:3]
    row, stream = place.row, place.stream
    for head in range(n_heads):
        first = head * head_width
        for u in range(place.n_read):
            scores[head, u] = 0
        # An odd column out goes first; the pairs below add to it.
        for j in range(head_width // 2 * 2, head_width):
            a = query[row, first + j]
            for u in range(place.n_read):
                scores[head, u] = a * F4(keys[stream, head, j, u])
        for j in range(0, head_width - 1, 2):
            # Two rows to a pass, so that scores are loaded and stored half as often.
            a, b = query[row, first + j], query[row, first + j + 1]
            for u in range(place.n_read):
                even = a * F4(keys[stream, head, j, u])
                scores[head, u] += even + b * F4(keys[stream, head, j + 1, u])
        for u in range(place.n_seen, place.n_read):
            scores[head, u] = UNSEEN


@compiled
def _favour(attention: Attention, place: Place, slots: int) -> None:
    """Add the biases by distance to the scores."""
    for head in range(len(attention.scores)):
        slot = place.slot
        for distance in range(place.n_seen):
            attention.scores[head, slot] += attention.biases[head, distance]
            slot = slot - 1 if slot > 0 else slots - 1


@compiled
def _weigh(attention: Attention, n_read: int) -> None:
    """Turn scores to whole weights."""
    scores, below = attention.scores, attention.below
    # Beyond its end the table is 0.
    last = F4(len(attention.exponentials) - 1)
    for head in range(len(scores)):
        highest, scale = _highest(scores, head, n_read), attention.scale[head]
        for u in range(n_read):
            gap = np.rint((highest - scores[head, u]) * scale)
            below[u] = np.int32(min(gap, last))
        for u in range(n_read):
            scores[head, u] = attention.exponentials[below[u]]
        # Divide by row, multiply by entry: weights cannot add up to over WEIGHT_TOTAL.
        share = F4(np.float64(WEIGHT_TOTAL) / _total(scores, head, n_read))
        for u in range(n_read):
            scores[head, u] = np.floor(scores[head, u] * share)


def _whole(function: Function) -> Function:
    """Compile sums of whole numbers that are exact in any order, and may take any."""
    free = {"reassoc", "contract", "nsz", "nnan"}
    return cast("Function", numba.njit(cache=True, fastmath=free)(function))


@_whole
def _highest(scores: Array, head: int, n: int) -> Any:
    highest = scores[head, 0]
    for u in range(n):
        highest = max(highest, scores[head, u])
    return highest


@_whole
def _total(scores: Array, head: int, n: int) -> Any:
    total = np.float64(0)
    for u in range(n):
        total += np.float64(scores[head, u])
    return total


@_whole
def _read(attention: Attention, out: Array, place: Place) -> None:
    """Write the sums of the values of all slots, weighed, by head."""
    weights, values = attention.scores, attention.values
    n_heads, head_width = values.shape[1:3]
    for head in range(n_heads):
        for j in range(head_width):
            total = F4(0)
            for u in range(place.n_read):
                total += weights[head, u] * F4(values[place.stream, head, j, u])
            out[place.row, head * head_width + j] = total


@compiled
def _narrow(layer: int, read: Array, tables: Tables) -> None:
    """Requantise the output of the heads to the range of the next matrix."""
    scale, bound = tables.read_scale[layer], tables.read_limit[layer]
    for row in range(len(read)):
        for j in range(read.shape[1]):
            value = np.rint(read[row, j] * scale[j])
            read[row, j] = min(max(value, -bound), bound)


@compiled
def _perceive(layer: int, block: RowBlock, tables: Tables) -> None:
    """Add the perceptron of one layer to the states."""
    _norm(2 * layer + 1, block, tables)
    _affine(layer, block.normal, tables.expand, block.wide)
    # The activation is a table over all integers that `expand` can give.
    gelu, middle = tables.gelu[layer], np.int32(tables.expand.limit[layer, 0])
    for row in range(len(block.wide)):
        for j in range(block.wide.shape[1]):
            block.wide[row, j] = gelu[np.int32(block.wide[row, j]) + middle]
    _add(layer, block.wide, tables.contract, block)


@compiled
def _affine(layer: int, x: Array, matrices: Affines, out: Array) -> None:
    """Write rint(x @ weight * scale + shift) within the limit, (n, in) to (n, out)."""
    _multiply(x, matrices.weight[layer], out)
    scale, shift = matrices.scale[layer], matrices.shift[layer]
    limit = matrices.limit[layer]
    for row in range(len(out)):
        for j in range(out.shape[1]):
            # Two statements: a product and a sum that no compiler may fuse.
            product = out[row, j] * scale[j]
            value = np.rint(product + shift[j])
            out[row, j] = min(max(value, -limit[j]), limit[j])


@compiled
def _add(layer: int, x: Array, matrices: Affines, block: RowBlock) -> None:
    """Add rint(x @ weight * scale + shift) to the states, within the limit."""
    # Sums apart: the states are added only to scaled, whole numbers.
    sums = np.empty(block.states.shape, F4)
    _multiply(x, matrices.weight[layer], sums)
    _change(layer, sums, matrices, block)


@compiled
def _change(layer: int, sums: Array, matrices: Affines, block: RowBlock) -> None:
    """Add rint(sums * scale + shift) to the states, within the limit."""
    scale, shift = matrices.scale[layer], matrices.shift[layer]
    limit, states = matrices.limit[layer], block.states
    for row in range(len(sums)):
        for j in range(len(scale)):
            product = sums[row, j] * scale[j]
            value = np.rint(product + shift[j]) + F4(states[row, j])
            states[row, j] = np.int32(min(max(value, -limit[j]), limit[j]))


@compiled
def _multiply(x: Array, matrix: Array, out: Array) -> None:
    """Write x @ matrix: not by a library, whose threads disturb each other on busy cores."""
    for row in range(len(x)):
        _multiply_row(x[row], matrix, out[row])


@compiled
def _multiply_row(x: Array, matrix: Array, out: Array) -> None:
    out[:] = 0
    n_whole = len(x) // 4 * 4
    for k in range(0, n_whole, 4):
        # Four rows to a pass, so that `out` is loaded and stored a quarter as often.
        a, b, c, d = x[k], x[k + 1], x[k + 2], x[k + 3]
        first, second = matrix[k], matrix[k + 1]
        third, fourth = matrix[k + 2], matrix[k + 3]
        for j in range(len(out)):
            pair = a * first[j] + b * second[j]
            out[j] += pair + (c * third[j] + d * fourth[j])
    for k in range(n_whole, len(x)):
        a, first = x[k], matrix[k]
        for j in range(len(out)):
            out[j] += a * first[j]


@compiled
def _norm(place: int, block: RowBlock, tables: Tables) -> None:
    """Write the states less their mean, over their spread, as whole numbers."""
    scale, bound = tables.norm_scales[place], tables.norm_limits[place]
    states, normal = block.states, block.normal
    n_rows, width = states.shape
    for row in range(n_rows):
        # The float64 product of `parallel`: a quotient may round to the other side.
        mean = np.int32(np.rint(np.float64(_sum(states, row)) * (1.0 / width)))
        squares = np.int64(_spread(states, row, mean)) * NORM_SHIFT
        root = _root(squares + tables.norm_epsilon)
        factor = F4(scale / np.float64(root))
        for j in range(width):
            value = np.rint(F4(states[row, j] - mean) * factor)
            normal[row, j] = min(max(value, -bound), bound)


@_whole
def _sum(states: Array, row: int) -> Any:
    total = np.int64(0)
    for j in range(states.shape[1]):
        total += states[row, j]
    return total


@_whole
def _spread(states: Array, row: int, mean: Any) -> Any:
    """Return the sum of squares around the mean, a whole number below 2**53."""
    total = np.float64(0)
    for j in range(states.shape[1]):
        centred = np.float64(states[row, j] - mean)
        total += centred * centred
    return total


@compiled
def _root(squares: Any) -> Any:
    """Return floor(sqrt(squares)) exactly, whatever sqrt does in its last place."""
    root = np.int64(np.sqrt(np.float64(squares)))
    root -= np.int64(root * root > squares)
    root += np.int64((root + 1) * (root + 1) <= squares)
    return root
