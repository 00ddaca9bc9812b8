"""Conversion of the float network to integers, and back."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness import Arrays

from .._torch.quantise import dequantise, quantise_rows
from .network import NeighbourhoodMLP

MARGIN = 1.1
"""Ratio of the largest activation allowed to the largest in calibration."""
SUM_BITS = 14
"""Bits of the largest summand of the first layer."""
MATRICES = ("embedding", "mixing", "row", "column", "inner", "head")
BIASED = ("mixing", "inner", "head")

Matrix = NDArray[Any]


def integers_of(
    network: NeighbourhoodMLP, symbols: NDArray[np.int64], real: NDArray[np.bool_]
) -> Arrays:
    """Return the integer model of a trained network.

    Matrices become 8-bit integers with a scale per row (16 bits for the few embeddings);
    hidden layers become integers as wide as exact float32 sums of the next one allow.

    Args:
        network: trained.
        symbols: (n, T) windows on which the largest activations are measured.
        real: (n, T), False where a window is padded.
    """
    matrices = {
        name: quantise_rows(weights, bits=16 if name == "embedding" else 8)
        for name, weights in _matrices(network).items()
    }
    learned: dict[str, Matrix] = {name: q.integers for name, q in matrices.items()}
    for name, quantised in matrices.items():
        learned[f"{name}_scale"] = quantised.scales.astype(np.float32)
    for name in BIASED:
        learned[f"{name}_bias"] = _vector(getattr(network, name).bias)
    peaks = _peaks(network, symbols, real)
    units = [
        matrices[name].limit / (MARGIN * peak)
        for name, peak in zip(("inner", "head"), peaks, strict=True)
    ]
    learned["units"] = np.array([_sum_units(learned), *units], np.float32)
    return learned


def set_weights(network: NeighbourhoodMLP, learned: Arrays) -> NeighbourhoodMLP:
    """Set the weights of a network from the integers; return it."""
    parameters = _parameters(network)
    with torch.no_grad():
        # The embedding of the integer model has the knots already added.
        network.knots.zero_()
        for name in parameters:
            weights = dequantise(learned[name], learned[f"{name}_scale"])
            parameters[name].copy_(
                torch.from_numpy(weights).view(parameters[name].shape)
            )
        for name in BIASED:
            bias = torch.from_numpy(learned[f"{name}_bias"].copy())
            getattr(network, name).bias.copy_(bias)
    return network


def _parameters(network: NeighbourhoodMLP) -> dict[str, torch.Tensor]:
    parts = {name: getattr(network, name) for name in MATRICES}
    parameters = {
        name: part.weight if isinstance(part, torch.nn.Linear) else part
        for name, part in parts.items()
    }
    # A network without positions has empty rows and columns.
    return {name: part for name, part in parameters.items() if part.numel()}


def _matrices(network: NeighbourhoodMLP) -> dict[str, Matrix]:
    matrices = {k: v.double().numpy() for k, v in _parameters(network).items()}
    return matrices | {"embedding": network.meanings().double().numpy()}


def _vector(bias: torch.Tensor) -> NDArray[np.float32]:
    return np.array(bias.numpy(), np.float32)


def _peaks(
    network: NeighbourhoodMLP, symbols: NDArray[np.int64], real: NDArray[np.bool_]
) -> list[float]:
    """Return the largest activation of both hidden layers."""
    # A floor, so that an untrained layer does not divide by 0.
    peaks = [1e-3, 1e-3]
    with torch.inference_mode():
        for rows, counted in zip(symbols[:, None], real[:, None], strict=True):
            window = torch.from_numpy(rows)
            where = torch.arange(rows.shape[1])[None]
            place = where % network.neighbourhood.n_positions
            for i, states in enumerate(network.states(window, where, place)):
                activations = states[torch.from_numpy(counted)]
                peaks[i] = max(
                    peaks[i], float(activations.max()) if len(activations) else 0.0
                )
    return peaks


def _sum_units(learned: Arrays) -> float:
    """Return the units of the first layer's sums: the widest that int16 tables can hold."""
    mixing = learned["mixing"].astype(np.float64)
    e = learned["embedding"].shape[1]
    bound = np.abs(mixing).reshape(len(mixing), -1, e).sum(axis=2).max(axis=1)
    bound = (bound * learned["mixing_scale"]).max()
    largest = np.abs(learned["embedding"]).max(axis=1) * learned["embedding_scale"]
    # A power of two: scaling by it is exact.
    return float(2.0 ** np.floor(np.log2((1 << SUM_BITS) / (bound * largest.max()))))
