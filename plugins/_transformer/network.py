"""Float network: pre-norm blocks of causal attention and GELU (iGPT, Chen et al. 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .._torch.network import Network
from .architecture import Architecture, slopes
from .integers import LEVEL_UNITS, PRIOR_UNITS, UNIFORM_LEVEL

Note = Callable[[str, Tensor], None]
NORM_EPSILON = 1e-5
EMBEDDING_SCALE = 0.1
MIN_BLOCK = 64
"""Fewest positions that attend together; smaller blocks cost more calls than they save."""


class CausalTransformer(Network):
    """Network from symbols to the logits of each, given those before it."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        width, n_symbols = architecture.width, architecture.n_symbols
        self.embed = _weight(n_symbols + 1, width)
        self.position = _weight(architecture.n_positions, width)
        self.blocks = nn.ModuleList(
            Block(architecture, reach) for reach in architecture.reaches
        )
        self.norm = Norm(width)
        self.head = Affine(width, n_symbols)
        if architecture.has_prior:
            self.prior, self.trust = Affine(n_symbols, width), Trust()

    def forward(
        self,
        symbols: Tensor,
        note: Note | None = None,
        levels: Tensor | None = None,
    ) -> Tensor:
        """Return logits (B, T, V) of each of `symbols` (B, T) given those before it.

        Args:
            symbols: int64.
            note: called with the name and value of every activation that is quantised.
            levels: (B, T, V), of the prior; None for those that the network finds itself.
        """
        note = note or _ignore
        read = self._started(symbols)[:, :-1]
        levels = self.levels(symbols[:, :-1]) if levels is None else levels
        *_, last = self._states(read, note, levels)
        normal = self.norm(last, lambda x: note("norm_last", x))  # (B, T, D)
        logits: Tensor = self.head(normal)  # (B, T, D) -> (B, T, V)
        # A second way of the prior: straight to the logits, times a learned number.
        return logits if levels is None else logits + self.trust(levels)

    def levels(self, symbols: Tensor) -> Tensor | None:
        """Return the prior's levels before and after each of `symbols`, (B, T + 1, V).

        Families with a prior override this; None is no prior.
        """
        del symbols
        return None

    def layer(self, index: int) -> Block:
        """Return one block, typed."""
        return cast("Block", self.blocks[index])

    def hidden(self, symbols: Tensor) -> dict[str, Tensor]:
        # The state after the start symbol belongs to no position.
        stream = self._states(self._started(symbols), _ignore, self.levels(symbols))
        states = [x[:, 1:] for x in stream]
        layers = {f"layer{layer}": x for layer, x in enumerate(states[1:])}
        return {**layers, "norm": self.norm(states[-1], lambda _: None)}

    def initial_scale(self, name: str, parameter: Tensor) -> float:
        if name in ("embed", "position"):
            return EMBEDDING_SCALE
        if name.endswith("distance"):
            return 0.0
        scale = 1 / math.sqrt(parameter.shape[-1])
        if name.endswith(("project.weight", "contract.weight")):
            # So that the residual stream does not grow with depth (GPT-2).
            return scale / math.sqrt(2 * self.architecture.n_layers)
        return scale

    def _started(self, symbols: Tensor) -> Tensor:
        start = torch.full_like(symbols[:, :1], self.architecture.n_symbols)  # (B, 1)
        return torch.cat([start, symbols], dim=1)

    def _states(self, read: Tensor, note: Note, levels: Tensor | None) -> list[Tensor]:
        """Return the residual stream (B, T, D) before and after every block."""
        states: Tensor = self.embed[read]  # (B, T) -> (B, T, D)
        if self.architecture.n_positions:
            at = torch.arange(read.shape[1], device=read.device)
            # The last pixel is read but predicts nothing: it has no position of its own.
            last = self.architecture.n_positions - 1
            states = states + self.position[at.clamp(max=last)]
        if levels is not None:
            likely = (levels - UNIFORM_LEVEL).clamp(min=0) / PRIOR_UNITS
            states = states + self.prior(likely)  # (B, T, V) -> (B, T, D)
        stream = [states]
        for layer, block in enumerate(self.blocks):
            note("residual", states)
            states = block(states, lambda name, x, at=layer: note(f"{name}.{at}", x))
            stream.append(states)
        note("residual", states)
        return stream


