"""Integer transformer in torch: many streams and many positions at once.

Every tensor holds whole numbers. Sums and matmuls stay where the carrier is exact; all else
is single elementwise operations, which IEEE 754 rounds alike everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._torch.exact import lookup, matmul, requantise
from .integers import (
    LOGIT_LIMIT,
    NORM_SHIFT,
    UNIFORM_LEVEL,
    WEIGHT_TOTAL,
    I8Affine,
    Integers,
    Layer,
)

PIECE = 256
"""Most positions of a stream that attend at once: bounds the memory of the scores."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Keys and values of the streams so far.

    Attributes:
        position: number of symbols read.
        layers: per layer keys and values of the last n positions, n at most the layer's
            reach, each (B, H, n, D / H).
    """

    position: int
    layers: tuple[tuple[Tensor, Tensor], ...]

    def take(self, streams: Tensor | slice) -> Memory:
        """Return the memory of these streams."""
        layers = tuple((keys[streams], values[streams]) for keys, values in self.layers)
        return replace(self, layers=layers)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """An affine map on the device, its weight (in, out) in the carrier's type."""

    weight: Tensor
    scale: Tensor
    shift: Tensor


@dataclass(frozen=True, kw_only=True)
class DeviceLayer:
    """Layer of the model on the device."""

    qkv: Matrix
    project: Matrix
    expand: Matrix
    contract: Matrix
    qkv_limit: Tensor
    score_scale: Tensor
    biases: Tensor
    read_scale: Tensor
    gelu: Tensor


