"""Float network, used in training.

A layer normalises the residual stream by its root mean square, adds what linear attention
reads, then what a feed-forward part of rectified units gives. Attention averages values,

    o_t = S_t^T f(q_t) / (z_t . f(q_t))        f(x) = elu(x) + 1

with S and z the decaying sums of f(k) v^T and of f(k) (Katharopoulos et al. 2020,
arXiv:2006.16236, equations 7, 18 and 19; one fixed decay per head as in Sun et al. 2023,
arXiv:2307.08621). The quotient bounds what is read by the largest value, which suits
integers; retention itself has a norm instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from .._torch.network import Network
from .architecture import Architecture
from .scan import decayed_attention

Note = Callable[[str, Tensor], None]
EPSILON = 1e-5
EMBEDDING_SCALE = 0.5


class LinearAttention(Network):
    """Network of embedded last symbols, layers of linear attention and one output matrix.

    Matrices are (out, in) and named by kind and layer; each has a bias, and gains where it
    reads the normalised stream.
    """

    decay: Tensor

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        d, e = a.widths.stream, a.widths.embedding
        self.embedding = _weight(a.n_symbols + 1, e)
        self.mixing = _weight(d, a.taps * e)
        shapes = {
            "qkv": (3 * d, d),
            "project": (d, d),
            "expand": (a.wide, d),
            "contract": (d, a.wide),
            "head": (a.n_symbols, d),
        }
        for name in a.matrices:
            n_out, n_in = shapes[kind_of(name)]
            self.register_parameter(name, _weight(n_out, n_in))
            self.register_parameter(f"{name}_bias", nn.Parameter(torch.zeros(n_out)))
            if kind_of(name) in NORMALISED:
                gain = nn.Parameter(torch.ones(n_in))
                self.register_parameter(f"{name}_gain_weight", gain)
        self.register_buffer("decay", torch.tensor(a.decays), persistent=False)

    def forward(self, symbols: Tensor, note: Note | None = None) -> Tensor:
        """Return logits (B, T, V) of each of `symbols` (B, T) given those before it.

        Args:
            symbols: int64.
            note: called with the name and value of every activation that is quantised.
        """
        *_, last = self._streams(self._started(symbols)[:, :-1], note or _ignore)
        return self._read("head", last)  # (B, T, D) -> (B, T, V)

    def hidden(self, symbols: Tensor) -> dict[str, Tensor]:
        streams = self._streams(self._started(symbols), _ignore)
        # The state after the start belongs to no position.
        after = [stream[:, 1:] for stream in streams]
        states = {f"layer{i}": stream for i, stream in enumerate(after) if i}
        return {**states, "norm": normalised(after[-1])}

    def initial_scale(self, name: str, parameter: Tensor) -> float:
        if name == "embedding":
            return EMBEDDING_SCALE
        scale = 1 / math.sqrt(parameter.shape[-1])
        if kind_of(name) in ("project", "contract"):
            # So that the residual stream does not grow with depth (GPT-2).
            return scale / math.sqrt(2 * self.architecture.n_layers)
        return scale

    def _started(self, symbols: Tensor) -> Tensor:
        return functional.pad(symbols, (1, 0), value=self.architecture.n_symbols)

    def _streams(self, read: Tensor, note: Note) -> list[Tensor]:
        """Return the residual stream (B, T, D) before and after every layer."""
        a, length = self.architecture, read.shape[1]
        padded = functional.pad(read, (a.taps - 1, 0), value=a.n_symbols)
        rows = functional.embedding(padded, self.embedding)  # (B, T + taps - 1, e)
        # The nearest symbol first.
        taps = [rows[:, first : first + length] for first in range(a.taps)[::-1]]
        streams = [functional.linear(torch.cat(taps, -1), self.mixing)]
        for layer in range(a.n_layers):
            note("residual", streams[-1])
            streams.append(self._layer(layer, streams[-1], note))
        note("residual", streams[-1])
        return streams

    def _layer(self, layer: int, stream: Tensor, note: Note) -> Tensor:
        d, n_heads = self.architecture.widths.stream, self.architecture.n_heads
        qkv = self._read(f"qkv{layer}", stream)  # (B, T, D) -> (B, T, 3D)
        note(f"feature{layer}", qkv[..., : 2 * d])
        note(f"value{layer}", qkv[..., 2 * d :])
        features = qkv[..., : 2 * d]
        # elu(x) + 1, by a faster exponential than that of torch's elu.
        features = features.relu() + features.clamp(max=0).exp()
        parts = (*features.chunk(2, -1), qkv[..., 2 * d :])
        # (B, T, D) -> (B, T, H, D/H)
        q, k, v = (x.reshape(*x.shape[:2], n_heads, -1) for x in parts)
        # A value of 1 next to the others sums up the weights.
        sums = decayed_attention(q, k, functional.pad(v, (0, 1), value=1.0), self.decay)
        read = (sums[..., :-1] / sums[..., -1:]).flatten(
            2
        )  # (B, T, H, D/H) -> (B, T, D)
        stream = stream + self._affine(f"project{layer}", read)
        active = self._read(f"expand{layer}", stream).relu()  # (B, T, 2D)
        note(f"active{layer}", active)
        return stream + self._affine(f"contract{layer}", active)

    def _read(self, name: str, stream: Tensor) -> Tensor:
        return self._affine(name, normalised(stream))

    def _affine(self, name: str, x: Tensor) -> Tensor:
        bias = self.get_parameter(f"{name}_bias")
        return functional.linear(x, self.folded(name), bias)

    def folded(self, name: str) -> Tensor:
        """Return a matrix (out, in) with the gains of what it reads folded in."""
        weight = self.get_parameter(name)
        if kind_of(name) not in NORMALISED:
            return weight
        # Fewer products than gains on the stream itself.
        return weight * self.get_parameter(f"{name}_gain_weight")


NORMALISED = ("qkv", "expand", "head")
"""Kinds of matrices that read the normalised stream."""


def kind_of(name: str) -> str:
    """Return the kind of a matrix, its name without the layer."""
    return name.rstrip("0123456789")


def normalised(stream: Tensor) -> Tensor:
    """Return the stream over its root mean square (Zhang and Sennrich 2019)."""
    return stream * torch.rsqrt((stream * stream).mean(-1, keepdim=True) + EPSILON)


def _weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(*shape))


def _ignore(name: str, value: Tensor) -> None:
    """Ignore an activation outside of calibration."""
