"""Conversion of a float network to integers, and back for further training."""

from __future__ import annotations

import numpy as np
import torch

from harness import Arrays

from .._torch.conversion import matrices_to_floats, matrices_to_integers
from .architecture import Architecture
from .network import RecurrentNetwork


def to_integers(network: RecurrentNetwork) -> Arrays:
    """Return 8-bit matrices with a scale per row, and float32 biases."""
    learned = matrices_to_integers(network, network.architecture.matrices)
    for name in _biases(network):
        bias = network.get_parameter(name).numpy()
        # The spread of the gates is part of the bias in the integer model.
        if len(bias) == len(network.spread):
            bias = bias + network.spread.numpy()
        learned[name] = np.array(bias, np.float32)
    return learned


def to_floats(architecture: Architecture, learned: Arrays) -> RecurrentNetwork:
    """Return the network that the integers stand for."""
    network = RecurrentNetwork(architecture)
    matrices_to_floats(network, architecture.matrices, learned)
    with torch.no_grad():
        for name in _biases(network):
            bias = torch.from_numpy(learned[name].copy())
            if len(bias) == len(network.spread):
                # The float network adds the spread by itself.
                bias -= network.spread
            network.get_parameter(name).copy_(bias)
    return network


def _biases(network: RecurrentNetwork) -> list[str]:
    names = (name for name, _ in network.named_parameters())
    return [name for name in names if name.endswith("_bias")]
