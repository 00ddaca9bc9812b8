"""Conversion of float weights to integers, and back for further training.

An artifact holds integers, their row scales, and the ranges of the activations in a
calibration batch; `integers` derives everything else.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness import Arrays

from .._torch.quantise import dequantise, quantise_rows
from .integers import BY_HEAD, BY_LAYER, matrices_of, residual_units
from .network import Affine, CausalTransformer, Norm

AnyTransformer = TypeVar("AnyTransformer", bound=CausalTransformer)

MARGIN = 1.1
"""Ratio of the largest activation allowed to the largest in calibration."""
CALIBRATION_SYMBOLS = 1 << 14


def to_integers(network: CausalTransformer, symbols: Tensor, real: Tensor) -> Arrays:
    """Return the arrays of the integer model.

    Args:
        network: trained; ranges are measured where it is, on a GPU in a hundredth of the time.
        symbols: (n, T) int64, to find ranges with.
        real: (n, T) bool, False where a row is padded.
    """
    # Scales from float64: they are rounded once only.
    network = network.double().eval()
    device = network.embed.device
    ranges = ranges_of(network, symbols.to(device), real.to(device))
    units = residual_units(network.architecture.width, float(ranges["residual"].max()))
    learned: dict[str, NDArray[Any]] = {
        f"range_{name}": value.astype(np.float32) for name, value in ranges.items()
    }
    learned["embed"] = _whole(network.embed, units)
    learned["position"] = _whole(network.position, units)
    if not network.architecture.n_positions:
        for layer in range(network.architecture.n_layers):
            distance = _array(network.layer(layer).distance)
            learned[f"distance.{layer}"] = distance.astype(np.float32)
    for name, weight, bias in _folded(network, learned["range_attended"]):
        quantised = quantise_rows(weight)
        learned[f"{name}.weight"] = quantised.integers
        learned[f"{name}.scale"] = quantised.scales.astype(np.float32)
        learned[f"{name}.bias"] = bias.astype(np.float32)
    if network.architecture.has_prior:
        learned["trust"] = _array(network.trust.weight).astype(np.float32)
    return learned


@torch.no_grad()
def ranges_of(
    network: CausalTransformer, symbols: Tensor, real: Tensor
) -> dict[str, NDArray[np.float64]]:
    """Return the largest magnitude, with margin, at every place that is quantised.

    Shapes: (L, H) for places of a head, (L,) for the other places of a block,
    (1,) for the residual stream and the last norm.
    """
    architecture = network.architecture
    n_layers, n_heads = architecture.n_layers, architecture.n_heads
    ranges: dict[str, NDArray[np.float64]] = {
        **{name: np.zeros((n_layers, n_heads)) for name in BY_HEAD},
        **{name: np.zeros(n_layers) for name in BY_LAYER},
        **{name: np.zeros(1) for name in ("residual", "norm_last")},
    }

    step = max(1, CALIBRATION_SYMBOLS // symbols.shape[1])
    for start in range(0, len(symbols), step):
        rows = slice(start, start + step)

        def note(place: str, value: Tensor, is_real: Tensor = real[rows]) -> None:
            name, _, layer = place.partition(".")
            at = int(layer or 0)
            by_head = name in BY_HEAD
            # Heads (B, H, T, D/H) -> real positions (n, H, D/H), others -> (n, D).
            magnitudes = (value.transpose(1, 2) if by_head else value)[is_real].abs()
            peak = magnitudes.amax(dim=(0, 2)) if by_head else magnitudes.amax()
            ranges[name][at] = np.maximum(ranges[name][at], peak.cpu().numpy())

        # The largest magnitude of no positions is undefined.
        if real[rows].any():
            network(symbols[rows], note)
    return {name: np.maximum(value * MARGIN, 1e-3) for name, value in ranges.items()}


def _folded(
    network: CausalTransformer, attended: NDArray[np.float32]
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Return name, weight (out, in) and bias of every matrix, gains and scales folded in."""
    matrices = []
    for layer in range(network.architecture.n_layers):
        block = network.layer(layer)
        matrices.append((f"qkv.{layer}", *_after_norm(block.norm_attention, block.qkv)))
        # The attended values of each head have a unit of their own; the columns of the
        # projection take up the difference.
        width = network.architecture.head_width
        by_head = attended[layer].astype(np.float64) / float(attended[layer].max())
        weight = _array(block.project.weight) * np.repeat(by_head, width)
        matrices.append((f"project.{layer}", weight, _array(block.project.bias)))
        matrices.append((f"expand.{layer}", *_after_norm(block.norm_mlp, block.expand)))
        contract = block.contract
        matrices.append(
            (f"contract.{layer}", _array(contract.weight), _array(contract.bias))
        )
    matrices.append(("head", *_after_norm(network.norm, network.head)))
    if network.architecture.has_prior:
        prior = network.prior
        matrices.append(("prior", _array(prior.weight), _array(prior.bias)))
    return matrices


def _after_norm(
    norm: Norm, affine: Affine
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    gain, shift = _array(norm.weight), _array(norm.bias)
    weight, bias = _array(affine.weight), _array(affine.bias)
    # weight (gain x + shift) + bias: the norm needs no parameters of its own.
    return weight * gain, bias + weight @ shift


def _whole(weights: Tensor, units: int) -> NDArray[np.int32]:
    return np.rint(_array(weights) * units).astype(np.int32)


def _array(weights: object) -> NDArray[np.float64]:
    if not isinstance(weights, Tensor):
        raise TypeError(f"expected a tensor, got {type(weights).__name__}")
    return weights.detach().cpu().double().numpy()


def to_floats(network: AnyTransformer, learned: Arrays) -> AnyTransformer:
    """Set the weights of a network to those that the integers stand for; return it.

    Gains are one and shifts zero: they are in the matrices now.
    """
    architecture = network.architecture
    units = residual_units(architecture.width, float(learned["range_residual"].max()))
    state = network.state_dict()
    state["embed"] = torch.from_numpy(learned["embed"] / np.float32(units))
    state["position"] = torch.from_numpy(learned["position"] / np.float32(units))
    for layer in range(architecture.n_layers):
        if not architecture.n_positions:
            table = torch.from_numpy(learned[f"distance.{layer}"].copy())
            state[f"blocks.{layer}.distance"] = table
    for name in matrices_of(architecture):
        kind, _, at = name.partition(".")
        weight = dequantise(learned[f"{name}.weight"], learned[f"{name}.scale"])
        # Undo the units of the heads that `_folded` put into the columns.
        if kind == "project":
            attended = learned["range_attended"][int(at)]
            by_head = np.repeat(attended / attended.max(), architecture.head_width)
            weight = (weight / by_head).astype(np.float32)
        place = f"blocks.{at}.{kind}" if at else kind
        state[f"{place}.weight"] = torch.from_numpy(weight)
        state[f"{place}.bias"] = torch.from_numpy(learned[f"{name}.bias"].copy())
    if architecture.has_prior:
        state["trust.weight"] = torch.from_numpy(learned["trust"].copy())
    network.load_state_dict(state)
    return network
