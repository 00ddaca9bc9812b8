"""Conversion of a float network to integers, and back for further training."""

from __future__ import annotations

import numpy as np
import torch

from harness import Arrays

from .._torch.conversion import matrices_to_floats, matrices_to_integers
from .architecture import Architecture
from .network import FeedForwardNetwork


def to_integers(network: FeedForwardNetwork) -> Arrays:
    """Return 8-bit matrices with a scale per row, and float32 biases."""
    learned = matrices_to_integers(network, network.architecture.matrices)
    for name in network.architecture.biased:
        bias = network.get_parameter(f"{name}_bias")
        learned[f"{name}_bias"] = np.array(bias.numpy(), np.float32)
    return learned


def to_floats(architecture: Architecture, learned: Arrays) -> FeedForwardNetwork:
    """Return the network that the integers stand for."""
    network = FeedForwardNetwork(architecture)
    matrices_to_floats(network, architecture.matrices, learned)
    with torch.no_grad():
        for name in architecture.biased:
            bias = torch.from_numpy(learned[f"{name}_bias"].copy())
            network.get_parameter(f"{name}_bias").copy_(bias)
    return network
