"""Integer layers of networks whose activations have a known bound; numpy alone.

The engines of recurrent and of feed-forward networks share them: tables of the first
layer, matrices that read int16 activations, and the step from logits to frequencies.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import Arrays

from .batches import Ints
from .compiled import fill_frequencies
from .quantise import activation_limit
from .sums import ONE, Curves, Matmul, dots, narrow, scale
from .tables import LOGIT_UNITS, logit_table, sigmoid_table, tanh_table

GATE_UNITS = 1024
"""Parts of 1 in which inputs of gates and candidates are counted."""
GATE_REACH = 12
"""Largest input of gates and candidates; larger ones are clamped."""
FEW_ROWS = 12
"""Most rows for which sums of int16 are faster than a float32 matmul of numpy."""
FINEST = 1 << 12
"""Finest units, 1/4096, in which matmuls read activations."""
LOGIT_LIMIT = 1 << 20

Array = NDArray[Any]


class Dense:
    """Matrix that reads activations.

    Args:
        learned: the integers of a network.
        name: of the matrix among them.
        units: its sums are requantised to whole numbers in 1/units.
        carrier: type in which numpy carries large matmuls: float32, float64 or int64.
        largest: bound of the activations, which are counted in largest/ONE: a power of two.
    """

    def __init__(
        self,
        learned: Arrays,
        name: str,
        units: int,
        carrier: Any,
        *,
        largest: int = 1,
    ) -> None:
        integers = learned[name]
        # The finest units for which no float32 sum is rounded.
        read = min(activation_limit(integers), FINEST * largest, ONE - 1)
        ratio = np.float32(units * largest) / np.float32(read)
        factor = learned[f"{name}_scale"] * ratio
        self.matmul = Matmul(
            weights=integers.astype(np.int16), factor=factor, units=read
        )
        self._carried = np.ascontiguousarray(integers.T, carrier)

    def sums(self, activations: Array, few: int) -> NDArray[np.float32]:
        """Return the sums of rows (n, d), float32 (n, n_out), exact either way.

        Args:
            activations: shape (n, d), int16 in units of largest/ONE.
            few: most rows whose sums are computed without a carrier.
        """
        rows = np.empty(activations.shape, np.int16)
        narrow(rows, activations, self.matmul.units)
        # Both ways give the same integers; only their speed differs.
        if len(rows) <= few:
            out = np.empty((len(rows), len(self.matmul.weights)), np.float32)
            dots(out, rows, self.matmul.weights)
            return out
        sums: Array = rows.astype(self._carried.dtype) @ self._carried
        return sums.astype(np.float32, copy=False)


class Head:
    """Last matrix, from activations to frequencies."""

    def __init__(self, learned: Arrays, carrier: Any, *, largest: int = 1) -> None:
        self._dense = Dense(learned, "head", LOGIT_UNITS, carrier, largest=largest)
        self._bias = learned["head_bias"] * np.float32(LOGIT_UNITS)
        self._exponentials = logit_table().astype(np.float64)

    def frequencies(self, activations: Array, few: int) -> Ints:
        """Return frequencies (n, A) of what follows activations (n, d)."""
        logits = self._dense.sums(activations, few)
        scale(logits, self._dense.matmul.factor, self._bias, LOGIT_LIMIT)
        rows = np.empty(logits.shape, np.int64)
        fill_frequencies(rows, logits, self._exponentials)
        return rows


def gate_curves() -> Curves:
    """Return sigmoid and tanh of whole numbers in units of 1/GATE_UNITS."""
    last = GATE_REACH * GATE_UNITS
    sigmoid = sigmoid_table(units=GATE_UNITS, last=last, top=ONE)
    tanh = tanh_table(units=GATE_UNITS, last=last, top=ONE - 1)
    return Curves(sigmoid=sigmoid.astype(np.int32), tanh=tanh.astype(np.int32))


def whole_bias(learned: Arrays, name: str) -> NDArray[np.int32]:
    """Return the bias of a matrix in units of 1/GATE_UNITS."""
    bias: Array = np.rint(learned[f"{name}_bias"] * np.float32(GATE_UNITS))
    return bias.astype(np.int32)


def embedded(
    learned: Arrays, embedding: str, weights: Array, reader: str
) -> NDArray[np.float64]:
    """Return what each embedded symbol adds to the sums of the matrix that reads it.

    Products of integers are exact, and single float64 operations follow, so that these are
    the same on every machine.

    Args:
        learned: the integers of a network.
        embedding: name of the embedding, (n, e).
        weights: the columns of the reader that read it, (n_out, e).
        reader: name of the whole matrix, whose rows have scales.

    Returns:
        Shape (n, n_out), whole numbers in units of 1/GATE_UNITS.
    """
    whole = learned[embedding].astype(np.int64) @ weights.T.astype(np.int64)
    scales = learned[f"{reader}_scale"].astype(np.float64) * GATE_UNITS
    rows = learned[f"{embedding}_scale"].astype(np.float64)[:, None]
    products: NDArray[np.float64] = np.rint(whole * rows * scales)
    return products


def symbol_levels(
    learned: Arrays, parts: Sequence[Array], reader: str
) -> NDArray[np.int16]:
    """Return the summands (K, A + 1, n_out) of K symbols, each read by a part (n_out, e)."""
    levels = np.stack([embedded(learned, "embedding", p, reader) for p in parts])
    # int16 halves the memory of the tables; larger summands would saturate gates anyway.
    top = np.iinfo(np.int16).max
    return np.clip(levels, -top, top).astype(np.int16)
