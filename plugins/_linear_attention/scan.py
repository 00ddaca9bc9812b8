"""Causal linear attention with decay, of whole windows, with its gradient.

o_t = sum_(s <= t) decay^(t - s) (q_t . k_s) v_s, or with a state, S_0 = 0:

    S_t = decay S_(t-1) + k_t v_t^T        o_t = S_t^T q_t

(Katharopoulos et al. 2020, section 3.3, with the decay of Sun et al. 2023, section 2.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .._torch.compiled import compiled

CHUNK = 32
Floats = NDArray[np.float32]


def decayed_attention(q: Tensor, k: Tensor, v: Tensor, decay: Tensor) -> Tensor:
    """Return o (B, T, H, e) from q, k (B, T, H, d), v (B, T, H, e) and decay (H,)."""
    # On a CPU a compiled loop is fastest; a GPU wants few, large products.
    if q.device.type == "cpu" and q.dtype == torch.float32:
        read: Tensor = _Scan.apply(q, k, v, decay)  # type: ignore[no-untyped-call]  # torch's
        return read
    return chunked(q, k, v, decay)


def chunked(
    q: Tensor, k: Tensor, v: Tensor, decay: Tensor, *, size: int = CHUNK
) -> Tensor:
    """Return the same by chunks: attention inside of one, a state from those before."""
    length, missing = q.shape[1], -q.shape[1] % size
    # Zeros at the end write nothing and are cut off again.
    q, k, v = (_chunks(x, size, missing) for x in (q, k, v))
    within = _powers(decay, size, lag=0)  # (H, C, C)
    read = (q @ k.transpose(-1, -2) * within[:, None]) @ v
    to_end = _fading(decay, torch.arange(size, device=q.device).flip(0))  # (H, 1, C, 1)
    written = (k * to_end).transpose(-1, -2) @ v  # (B, H, N, d, e)
    # The state before chunk n is that of all earlier chunks, each a chunk further back.
    between = _powers(decay**size, q.shape[2], lag=1)  # (H, N, N)
    states = torch.einsum("hnm,bhmde->bhnde", between, written)
    from_start = _fading(decay, torch.arange(size, device=q.device) + 1)
    read = read + (q * from_start) @ states
    return read.flatten(2, 3)[:, :, :length].transpose(1, 2)


def _chunks(x: Tensor, size: int, missing: int) -> Tensor:
    """Return (B, T, H, d) as (B, H, N, C, d)."""
    n, length, n_heads, width = x.shape
    padded = functional.pad(x.transpose(1, 2), (0, 0, 0, missing))
    n_chunks = (length + missing) // size
    return padded.reshape(n, n_heads, n_chunks, size, width)


def _powers(decay: Tensor, n: int, *, lag: int) -> Tensor:
    """Return decay ** (t - s - lag) where s + lag <= t, else 0: (H, n, n)."""
    at = torch.arange(n, device=decay.device)
    distance = at[:, None] - at - lag
    return decay[:, None, None] ** distance.clamp(min=0) * (distance >= 0)


def _fading(decay: Tensor, steps: Tensor) -> Tensor:
    return (decay[:, None] ** steps)[:, None, :, None]


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, decay: Tensor) -> Tensor:
        ctx.save_for_backward(q, k, v, decay)
        read = torch.empty(v.shape)
        _read_rows(read.numpy(), *_arrays(q, k, v, decay))
        return read

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (g,), (q, k, v, decay) = gradients, ctx.saved_tensors
        by_query, by_key, by_value = (torch.empty(x.shape) for x in (q, k, v))
        # dL/dq_t = S_t g_t: the same sum, of keys by values.
        _read_rows(by_query.numpy(), *_arrays(g, v, k, decay))
        (query, key, value, change, keep) = _arrays(q, k, v, g, decay)
        both = by_key.numpy(), by_value.numpy()
        _read_rows_back(both, query, (key, value), change, keep)
        return by_query, by_key, by_value, None


def _arrays(*tensors: Tensor) -> list[Floats]:
    return [x.detach().contiguous().numpy() for x in tensors]


@compiled
def _read_rows(out: Floats, q: Floats, k: Floats, v: Floats, decay: Floats) -> None:
    """Write what queries read from the states of all earlier steps and their own."""
    n_windows, length, n_heads, width = q.shape
    state = np.empty((width + 1, v.shape[3]), np.float32)
    for row in range(n_windows * n_heads):
        window, head = row // n_heads, row % n_heads
        state[:] = 0
        for t in range(length):
            at = window, t, head
            _turn(state, decay[head], k[at], v[at], q[at])
            out[at] = state[width]


@compiled
def _read_rows_back(
    gradients: tuple[Floats, Floats],
    q: Floats,
    pair: tuple[Floats, Floats],
    g: Floats,
    decay: Floats,
) -> None:
    """Write the gradients of keys and values from g, that of what was read.

    With G_t = decay G_(t+1) + q_t g_t^T: dL/dk_t = G_t v_t and dL/dv_t = G_t^T k_t.
    """
    (by_key, by_value), (k, v) = gradients, pair
    n_windows, length, n_heads, width = q.shape
    state = np.empty((width + 1, v.shape[3]), np.float32)
    for row in range(n_windows * n_heads):
        window, head = row // n_heads, row % n_heads
        state[:] = 0
        # From the back: later queries decide what an earlier key is worth.
        for t in range(length - 1, -1, -1):
            at = window, t, head
            _turn(state, decay[head], q[at], g[at], k[at])
            by_value[at] = state[width]
            value = v[at]
            for i in range(width):
                product = np.float32(0)
                for j in range(len(value)):
                    product += state[i, j] * value[j]
                by_key[window, t, head, i] = product


@compiled
def _turn(
    state: Floats, keep: float, key: Floats, value: Floats, query: Floats
) -> None:
    """Let the state decay, write a pair into it; put what is read into the last row."""
    total = state[len(key)]
    total[:] = 0
    for i in range(len(key)):
        line = state[i]
        for j in range(len(value)):
            line[j] = keep * line[j] + key[i] * value[j]
            total[j] += query[i] * line[j]
