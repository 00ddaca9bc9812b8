"""Integer arithmetic carried by torch's floating point: exact on any device.

All values are integers held in float32, below 2**24 in size; `quantise` says which limit of
the activations keeps the sums of a matmul exact. Requantisation uses single, correctly
rounded operations: one multiplication, one addition, one rounding; never a fused one, never
a sum of fractions. Run under `torch.inference_mode()` and without autocast or TF32.
"""

import torch

from harness import TOTAL_FREQUENCY

from .tables import logit_table


def matmul(activations: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return activations @ weights as float32 integers.

    Args:
        activations: float32 integers, (..., n_in), within the limit of the weights.
        weights: (..., n_in, n_out), in the carrier: float32, float64 or int64.
    """
    if weights.dtype == torch.float32:
        return activations @ weights
    return (activations.to(weights.dtype) @ weights).to(torch.float32)


def requantise(
    sums: torch.Tensor,
    scale: torch.Tensor | float,
    bias: torch.Tensor | float,
    limit: torch.Tensor | float,
) -> torch.Tensor:
    """Return round(sums * scale + bias) clamped to +-limit, in the memory of `sums`."""
    sums.mul_(scale).add_(bias).round_()
    if isinstance(limit, torch.Tensor):
        return torch.minimum(torch.maximum(sums, -limit), limit, out=sums)
    return sums.clamp_(-limit, limit)


def lookup(table: torch.Tensor, indices: torch.Tensor) -> torch.Tensor:
    """Return the entries of a table (n,) at integer indices of any shape."""
    flat = indices.reshape(-1).to(torch.int32)
    return table.index_select(0, flat).view(indices.shape)


def layer_norm(
    values: torch.Tensor, factor: float, epsilon: float, limit: float
) -> torch.Tensor:
    """Return values less their mean, over their spread, as integers within +-limit.

    (v - mean) * factor / isqrt(256 sum (v - mean)^2 + epsilon), the mean rounded to an
    integer, the root the exact integer one whatever sqrt does in its last bit. To get unit
    variance in units of 1/a: factor = 16 a sqrt(width).

    Args:
        values: float32 integers (..., width) with width * max |v| < 2**24.
        factor: of the result; any float64.
        epsilon: an integer of at least 1, at the scale of 256 sum v^2.
        limit: of the matmul that reads the result.
    """
    width = values.shape[-1]
    centred = values - (values.sum(-1, keepdim=True) * (1 / width)).round_()
    wide = centred.double()
    squares = (wide * wide).sum(-1, keepdim=True) * 256 + epsilon  # below 2**53
    root = squares.sqrt().floor_()
    # The library's sqrt may be off by one in the last place: correct it by exact tests.
    root -= (root * root > squares).double()
    root += ((root + 1) * (root + 1) <= squares).double()
    scale = torch.div(torch.full_like(root, factor), root).to(torch.float32)
    return centred.mul_(scale).round_().clamp_(-limit, limit)


def frequencies(logits: torch.Tensor) -> torch.Tensor:
    """Return int64 frequencies (..., A) of integer logits: those of `fill_frequencies`.

    Args:
        logits: float32 integers in units of 1/1024 nat, (..., A).
    """
    table = torch.as_tensor(logit_table().copy(), device=logits.device)
    whole = logits.to(torch.int64)
    n_symbols = whole.shape[-1]
    top = whole.amax(-1, keepdim=True)
    e = table[(top - whole).clamp_(max=len(table) - 1)]
    total = e.sum(-1, keepdim=True)
    rows = (e * (TOTAL_FREQUENCY - n_symbols)).div_(total, rounding_mode="floor")
    rows += 1
    # A unique maximum needs no rule for ties: the first of the likeliest.
    order = torch.arange(n_symbols - 1, -1, -1, device=logits.device)
    best = (whole * n_symbols + order).argmax(-1, keepdim=True)
    return rows.scatter_add_(-1, best, TOTAL_FREQUENCY - rows.sum(-1, keepdim=True))
