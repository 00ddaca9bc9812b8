"""Layout of the integers for the compiled functions: stacked by layer, whole in float32."""

from __future__ import annotations

from typing import Any

import numpy as np

from .integers import LOGIT_LIMIT, I8Affine, Integers
from .tables import LANES, Affines, Array, Rings, Tables

F4 = np.float32


def tables_of(model: Integers) -> Tables:
    """Return the tables of the compiled functions."""
    layers, residual = model.layers, [model.residual_limit] * len(model.layers)
    head_width = model.architecture.head_width
    scales = [scale for layer in layers for scale in layer.norm_scales]
    limits = [limit for layer in layers for limit in layer.norm_limits]
    return Tables(
        embed=_contiguous(model.embed),
        position=_contiguous(model.position),
        qkv=_affines([x.qkv for x in layers], [x.qkv_limit for x in layers]),
        project=_affines([x.project for x in layers], residual),
        expand=_affines([x.expand for x in layers], [_middle(x.gelu) for x in layers]),
        contract=_affines([x.contract for x in layers], residual),
        head=_affines([model.head], [LOGIT_LIMIT]),
        gelu=_stack([x.gelu.astype(F4) for x in layers]),
        norm_scales=np.array([*scales, model.head_norm_scale]),
        norm_limits=np.array([*limits, model.head_norm_limit], F4),
        norm_epsilon=model.norm_epsilon,
        score_scale=np.stack([x.score_scale for x in layers]),
        read_scale=np.stack([np.repeat(x.read_scale, head_width) for x in layers]),
        read_limit=np.array([x.read_limit for x in layers], F4),
        biases=_stack([x.biases for x in layers]),
        slots=np.array([x.reach + 1 for x in layers]),
        exponentials=model.exponentials.astype(F4),
        prior=_affines([model.prior], residual) if model.prior else _no_matrices(),
        trust=np.array([model.trust] if model.prior else [], F4),
    )


def _no_matrices() -> Affines:
    # One type for numba, with a prior or without.
    none = np.empty((0, 0), F4)
    return Affines(np.empty((0, 0, 0), F4), none, none, none)


def _affines(matrices: list[I8Affine], limits: list[Any]) -> Affines:
    shape = len(matrices), len(matrices[0].scale)
    # One limit for a whole matrix, or one by column.
    columns = [np.broadcast_to(F4(limit), shape[1]) for limit in limits]
    return Affines(
        weight=np.stack([x.weight.T.astype(F4, order="C") for x in matrices]),
        scale=np.stack([x.scale for x in matrices]),
        shift=np.stack([x.shift for x in matrices]),
        limit=np.stack(columns),
    )


def _contiguous(array: Array) -> Array:
    # One type for numba, wherever an array comes from: in rows, and writable.
    return np.array(array, order="C")


def _stack(parts: list[Array]) -> Array:
    """Return the parts as one array, zeros behind the shorter last axes."""
    longest = max(part.shape[-1] for part in parts)
    stacked = np.zeros((len(parts), *parts[0].shape[:-1], longest), parts[0].dtype)
    for row, part in zip(stacked, parts, strict=True):
        row[..., : part.shape[-1]] = part
    return stacked


def _middle(gelu: Array) -> int:
    return len(gelu) // 2


def start_rings(tables: Tables, n: int) -> Rings:
    """Return the memory of n streams that have read nothing."""
    n_layers, n_heads, slots = tables.biases.shape
    width = tables.embed.shape[1] // n_heads
    # The slots are padded to whole vectors: loops over them need no remainder.
    shape = n_layers, n, n_heads, width, -(-slots // LANES) * LANES
    return Rings(np.zeros(shape, np.int16), np.zeros(shape, np.int16))
