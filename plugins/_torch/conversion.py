"""Conversion of weight matrices to 8-bit integers with a scale per row, and back."""

from collections.abc import Iterable
from typing import Any

import torch
from numpy.typing import NDArray

from harness import Arrays

from .network import Network
from .quantise import dequantise, quantise_rows


def matrices_to_integers(
    network: Network, names: Iterable[str]
) -> dict[str, NDArray[Any]]:
    """Return NAME, int8 (out, in), and NAME_scale, float32 (out,), for each matrix."""
    learned: dict[str, NDArray[Any]] = {}
    for name in names:
        quantised = quantise_rows(network.get_parameter(name).double().numpy())
        learned[name] = quantised.integers
        learned[f"{name}_scale"] = quantised.scales.astype("float32")
    return learned


def matrices_to_floats(network: Network, names: Iterable[str], learned: Arrays) -> None:
    """Set the matrices of a network to the weights that the integers stand for."""
    with torch.no_grad():
        for name in names:
            weights = dequantise(learned[name], learned[f"{name}_scale"])
            network.get_parameter(name).copy_(torch.from_numpy(weights))
