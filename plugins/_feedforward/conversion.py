"""From a float network to integers, and back for further training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness import Arrays

from .._torch.quantise import dequantise, quantise_rows
from .architecture import Architecture
from .network import FeedForwardNetwork


def to_integers(network: FeedForwardNetwork) -> Arrays:
    """Return 8-bit matrices with a scale per row, and float32 biases."""
    learned: dict[str, NDArray[Any]] = {}
    for name in network.architecture.matrices:
        quantised = quantise_rows(network.get_parameter(name).double().numpy())
        learned[name] = quantised.integers
        learned[f"{name}_scale"] = quantised.scales.astype(np.float32)
    for name in network.architecture.biased:
        bias = network.get_parameter(f"{name}_bias")
        learned[f"{name}_bias"] = np.array(bias.numpy(), np.float32)
    return learned


def to_floats(architecture: Architecture, learned: Arrays) -> FeedForwardNetwork:
    """Return the network that the integers stand for."""
    network = FeedForwardNetwork(architecture)
    with torch.no_grad():
        for name in architecture.matrices:
            weights = dequantise(learned[name], learned[f"{name}_scale"])
            network.get_parameter(name).copy_(torch.from_numpy(weights))
        for name in architecture.biased:
            bias = torch.from_numpy(learned[f"{name}_bias"].copy())
            network.get_parameter(f"{name}_bias").copy_(bias)
    return network
