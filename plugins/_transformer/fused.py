"""The integer transformer step by step, compiled: one call reads all symbols.

What torch spends on launching operations is more than the arithmetic of a small model. The
integers are those of `parallel`: whole sums, which its bounds keep below 2**24, and the same
float32 operations in the same order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from .._torch.compiled import compiled
from .integers import LOGIT_LIMIT, NORM_SHIFT, WEIGHT_TOTAL, I8Affine, Integers

F4 = np.float32
BLOCK = 16
Array = NDArray[Any]
Function = TypeVar("Function", bound=Callable[..., Any])


class Tables(NamedTuple):
    """The model as arrays, layers stacked: L layers, D width, H heads, V symbols.

    Matrices are (L, in, out), whole numbers in float32. Limits are those of the attention's
    norm, of the perceptron's norm and of what heads read; `whole` holds the limits of the
    last norm and of the residual stream, and the epsilon of norms.
    """

    embed: Array
    position: Array
    qkv: Array
    qkv_scale: Array
    qkv_shift: Array
    qkv_limit: Array
    project: Array
    project_scale: Array
    project_shift: Array
    expand: Array
    expand_scale: Array
    expand_shift: Array
    contract: Array
    contract_scale: Array
    contract_shift: Array
    score_scale: Array
    biases: Array
    read_scale: Array
    norm_scales: Array
    limits: Array
    gelu: Array
    middles: Array
    reaches: Array
    head: Array
    head_scale: Array
    head_shift: Array
    head_norm_scale: float
    whole: Array
    exponentials: Array


class Rings(NamedTuple):
    """Keys and values (L, B, H, D / H, R), int16.

    Position t lies in slot t modulo (reach + 1) of its layer. R is a multiple of BLOCK, so
    that loops over slots need no remainder; what is read of an unused slot is weighed 0.
    """

    keys: Array
    values: Array


class Scratch(NamedTuple):
    """Room for one position: D wide three times, 3D, 4D, and as many as slots.

    States are int32, all else whole numbers in float32.
    """

    states: Array
    normal: Array
    read: Array
    qkv: Array
    wide: Array
    weights: Array


def tables_of(model: Integers) -> Tables:
    """Return the model as the compiled step takes it."""
    layers = model.layers
    named: dict[str, Array] = {}
    for kind in ("qkv", "project", "expand", "contract"):
        parts = [getattr(layer, kind) for layer in layers]
        named[kind] = np.stack([_matrix(part) for part in parts])
        named[f"{kind}_scale"] = np.stack([part.scale for part in parts])
        named[f"{kind}_shift"] = np.stack([part.shift for part in parts])
    for name in ("qkv_limit", "score_scale", "read_scale"):
        named[name] = np.stack([getattr(layer, name) for layer in layers])
    limits = [(*layer.norm_limits, layer.read_limit) for layer in layers]
    whole = [model.head_norm_limit, model.residual_limit, model.norm_epsilon]
    named |= {
        "embed": model.embed,
        "position": model.position,
        "biases": _stack([layer.biases for layer in layers]),
        "norm_scales": np.array([layer.norm_scales for layer in layers]),
        "limits": np.array(limits, np.int32),
        "gelu": _stack([layer.gelu.astype(np.float32) for layer in layers]),
        "middles": np.array([len(layer.gelu) // 2 for layer in layers]),
        "reaches": np.array([layer.reach for layer in layers]),
        "head": _matrix(model.head),
        "head_scale": model.head.scale,
        "head_shift": model.head.shift,
        "whole": np.array(whole, np.int64),
        "exponentials": model.exponentials,
    }
    # One type for numba, wherever the arrays come from: in rows, and writable.
    same = {name: np.array(array, order="C") for name, array in named.items()}
    return Tables(**same, head_norm_scale=model.head_norm_scale)


def _matrix(affine: I8Affine) -> Array:
    return affine.weight.T.astype(np.float32)


def _stack(parts: list[Array]) -> Array:
    """Return the parts as one array, zeros behind the shorter last axes."""
    longest = max(part.shape[-1] for part in parts)
    found = np.zeros((len(parts), *parts[0].shape[:-1], longest), parts[0].dtype)
    for row, part in zip(found, parts, strict=True):
        row[..., : part.shape[-1]] = part
    return found


def start_rings(tables: Tables, n: int) -> Rings:
    """Return the memory of n streams that have read nothing."""
    n_layers, n_heads, slots = tables.biases.shape
    width = tables.embed.shape[1] // n_heads
    shape = n_layers, n, n_heads, width, -(-slots // BLOCK) * BLOCK
    return Rings(np.zeros(shape, np.int16), np.zeros(shape, np.int16))


@compiled
def read_symbols(
    logits: Array, symbols: Array, position: int, tables: Tables, rings: Rings
) -> None:
    """Read symbols (k, m) of m streams; write whole logits (k, m, V), float32."""
    width, n_symbols = tables.embed.shape[1], logits.shape[2]
    slots = rings.keys.shape[4]
    scratch = Scratch(
        np.empty(width, np.int32),
        np.empty(width, np.float32),
        np.empty(width, np.float32),
        np.empty(3 * width, np.float32),
        np.empty(4 * width, np.float32),
        np.empty(slots, np.float32),
    )
    states, normal = scratch.states, scratch.normal
    period = len(tables.position)
    bound = F4(LOGIT_LIMIT)
    for stream in range(symbols.shape[1]):
        for step in range(symbols.shape[0]):
            at = position + step
            states[:] = tables.embed[symbols[step, stream]]
            if period > 0:
                at %= period
                states += tables.position[at]
            for layer in range(len(tables.qkv)):
                _attend((layer, stream, at), scratch, tables, rings)
                _perceive(layer, scratch, tables)
            limit, _, epsilon = tables.whole
            _norm(states, tables.head_norm_scale, limit, epsilon, normal)
            row = logits[step, stream]
            _multiply(normal, tables.head, row)
            for j in range(n_symbols):
                product = row[j] * tables.head_scale[j]
                value = np.rint(product + tables.head_shift[j])
                row[j] = min(max(value, -bound), bound)


@compiled
def _attend(
    where: tuple[int, int, int], scratch: Scratch, tables: Tables, rings: Rings
) -> None:
    """Add to the states (D,) what one layer reads for (layer, stream, position)."""
    layer, stream, position = where
    states, normal, read, qkv = scratch[:4]
    width, n_heads = len(states), tables.score_scale.shape[1]
    head_width = width // n_heads
    scale, widest = tables.norm_scales[layer, 0], tables.limits[layer, 0]
    _norm(states, scale, widest, tables.whole[2], normal)
    _multiply(normal, tables.qkv[layer], qkv)
    for j in range(3 * width):
        product = qkv[j] * tables.qkv_scale[layer, j]
        value = np.rint(product + tables.qkv_shift[layer, j])
        limit = tables.qkv_limit[layer, j]
        qkv[j] = min(max(value, -limit), limit)
    slots = tables.reaches[layer] + 1
    n, slot = min(position + 1, slots), position % slots
    weights = scratch.weights[: (n + BLOCK - 1) // BLOCK * BLOCK]
    bound = F4(tables.limits[layer, 2])
    for head in range(n_heads):
        first = head * head_width
        keys, values = (
            rings.keys[layer, stream, head],
            rings.values[layer, stream, head],
        )
        for j in range(head_width):
            keys[j, slot] = np.int16(qkv[width + first + j])
            values[j, slot] = np.int16(qkv[2 * width + first + j])
        _multiply(qkv[first : first + head_width], keys, weights)
        _weigh((layer, head, slot), weights, n, tables)
        factor = tables.read_scale[layer, head]
        for j in range(head_width):
            value = np.rint(_dot(weights, values[j]) * factor)
            read[first + j] = min(max(value, -bound), bound)
    _multiply(read, tables.project[layer], normal)
    scales, shifts = tables.project_scale[layer], tables.project_shift[layer]
    _add(states, normal, scales, shifts, tables.whole[1])


@compiled
def _weigh(where: tuple[int, int, int], scores: Array, n: int, tables: Tables) -> None:
    """Turn scores of n slots to whole weights, for (layer, head, own slot)."""
    layer, head, slot = where
    scale, table = tables.score_scale[layer, head], tables.exponentials
    if len(tables.position) == 0:
        for distance in range(n):
            scores[slot] += tables.biases[layer, head, distance]
            slot = slot - 1 if slot > 0 else tables.reaches[layer]
    highest = _highest(scores[:n])
    last = F4(len(table) - 1)
    for u in range(len(scores)):
        scores[u] = min(np.rint((highest - scores[u]) * scale), last)
    total = np.int64(0)
    for u in range(n):
        weight = table[np.int32(scores[u])]
        scores[u] = weight
        total += weight
    scores[n:] = 0
    share = F4(np.float64(WEIGHT_TOTAL) / np.float64(total))
    for u in range(len(scores)):
        scores[u] = np.floor(scores[u] * share)


@compiled
def _perceive(layer: int, scratch: Scratch, tables: Tables) -> None:
    """Add to the states what the perceptron of one layer makes of them."""
    states, normal, wide = scratch.states, scratch.normal, scratch.wide
    scale, widest = tables.norm_scales[layer, 1], tables.limits[layer, 1]
    _norm(states, scale, widest, tables.whole[2], normal)
    _multiply(normal, tables.expand[layer], wide)
    middle = tables.middles[layer]
    edge = F4(middle)
    for j in range(len(wide)):
        product = wide[j] * tables.expand_scale[layer, j]
        value = np.rint(product + tables.expand_shift[layer, j])
        wide[j] = min(max(value, -edge), edge)
    for j in range(len(wide)):
        wide[j] = tables.gelu[layer, np.int32(wide[j]) + middle]
    _multiply(wide, tables.contract[layer], normal)
    scales, shifts = tables.contract_scale[layer], tables.contract_shift[layer]
    _add(states, normal, scales, shifts, tables.whole[1])


def _whole(function: Function) -> Function:
    """Compile sums of whole numbers that are exact in any order, and may take any."""
    free = {"reassoc", "nsz", "nnan"}
    return cast("Function", numba.njit(cache=True, fastmath=free)(function))


@_whole
def _dot(weights: Array, row: Array) -> Any:
    total = F4(0)
    for u in range(len(weights)):
        total += weights[u] * F4(row[u])
    return total


@_whole
def _highest(scores: Array) -> Any:
    highest = scores[0]
    for u in range(len(scores)):
        highest = max(highest, scores[u])
    return highest


@_whole
def _spread(states: Array, mean: Any) -> Any:
    """Return the sum of squares around the mean, a whole number below 2**53."""
    total = np.float64(0)
    for j in range(len(states)):
        centred = np.float64(states[j] - mean)
        total += centred * centred
    return total


@compiled
def _multiply(x: Array, matrix: Array, found: Array) -> None:
    """Write x @ matrix, (in,) @ (in, out), into found: float32 that holds whole numbers."""
    found[:] = 0
    n_whole = len(x) // 4 * 4
    for k in range(0, n_whole, 4):
        # Four rows to a pass, so that `found` is loaded and stored a quarter as often.
        a, b, c, d = x[k], x[k + 1], x[k + 2], x[k + 3]
        first, second = matrix[k], matrix[k + 1]
        third, fourth = matrix[k + 2], matrix[k + 3]
        for j in range(len(found)):
            two = a * F4(first[j]) + b * F4(second[j])
            found[j] += two + (c * F4(third[j]) + d * F4(fourth[j]))
    for k in range(n_whole, len(x)):
        a, first = x[k], matrix[k]
        for j in range(len(found)):
            found[j] += a * F4(first[j])


@compiled
def _add(states: Array, sums: Array, scale: Array, shift: Array, limit: int) -> None:
    bound = F4(limit)
    for j in range(len(states)):
        change = np.rint(sums[j] * scale[j] + shift[j])
        states[j] = np.int32(min(max(change + F4(states[j]), -bound), bound))


@compiled
def _norm(states: Array, scale: float, limit: int, epsilon: int, found: Array) -> None:
    width = len(states)
    total = np.int64(0)
    for j in range(width):
        total += states[j]
    mean = np.int32(np.rint(np.float64(total) * (1.0 / width)))
    squares = np.int64(_spread(states, mean)) * NORM_SHIFT + epsilon
    root = np.int64(np.sqrt(np.float64(squares)))
    if root * root > squares:
        root -= 1
    if (root + 1) * (root + 1) <= squares:
        root += 1
    factor = F4(scale / np.float64(root))
    bound = F4(limit)
    for j in range(width):
        value = np.rint(F4(states[j] - mean) * factor)
        found[j] = min(max(value, -bound), bound)