class Block(nn.Module):
    """Attention and a two-layer perceptron, each added to the residual stream."""

    def __init__(self, architecture: Architecture, reach: int) -> None:
        super().__init__()
        width = architecture.width
        self.n_heads, self.reach = architecture.n_heads, reach
        self.relative = not architecture.n_positions
        self.norm_attention, self.norm_mlp = Norm(width), Norm(width)
        self.qkv, self.project = Affine(width, 3 * width), Affine(width, width)
        self.expand, self.contract = Affine(width, 4 * width), Affine(4 * width, width)
        if self.relative:
            self.distance = nn.Parameter(torch.zeros(self.n_heads, reach + 1))

    def forward(self, states: Tensor, note: Note) -> Tensor:
        normal = self.norm_attention(states, lambda x: note("norm_attention", x))
        states = states + self.project(self.attend(normal, note))
        normal = self.norm_mlp(states, lambda x: note("norm_mlp", x))
        hidden = self.expand(normal)  # (B, T, D) -> (B, T, 4D)
        note("expand", hidden)
        active = functional.gelu(hidden)  # (B, T, 4D)
        note("gelu", active)
        changed: Tensor = states + self.contract(active)
        return changed

    def attend(self, normal: Tensor, note: Note) -> Tensor:
        n, length, width = normal.shape
        parts = self.qkv(normal).view(n, length, 3, self.n_heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (B, H, T, D/H)
        for name, part in (("query", query), ("key", key), ("value", value)):
            note(name, part)
        # Training keeps the whole mask: its windows are short.
        block = max(self.reach, MIN_BLOCK)
        if length > 2 * block and not torch.is_grad_enabled():
            read = self._attend_by_blocks(query, key, value, block)
        # Only a plain causal mask has a fused kernel.
        elif self.relative or self.reach < length - 1:
            mask = self.scores_by_distance(length).to(query.dtype)  # (1 or H, T, T)
            read = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=mask
            )
        else:
            read = functional.scaled_dot_product_attention(
                query, key, value, is_causal=True
            )
        note("attended", read)
        return read.transpose(1, 2).reshape(n, length, width)

    def _attend_by_blocks(
        self, query: Tensor, key: Tensor, value: Tensor, block: int
    ) -> Tensor:
        """Return what positions read, (B, H, T, D/H), in time linear in T.

        A position reaches no further than the block before its own, so that each block
        attends to two: the same sums as with the whole mask, up to rounding.
        """
        n, n_heads, length, width = query.shape
        n_blocks = -(-length // block)
        padding = (0, 0, 0, n_blocks * block - length)
        shape = (n, n_heads, n_blocks, block, width)
        # Each (B, H, T, D/H) -> (B, H, blocks, block, D/H); the end is padding.
        parts = (functional.pad(x, padding).view(shape) for x in (query, key, value))
        query, key, value = parts
        mask = self.scores_by_distance(2 * block).to(query.dtype)  # (H, 2 b, 2 b)
        # The first block has none before it.
        first = functional.scaled_dot_product_attention(
            query[:, :, 0], key[:, :, 0], value[:, :, 0], mask[:, :block, :block]
        )
        keys = torch.cat([key[:, :, :-1], key[:, :, 1:]], 3)  # (B, H, blocks - 1, 2 b)
        values = torch.cat([value[:, :, :-1], value[:, :, 1:]], 3)
        later = functional.scaled_dot_product_attention(
            query[:, :, 1:], keys, values, mask[None, :, None, block:]
        )
        read = torch.cat([first[:, :, None], later], 2)  # (B, H, blocks, b, D/H)
        return read.reshape(n, n_heads, -1, width)[:, :, :length]

    def scores_by_distance(self, length: int) -> Tensor:
        """Return the summands of scores: biases within reach, minus infinity elsewhere."""
        device = self.qkv.weight.device
        at = torch.arange(length, device=device)
        distance = at[:, None] - at[None]  # (T, T)
        outside = (distance < 0) | (distance > self.reach)
        if not self.relative:
            flat = torch.zeros(1, length, length, device=device)
            return flat.masked_fill(outside, float("-inf"))
        falls = torch.tensor(slopes(self.n_heads), device=device)
        table = self.distance - falls[:, None] * torch.arange(
            self.reach + 1, device=device
        )
        biases = table[:, distance.clamp(0, self.reach)]  # (H, T, T)
        return biases.masked_fill(outside, float("-inf"))


class Norm(nn.Module):
    """Layer norm that reports its normalised value before gain and bias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, states: Tensor, note: Callable[[Tensor], None]) -> Tensor:
        normal = functional.layer_norm(
            states, (states.shape[-1],), None, None, NORM_EPSILON
        )
        note(normal)
        return normal * self.weight + self.bias


class Affine(nn.Module):
    """Affine map by a matrix (out, in) and a bias."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight, self.bias = _weight(n_out, n_in), nn.Parameter(torch.zeros(n_out))

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = functional.linear(x, self.weight, self.bias)
        return outputs


class Trust(nn.Module):
    """Logits of a prior: its log probabilities times one learned number, at first 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, levels: Tensor) -> Tensor:
        nats: Tensor = levels * (math.log(2) / LEVEL_UNITS)
        return nats * self.weight


def _weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*shape))


def _ignore(name: str, value: Tensor) -> None:
    """Ignore an activation outside of calibration."""
