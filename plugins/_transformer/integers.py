"""Constants of the integer transformer, derived from the arrays of an artifact.

All of it is single correctly rounded operations of numpy on float64 and integers, so that
every machine derives the same. The scheme:

- Every matrix has integer rows; an activation that enters it is clamped to the widest
  range for which any order of float32 sums is exact (`quantise`).
- An accumulator leaves a matrix by one multiplication, one addition, one rounding.
- The residual stream is whole numbers of 1 / units.
- Scores of queries and keys: both below sqrt(2**24 / head width). Attention weights are
  floor(e 2**13 / sum e), e from a table of 16 bits; they sum to at most 2**13, and values
  are below 2**24 / 2**13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import Arrays

from .._torch.quantise import LARGEST_EXACT, activation_limit
from .._torch.tables import LOGIT_UNITS, exp_table, gelu_table
from .architecture import Architecture, slopes

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

WEIGHT_TOTAL = 1 << 13
SCORE_UNITS = 256
SCORE_TOP = 1 << 16
SCORE_LAST = math.ceil(math.log(2 * SCORE_TOP) * SCORE_UNITS)
GELU_UNITS = 512
GELU_TOP = 1 << 20
GELU_CURVED = 8
"""Beyond 8 the table is a straight line: GELU(x) - x is below 1e-14."""
GELU_WIDEST = 1 << 16
NORM_SHIFT = 256
"""The variance is multiplied by this before its integer square root: 4 more bits."""
RESIDUAL_UNITS = 4096
BY_HEAD = ("query", "key", "value", "attended")
BY_LAYER = ("norm_attention", "norm_mlp", "expand", "gelu")
NORM_EPSILON = 1e-5
LEVEL_UNITS = 16
"""A prior's log probabilities are whole levels of 1/16 bit."""
LEVEL_BITS = 16
"""Level 0 is a probability of 2**-16 or less, level 256 one of 1."""
UNIFORM_LEVEL = (LEVEL_BITS - 8) * LEVEL_UNITS
"""Only what is likelier than 1/256 enters the residual stream: a sparse input."""
PRIOR_UNITS = 4 * LEVEL_UNITS
"""Levels to 1 of the float network's input: 4 bits."""
LOGIT_LIMIT = 1 << 20
"""Far over LOGIT_UNITS times any logit, and far below 2**24."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Layer of the model. Matrices (out, in) int8; multipliers and shifts by row, float32."""

    qkv: I8Affine
    project: I8Affine
    expand: I8Affine
    contract: I8Affine
    qkv_limit: F32
    score_scale: F32
    biases: F32
    read_scale: F32
    read_limit: int
    norm_scales: tuple[float, float]
    norm_limits: tuple[int, int]
    gelu: I32
    reach: int


@dataclass(frozen=True, kw_only=True)
class I8Affine:
    """rint(weight @ x * scale + shift), each operation rounded to float32."""

    weight: NDArray[np.int8]
    scale: F32
    shift: F32


@dataclass(frozen=True, kw_only=True)
class Integers:
    """Integer model.

    Attributes:
        embed: shape (V + 1, D), position: shape (n_positions, D), in 1 / units.
        residual_limit: of the residual stream.
        norm_epsilon: added to the shifted sum of squares.
        exponentials: scores below the highest -> weight before normalisation; the last is 0.
        prior: (D, V) matrix from the levels over UNIFORM_LEVEL; None without a prior.
        trust: logits for one level of the prior, rounded to float32.
    """

    architecture: Architecture
    units: int
    embed: I32
    position: I32
    layers: tuple[Layer, ...]
    head: I8Affine
    head_norm_scale: float
    head_norm_limit: int
    residual_limit: int
    norm_epsilon: int
    exponentials: I32
    prior: I8Affine | None = None
    trust: float = 0.0


def matrices_of(architecture: Architecture) -> list[str]:
    """Return the names of all matrices."""
    kinds = ("qkv", "project", "expand", "contract")
    layers = range(architecture.n_layers)
    outer = ["head", "prior"] if architecture.has_prior else ["head"]
    return [f"{kind}.{layer}" for layer in layers for kind in kinds] + outer


