"""Tuples of arrays that the compiled form of the transformer reads and changes."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

# Slots of a ring that a vector instruction takes at once.
LANES = 16
Array = NDArray[Any]


class Affines(NamedTuple):
    """One matrix of every layer, (L, in, out), and the scaling of its columns, (L, out).

    All is float32; matrices are whole numbers, as a library of matrix products takes them.
    """

    weight: Array
    scale: Array
    shift: Array
    limit: Array


class Tables(NamedTuple):
    """The model as arrays, layers stacked: L layers, H heads.

    `norm_scales` and `norm_limits` have two entries for every layer and a last one for the
    head; `slots` is how many positions a layer remembers. `trust` and the matrices of
    `prior` are one, or none without a prior.
    """

    embed: Array
    position: Array
    qkv: Affines
    project: Affines
    expand: Affines
    contract: Affines
    head: Affines
    gelu: Array
    norm_scales: Array
    norm_limits: Array
    norm_epsilon: int
    score_scale: Array
    read_scale: Array
    read_limit: Array
    biases: Array
    slots: Array
    exponentials: Array
    prior: Affines
    trust: Array


class Inputs(NamedTuple):
    """Symbols (m, k) of m streams, and a prior's levels after each, (m, k, V or 0)."""

    symbols: Array
    levels: Array


class Rings(NamedTuple):
    """Keys and values (L, B, H, D / H, R), int16.

    Position t lies in slot t modulo (reach + 1) of its layer. R is a multiple of LANES, so
    that loops over slots need no remainder; unused slots have the weight 0.
    """

    keys: Array
    values: Array


class RowBlock(NamedTuple):
    """Streams and positions of n rows, and their activations: D, D, 3D and 4D wide.

    States are int32, inputs and outputs of matrices are whole numbers in float32.
    """

    streams: Array
    positions: Array
    states: Array
    normal: Array
    qkv: Array
    wide: Array


class Attention(NamedTuple):
    """Keys, values and constants of one layer, and room for scores (H, R) and indices."""

    keys: Array
    values: Array
    scale: Array
    biases: Array
    exponentials: Array
    scores: Array
    below: Array


class Place(NamedTuple):
    """Row, stream and slot of a position, and the numbers of slots seen and read."""

    row: int
    stream: int
    slot: int
    n_seen: int
    n_read: int
