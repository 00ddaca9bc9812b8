"""Conversion of a float network to integers, and back for further training."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import Arrays

from .._torch.quantise import dequantise, quantise_rows
from .architecture import Architecture
from .network import LinearAttention

MARGIN = 1.1
"""Ratio of the largest activation allowed to the largest in calibration."""
SMALLEST = 1e-3


def to_integers(network: LinearAttention, symbols: Tensor, real: Tensor) -> Arrays:
    """Return 8-bit matrices with a scale per row, float32 biases and ranges.

    Args:
        network: trained; its gains are folded into the matrices.
        symbols: (n, T) int64, to find the ranges of activations with.
        real: (n, T) bool, False where a row is padded.
    """
    learned: dict[str, NDArray[Any]] = {}
    with torch.no_grad():
        peaks = _peaks(network, symbols, real)
        for name in ("embedding", "mixing", *network.architecture.matrices):
            quantised = quantise_rows(network.folded(name).double().numpy())
            learned[name] = quantised.integers
            learned[f"{name}_scale"] = quantised.scales.astype(np.float32)
        for name in network.architecture.matrices:
            learned[f"{name}_bias"] = network.get_parameter(f"{name}_bias").numpy()
    return {**learned, **peaks}


def _peaks(network: LinearAttention, symbols: Tensor, real: Tensor) -> Arrays:
    """Return the largest magnitudes, with margin, of all that is quantised, by layer.

    Shapes: (L, H) for the values, (L,) for features and active units, (1,) for the
    residual stream.
    """
    a = network.architecture
    peaks: dict[str, list[float]] = defaultdict(list)

    def note(name: str, value: Tensor) -> None:
        # (B, T, D) -> (n real, D) -> by head, where each head has units of its own
        magnitudes = value[real].abs()
        parts = a.n_heads if name.startswith("value") else 1
        by_part = magnitudes.view(len(magnitudes), parts, -1)
        # A corpus of nothing has no magnitudes.
        largest = by_part.amax((0, 2)) if len(magnitudes) else torch.zeros(parts)
        peaks[name.rstrip("0123456789")] += (largest * MARGIN + SMALLEST).tolist()

    network(symbols, note)
    return {
        "residual_range": np.array([max(peaks["residual"])], np.float32),
        "feature_range": np.array(peaks["feature"], np.float32),
        "value_range": np.array(peaks["value"], np.float32).reshape(-1, a.n_heads),
        "active_range": np.array(peaks["active"], np.float32),
    }


def to_floats(architecture: Architecture, learned: Arrays) -> LinearAttention:
    """Return the network that the integers stand for.

    Gains are 1: they are in the matrices now.
    """
    network = LinearAttention(architecture)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("_weight"):
                parameter.fill_(1.0)
            elif name.endswith("_bias"):
                parameter.copy_(torch.from_numpy(learned[name].copy()))
            else:
                weight = dequantise(learned[name], learned[f"{name}_scale"])
                parameter.copy_(torch.from_numpy(weight))
    return network