def residual_limit(width: int) -> int:
    """Return a limit for which the shifted sum of squares of a centred row is below 2**53."""
    # A centred value is at most twice the limit: hence the factor 4 of squares.
    return math.isqrt((1 << 53) // (4 * NORM_SHIFT * width)) - 1


def residual_units(width: int, largest: float) -> int:
    """Return the power of two of units per 1 that keeps `largest` well inside the limit."""
    # 1.5: room for inputs that calibration did not contain.
    widest = int(residual_limit(width) / (1.5 * largest))
    return min(RESIDUAL_UNITS, 1 << max(0, widest.bit_length() - 1))


def derive(architecture: Architecture, learned: Arrays) -> Integers:
    """Return the integer model of an architecture and its learned arrays."""
    units = residual_units(architecture.width, float(learned["range_residual"].max()))
    table = exp_table(units=SCORE_UNITS, last=SCORE_LAST, top=SCORE_TOP)
    exponentials = table.astype(np.int32)
    # All scores from here on have no weight at all.
    exponentials[-1] = 0
    head_limit = activation_limit(learned["head.weight"])
    # The last norm fills the range that the head can sum exactly.
    unit = head_limit / float(learned["range_norm_last"][0])
    return Integers(
        architecture=architecture,
        units=units,
        embed=learned["embed"].astype(np.int32),
        position=learned["position"].astype(np.int32),
        layers=tuple(
            _layer(architecture, learned, layer, units)
            for layer in range(architecture.n_layers)
        ),
        head=_affine(learned, "head", 1 / unit, np.float64(LOGIT_UNITS)),
        head_norm_scale=_norm_scale(unit, architecture.width),
        head_norm_limit=head_limit,
        residual_limit=residual_limit(architecture.width),
        norm_epsilon=NORM_SHIFT * round(architecture.width * NORM_EPSILON * units**2),
        exponentials=exponentials,
        **(_prior(learned, units) if architecture.has_prior else {}),
    )


def _prior(learned: Arrays, units: int) -> dict[str, Any]:
    """Return the two ways of a prior's levels: into the residual stream and the logits."""
    # Levels are at most 256, and no row of int8 weights of 256 levels sums to 2**16.
    matrix = _affine(learned, "prior", 1 / PRIOR_UNITS, np.float64(units))
    logits = float(learned["trust"][0]) * (math.log(2) * LOGIT_UNITS / LEVEL_UNITS)
    return {"prior": matrix, "trust": float(np.float32(logits))}


def _layer(architecture: Architecture, learned: Arrays, at: int, units: int) -> Layer:
    ranges = {
        name: learned[f"range_{name}"][at].astype(np.float64)
        for name in (*BY_HEAD, *BY_LAYER)
    }
    limits = {
        kind: activation_limit(learned[f"{kind}.{at}.weight"])
        for kind in ("qkv", "project", "expand", "contract")
    }
    width = architecture.head_width
    # width products, each below the limit squared, sum to less than 2**24.
    score_limit = math.isqrt(LARGEST_EXACT // width)
    value_limit = LARGEST_EXACT // WEIGHT_TOTAL
    query, key = score_limit / ranges["query"], score_limit / ranges["key"]
    value = value_limit / ranges["value"]
    # Each head has units of its own, in the rows of its query, key and value.
    heads = np.repeat(np.concatenate([query, key, value]), width)
    widest = np.repeat([score_limit, score_limit, value_limit], architecture.width)
    normal = limits["qkv"] / ranges["norm_attention"]
    normal_mlp = limits["expand"] / ranges["norm_mlp"]
    attended = ranges["attended"]
    read = limits["project"] / attended / value / WEIGHT_TOTAL
    out = attended.max() / limits["project"]
    active = limits["contract"] / ranges["gelu"]
    points = query * key * math.sqrt(width)
    return Layer(
        qkv=_affine(learned, f"qkv.{at}", 1 / normal, heads),
        project=_affine(learned, f"project.{at}", out, np.float64(units)),
        expand=_affine(learned, f"expand.{at}", 1 / normal_mlp, np.float64(GELU_UNITS)),
        contract=_affine(learned, f"contract.{at}", 1 / active, np.float64(units)),
        qkv_limit=widest.astype(np.float32),
        score_scale=(SCORE_UNITS / points).astype(np.float32),
        biases=_biases(architecture, learned, at, points),
        read_scale=read.astype(np.float32),
        read_limit=limits["project"],
        norm_scales=(
            _norm_scale(float(normal), architecture.width),
            _norm_scale(float(normal_mlp), architecture.width),
        ),
        norm_limits=(limits["qkv"], limits["expand"]),
        gelu=_gelu(float(ranges["expand"]), float(active), limits["contract"]),
        reach=architecture.reaches[at],
    )


def _affine(
    learned: Arrays, name: str, input_unit: float | np.float64, output_units: Any
) -> I8Affine:
    """Return a matrix between integers of input_unit and of 1 / output_units."""
    scale = learned[f"{name}.scale"].astype(np.float64) * input_unit * output_units
    shift = learned[f"{name}.bias"].astype(np.float64) * output_units
    return I8Affine(
        weight=learned[f"{name}.weight"],
        scale=scale.astype(np.float32),
        shift=shift.astype(np.float32),
    )


def _norm_scale(units: float, width: int) -> float:
    # The root of the shifted sum of squares is sqrt(D * NORM_SHIFT) standard deviations.
    return units * math.sqrt(width * NORM_SHIFT)


def _biases(architecture: Architecture, learned: Arrays, at: int, points: F64) -> F32:
    """Return the bias of a score at distance 0 .. reach, (H, reach + 1), whole numbers."""
    reach = architecture.reaches[at]
    if architecture.n_positions:
        return np.zeros((architecture.n_heads, reach + 1), np.float32)
    # The slope is not learned; an artifact holds the deviations from it.
    # (H, 1) * (reach + 1,) -> (H, reach + 1)
    falls = np.array(slopes(architecture.n_heads))[:, None] * np.arange(reach + 1)
    table = learned[f"distance.{at}"].astype(np.float64) - falls
    return np.rint(table * points[:, None]).astype(np.float32)


def _gelu(widest: float, active_units: float, limit: int) -> I32:
    """Return activations for whole inputs -last .. last of 1 / GELU_UNITS."""
    last = min(math.ceil(widest * GELU_UNITS), GELU_WIDEST)
    curved = GELU_CURVED * GELU_UNITS
    table = gelu_table(units=GELU_UNITS, last=curved, top=GELU_TOP)
    inputs = np.arange(-last, last + 1)
    # For inputs beyond the curved part: 0 or the input itself.
    straight = np.maximum(inputs, 0) * (GELU_TOP // GELU_UNITS)
    bent = table[np.clip(inputs, -curved, curved) + curved]
    values = np.where(np.abs(inputs) <= curved, bent, straight)
    scaled = np.rint(values * (active_units / GELU_TOP))
    return np.clip(scaled, -limit, limit).astype(np.int32)