class Parallel:
    """Model on one device, with one carrier of the matmuls.

    Args:
        model: the integer model.
        device: as torch names it.
        carrier: float32, float64 or int64; all give the same.
    """

    def __init__(
        self,
        model: Integers,
        *,
        device: str = "cpu",
        carrier: torch.dtype = torch.float32,
    ) -> None:
        self.model, self.device, self.carrier = model, torch.device(device), carrier
        self.embed = self._values(model.embed)
        self.position = self._values(model.position)
        self.head = self._matrix(model.head)
        self.prior = None if model.prior is None else self._matrix(model.prior)
        self.exponentials = self._values(model.exponentials)
        self.blocks = [self._block(layer) for layer in model.layers]

    def start(self, n: int) -> Memory:
        """Return the memory of n streams that have read nothing."""
        shape = self.model.architecture
        empty = torch.zeros(n, shape.n_heads, 0, shape.head_width, device=self.device)
        return Memory(position=0, layers=((empty, empty),) * shape.n_layers)

    def advance(
        self, memory: Memory, symbols: NDArray[np.int64], levels: NDArray[np.float32]
    ) -> tuple[Memory, Tensor]:
        """Read symbols (B, C), START as V, and a prior's levels (B, C, V or 0).

        Returns:
            The next memory, and whole logits (B, C, V).
        """
        parts, first = [], 0
        while first < symbols.shape[1]:
            # A piece ends with its image: the next one starts with an empty memory.
            n = self.model.architecture.piece(memory.position, PIECE)
            if self.model.architecture.restarts_at(memory.position):
                empty = self.start(len(symbols))
                memory = replace(empty, position=memory.position)
            piece = symbols[:, first : first + n]
            memory, logits = self._read(memory, piece, levels[:, first : first + n])
            parts.append(logits)
            first += n
        return memory, torch.cat(parts, dim=1)

    @torch.inference_mode()
    def _read(
        self, memory: Memory, symbols: NDArray[np.int64], levels: NDArray[np.float32]
    ) -> tuple[Memory, Tensor]:
        tokens = torch.from_numpy(symbols).to(self.device)
        states = self.embed[tokens]  # (B, C) -> (B, C, D)
        if len(self.position):
            first = memory.position % len(self.position)
            states = states + self.position[first : first + tokens.shape[1]]
        whole = torch.from_numpy(levels).to(self.device)  # (B, C, V)
        if self.prior is not None:
            likely = (whole - UNIFORM_LEVEL).clamp_(min=0)
            sums = matmul(likely, self.prior.weight)  # (B, C, V) -> (B, C, D)
            states = self._add(states, sums, self.prior)
        layers = []
        for index, memory_of_layer in enumerate(memory.layers):
            states, new_memory = self._through(index, states, memory_of_layer)
            layers.append(new_memory)
        model = self.model
        normal = self._norm(states, model.head_norm_scale, model.head_norm_limit)
        logits = self._affine(normal, self.head, LOGIT_LIMIT)  # (B, C, D) -> (B, C, V)
        if self.prior is not None:
            # Rounded before it is added, so that only whole numbers are summed.
            logits.add_(whole.mul_(model.trust).round_())
        position = memory.position + tokens.shape[1]
        return Memory(position=position, layers=tuple(layers)), logits

    def _through(
        self, index: int, states: Tensor, memory: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        layer, block = self.model.layers[index], self.blocks[index]
        normal = self._norm(states, layer.norm_scales[0], layer.norm_limits[0])
        # (B, C, D) -> (B, C, 3D)
        qkv = self._affine(normal, block.qkv, block.qkv_limit)
        read, new_memory = self._attend(index, qkv, memory)
        states = self._add(states, matmul(read, block.project.weight), block.project)
        normal = self._norm(states, layer.norm_scales[1], layer.norm_limits[1])
        middle = len(layer.gelu) // 2
        inputs = self._affine(normal, block.expand, middle)  # (B, C, D) -> (B, C, 4D)
        active = lookup(block.gelu, inputs.add_(middle))  # (B, C, 4D)
        states = self._add(
            states, matmul(active, block.contract.weight), block.contract
        )
        return states, new_memory

    def _attend(
        self, index: int, qkv: Tensor, memory: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        layer, block = self.model.layers[index], self.blocks[index]
        n, length, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
        parts = qkv.view(n, length, 3, self.model.architecture.n_heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, H, C, D/H)
        keys = torch.cat([memory[0], key], dim=2)  # (B, H, n + C, D/H)
        values = torch.cat([memory[1], value], dim=2)
        scores = matmul(query, keys.transpose(-1, -2).to(self.carrier))
        scores += _by_distance(block.biases, length, keys.shape[2])  # (B, H, C, n + C)
        below = scores.amax(-1, keepdim=True).sub(scores).mul_(block.score_scale)
        last = len(self.exponentials) - 1
        raw = lookup(self.exponentials, below.round_().clamp_(max=last))
        # Divide by row, multiply by entry: weights cannot add up to over WEIGHT_TOTAL.
        share = WEIGHT_TOTAL / raw.sum(-1, keepdim=True, dtype=torch.float64)
        weights = raw.mul_(share.to(torch.float32)).floor_()
        sums = matmul(weights, values.to(self.carrier))  # (B, H, C, D/H)
        read = sums.mul_(block.read_scale).round_()
        read.clamp_(-layer.read_limit, layer.read_limit)
        forgotten = max(0, keys.shape[2] - layer.reach)
        new_memory = keys[:, :, forgotten:], values[:, :, forgotten:]
        return read.transpose(1, 2).reshape(n, length, width), new_memory

    def _norm(self, states: Tensor, scale: float, limit: int) -> Tensor:
        total = states.sum(-1, keepdim=True, dtype=torch.float64)
        mean = (total * (1.0 / states.shape[-1])).round_()  # (B, C, 1)
        centred = states - mean.to(torch.float32)  # whole
        wide = centred.double()
        squares = (wide * wide).sum(-1, keepdim=True).mul_(NORM_SHIFT)
        root = _whole_root(squares.add_(self.model.norm_epsilon))
        factor = torch.full_like(root, scale).div_(root).to(torch.float32)
        return centred.mul_(factor).round_().clamp_(-limit, limit)

    def _affine(self, x: Tensor, matrix: Matrix, limit: Tensor | float) -> Tensor:
        sums = matmul(x, matrix.weight)
        return requantise(sums, matrix.scale, matrix.shift, limit)

    def _add(self, states: Tensor, sums: Tensor, matrix: Matrix) -> Tensor:
        limit = self.model.residual_limit
        sums.mul_(matrix.scale).add_(matrix.shift).round_()
        return sums.add_(states).clamp_(-limit, limit)

    def _block(self, layer: Layer) -> DeviceLayer:
        return DeviceLayer(
            qkv=self._matrix(layer.qkv),
            project=self._matrix(layer.project),
            expand=self._matrix(layer.expand),
            contract=self._matrix(layer.contract),
            qkv_limit=self._values(layer.qkv_limit),
            score_scale=self._values(layer.score_scale)[:, None, None],
            biases=self._values(layer.biases),
            read_scale=self._values(layer.read_scale)[:, None, None],
            gelu=self._values(layer.gelu),
        )

    def _matrix(self, affine: I8Affine) -> Matrix:
        weight = torch.from_numpy(affine.weight.T.astype(np.float32))
        return Matrix(
            weight=weight.contiguous().to(self.device, self.carrier),
            scale=self._values(affine.scale),
            shift=self._values(affine.shift),
        )

    def _values(self, values: NDArray[np.float32] | NDArray[np.int32]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.device)


def _whole_root(squares: Tensor) -> Tensor:
    """Return floor(sqrt(squares)) of whole numbers below 2**53, exactly."""
    # Correct whatever the library's sqrt does in the last place.
    root = squares.sqrt().floor_()
    root -= (root * root > squares).double()
    root += ((root + 1) * (root + 1) <= squares).double()
    return root


def _by_distance(biases: Tensor, length: int, n_keys: int) -> Tensor:
    """Return the biases of scores, (H, C, n_keys); minus infinity out of reach or later."""
    reach = biases.shape[1] - 1
    positions = torch.arange(n_keys - length, n_keys, device=biases.device)
    # (C, 1) - (n_keys,) -> (C, n_keys)
    distance = positions[:, None] - torch.arange(n_keys, device=biases.device)
    outside = (distance < 0) | (distance > reach)
    summands = biases[:, distance.clamp(0, reach)]
    return summands.masked_fill(outside, float("-inf"))
