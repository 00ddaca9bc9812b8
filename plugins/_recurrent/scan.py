"""Linear recurrence h_t = a_t h_(t-1) + b_t of whole windows, with its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._torch.compiled import compiled

Floats = NDArray[np.float32]


def linear_scan(a: Tensor, b: Tensor) -> Tensor:
    """Return h (B, T, d) from a, b (B, T, d), h_(-1) being 0."""
    states: Tensor = _LinearScan.apply(a, b)  # type: ignore[no-untyped-call]  # torch's
    return states


class _LinearScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        states = _scan(a, b)
        ctx.save_for_backward(a, states)
        return states

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        a, states = ctx.saved_tensors
        # dL/db_t = g_t + a_(t+1) dL/db_(t+1): the same recurrence from the back.
        following = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1)
        by_input = _scan(following.flip(1), gradients[0].flip(1)).flip(1)
        before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
        return by_input * before, by_input


def _scan(a: Tensor, b: Tensor) -> Tensor:
    # A compiled loop does T steps; log2(T) parallel ones do more work in total.
    if a.device.type == "cpu" and a.dtype == torch.float32:
        states = b.detach().contiguous().clone()
        _scan_rows(states.numpy(), a.detach().contiguous().numpy())
        return states
    return _doubled(a, b)


def _doubled(a: Tensor, b: Tensor) -> Tensor:
    """Return the same in log2(T) parallel steps (Hillis and Steele 1986)."""
    reach = 1
    while reach < a.shape[1]:
        # After a round, b_t sums up the last 2 * reach steps.
        earlier = torch.nn.functional.pad(b[:, :-reach], (0, 0, reach, 0))  # (B, T, d)
        b = b + a * earlier
        a = a * torch.nn.functional.pad(a[:, :-reach], (0, 0, reach, 0))
        reach *= 2
    return b


@compiled
def _scan_rows(states: Floats, a: Floats) -> None:
    for window in range(len(states)):
        rows, keep = states[window], a[window]
        for t in range(1, len(rows)):
            for i in range(rows.shape[1]):
                rows[t, i] += keep[t, i] * rows[t - 1, i]
