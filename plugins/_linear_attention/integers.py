"""Constants of the integer model, derived from the arrays of an artifact.

All of it is single correctly rounded operations of numpy on float64 and integers, so that
every machine derives the same. The scheme:

- Matrices and what they read are int16; sums stay below 2**24, and leave by one
  multiplication, one addition and one rounding in float32.
- Features of queries and keys come from a table over all whole inputs.
- A state is a matrix of whole numbers that float64 holds: with features up to F, values up
  to V and a memory of M steps an entry stays below F V M, and what d of them give a query
  below d F F V M < 2**53. A step keeps round(entry m / 2**16), m a whole number, and adds
  a product: exact, whatever was read at once.
- The weighed mean is one quotient of two such numbers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import Arrays

from .._torch.quantise import activation_limit
from .._torch.sums import Inputs
from .._torch.tables import LOGIT_UNITS, exp_table
from .._transformer.integers import residual_limit, residual_units
from .architecture import Architecture

Array = NDArray[Any]

LARGEST_READ = np.iinfo(np.int16).max
FEATURE_UNITS = 512
FEATURE_TOP = 1 << 20
WIDEST_FEATURE = 1 << 16
VALUE_LIMIT = (1 << 11) - 1
EXACT = 1 << 53
"""Whole numbers up to it are exact in float64, in any order of summation."""
SQUARE_UNITS = 256
"""Mean squares are multiplied by this before their integer root: 4 more bits."""
EPSILON = 1e-5


class Affines(NamedTuple):
    """Matrix of every layer, and what turns its sums into whole numbers.

    Attributes:
        weights: shape (L, n_out, n_in), int16.
        factor: shape (L, n_out), float32, of the sums.
        bias: shape (L, n_out), float32.
    """

    weights: Array
    factor: Array
    bias: Array


class Tables(NamedTuple):
    """The model as arrays, layers stacked.

    Attributes:
        qkv, project, expand, contract, head: matrices.
        scales: shape (2 L + 1,), float64: units of a normalised stream times the root of a
            sum of squares; two for each layer, the last one for the head.
        limits: shape (2 L + 1,), float32, of normalised streams.
        epsilon: added to the sum of squares.
        stream_limit: of the residual stream.
        features: whole features by whole inputs, 0 in the middle; int16.
        decays: shape (H,), float64, in whole parts of 2**-16.
        read_scale: shape (L, H), float64, of the means of values.
        read_limit, active_limit: shape (L,), of what `project` and `contract` read.
    """

    qkv: Affines
    project: Affines
    expand: Affines
    contract: Affines
    head: Affines
    scales: Array
    limits: Array
    epsilon: int
    stream_limit: float
    features: Array
    decays: Array
    read_scale: Array
    read_limit: Array
    active_limit: Array


def inputs_of(architecture: Architecture, learned: Arrays) -> Inputs:
    """Return the residual stream by symbol and tap, in whole units."""
    units = _units(architecture, learned)
    embedding = learned["embedding"].astype(np.int64)
    rows = learned["embedding_scale"].astype(np.float64)[:, None]
    columns = learned["mixing_scale"].astype(np.float64) * units
    levels = [
        # (V + 1, e) @ (e, D): exact integers, then single float64 operations.
        np.rint((embedding @ part.T.astype(np.int64)) * rows * columns)
        for part in np.split(learned["mixing"], architecture.taps, axis=1)
    ]
    return Inputs(
        distances=np.arange(1, architecture.taps + 1),
        # The history holds the special symbol before the start of a stream.
        inside=np.ones((1, architecture.taps), np.bool_),
        levels=np.stack(levels).astype(np.int32),
        places=np.zeros((1, architecture.widths.stream), np.int32),
    )


def tables_of(architecture: Architecture, learned: Arrays) -> Tables:
    """Return all that the compiled steps read, apart from the inputs."""
    a, d = architecture, architecture.widths.stream
    units = _units(a, learned)
    layers = range(a.n_layers)
    value_range = learned["value_range"].astype(np.float64)  # (L, H)
    value_units = VALUE_LIMIT / value_range
    read_limit = np.array([_limit(learned[f"project{i}"]) for i in layers], np.float64)
    # A mean of values is not larger than the largest one.
    read_units = read_limit / value_range.max(axis=1)
    active_limit = np.array([_limit(learned[f"contract{i}"]) for i in layers])
    active_units = active_limit / learned["active_range"].astype(np.float64)
    normal = [n for i in layers for n in (f"qkv{i}", f"expand{i}")] + ["head"]
    limits = np.array([_limit(learned[name]) for name in normal], np.float64)
    # No entry of a vector over its root mean square is larger than sqrt(D).
    normal_units = limits / math.sqrt(d)
    out_units = [
        np.concatenate([np.full(2 * d, FEATURE_UNITS), np.repeat(v, a.head_width)])
        for v in value_units
    ]
    stream = [np.float64(units)] * a.n_layers
    return Tables(
        qkv=_affines(learned, "qkv", normal_units[:-1:2], out_units),
        project=_affines(learned, "project", read_units, stream),
        expand=_affines(learned, "expand", normal_units[1:-1:2], active_units),
        contract=_affines(learned, "contract", active_units, stream),
        head=_affines(learned, "head", normal_units[-1:], [np.float64(LOGIT_UNITS)]),
        scales=normal_units * math.sqrt(d * SQUARE_UNITS),
        limits=limits.astype(np.float32),
        epsilon=max(1, SQUARE_UNITS * round(d * EPSILON * units**2)),
        stream_limit=float(residual_limit(d)),
        features=_features(a, float(learned["feature_range"].max())),
        decays=np.array(a.decays),
        read_scale=read_units[:, None] / value_units,
        read_limit=read_limit,
        active_limit=active_limit.astype(np.float32),
    )


def feature_limit(architecture: Architecture) -> int:
    """Return the largest feature for which d F F V M is below 2**53."""
    memory = math.ceil(1 / (1 - max(architecture.decays)))
    room = EXACT // (architecture.head_width * memory * VALUE_LIMIT)
    # 1 less: a state also gathers half a unit of rounding per step.
    return min(math.isqrt(room) - 1, LARGEST_READ)


def _features(architecture: Architecture, largest: float) -> Array:
    """Return elu(x) + 1 for whole x in -last .. last of 1 / FEATURE_UNITS, at least 1."""
    last = min(math.ceil(largest * FEATURE_UNITS), WIDEST_FEATURE)
    falling = exp_table(units=FEATURE_UNITS, last=last, top=FEATURE_TOP)
    rising = FEATURE_TOP + np.arange(1, last + 1) * (FEATURE_TOP // FEATURE_UNITS)
    curve = np.concatenate([falling[::-1], rising])
    scaled = np.rint(curve * (feature_limit(architecture) / float(curve[-1])))
    # Weights of 0 alone would have no mean.
    return np.maximum(scaled, 1).astype(np.int16)


def _affines(learned: Arrays, kind: str, units_in: Any, units_out: Any) -> Affines:
    """Return a matrix of every layer, from inputs of units_in to outputs of units_out."""
    names = [kind] if kind == "head" else [f"{kind}{i}" for i in range(len(units_in))]
    factors, biases = [], []
    for name, unit, units in zip(names, units_in, units_out, strict=True):
        scales = learned[f"{name}_scale"].astype(np.float64)
        factors.append((scales / unit * units).astype(np.float32))
        bias = learned[f"{name}_bias"].astype(np.float64) * units
        biases.append(bias.astype(np.float32))
    weights = np.stack([learned[name].astype(np.int16) for name in names])
    return Affines(weights=weights, factor=np.stack(factors), bias=np.stack(biases))


def _units(architecture: Architecture, learned: Arrays) -> int:
    largest = float(learned["residual_range"][0])
    return residual_units(architecture.widths.stream, largest)


def _limit(integers: Array) -> int:
    return min(activation_limit(integers), LARGEST_READ)
