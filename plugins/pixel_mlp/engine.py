"""Integer MLP that codes, without torch: numpy's matmul carries the integers."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import START, Arrays

from .._torch.compiled import fill_frequencies
from .._torch.quantise import activation_limit
from .._torch.tables import LOGIT_UNITS, logit_table
from .compiled import FirstTables, Ints, first_layer, rectify, scale_logits
from .neighbours import Neighbourhood

LOGIT_LIMIT = np.float32(1 << 20)

Matrix = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class History:
    """Symbols that some streams have read.

    Attributes:
        symbols: shape (n, room); changed in place.
        n_held: number of columns of `symbols` in use.
        n_read: symbols read since the start, without START.
    """

    symbols: NDArray[np.int16]
    n_held: int
    n_read: int


class MLPEngine:
    """Engine whose integers are carried by floats: float32, in tests also wider types."""

    def __init__(
        self, neighbourhood: Neighbourhood, learned: Arrays, carrier: Any = np.float32
    ) -> None:
        self._reach = neighbourhood.reach
        self._tables = first_tables(neighbourhood, learned)
        self._outside = self._tables.levels.shape[1] - 1
        self._exponentials = logit_table().astype(np.float64)
        self._inner = _Dense.of(learned, "inner", learned["units"][1:], carrier)
        to_logits = [learned["units"][2], np.float32(LOGIT_UNITS)]
        self._head = _Dense.of(learned, "head", to_logits, carrier)
        factor = learned["units"][1] / learned["units"][0]
        self._requantise = np.float32(factor), self._inner.limit

    def start(self) -> History:
        # Before the start everything is outside the image.
        symbols = np.full((1, self._reach), self._outside, np.int16)
        return History(symbols=symbols, n_held=self._reach, n_read=-1)

    def repeat(self, state: History, n: int) -> History:
        return replace(state, symbols=np.repeat(state.symbols, n, axis=0))

    def advance(self, state: History, symbols: Ints) -> tuple[History, Ints]:
        n_steps, n_streams = symbols.shape
        state = self._append(state, symbols)
        width = self._tables.levels.shape[2]
        hidden = np.empty((n_steps, n_streams, width), np.float32)
        first_layer(
            hidden,
            state.symbols,
            (state.n_held - n_steps + 1, state.n_read - n_steps + 1),
            self._tables,
            self._requantise,
        )
        inner = self._inner.sums(hidden.reshape(-1, width))  # (k m, d)
        rectify(inner, self._inner.factor, self._inner.bias, self._head.limit)
        logits = self._head.sums(inner)  # (k m, d) -> (k m, A)
        scale_logits(logits, self._head.factor, self._head.bias, LOGIT_LIMIT)
        rows = np.empty(logits.shape, np.int64)
        fill_frequencies(rows, logits, self._exponentials)
        return state, rows.reshape(n_steps, n_streams, -1)

    def _append(self, state: History, symbols: Ints) -> History:
        """Return the history after some more symbols, making room where there is none."""
        n_steps, n_streams = symbols.shape
        reach, n_held, columns = self._reach, state.n_held, state.symbols
        # Room for many steps at once, so that the history is copied seldom.
        if n_held + n_steps > columns.shape[1] or n_streams < len(columns):
            last = columns[:n_streams, n_held - reach : n_held]
            columns = np.empty((n_streams, 2 * reach + n_steps), np.int16)
            columns[:, :reach], n_held = last, reach
        read = np.where(symbols == START, self._outside, symbols)
        columns[:, n_held : n_held + n_steps] = read.T
        return History(
            symbols=columns, n_held=n_held + n_steps, n_read=state.n_read + n_steps
        )


@dataclass(frozen=True, kw_only=True)
class _Dense:
    """Integer matrix with the scaling of its sums to the integers of the next layer."""

    weights: Matrix
    factor: NDArray[np.float32]
    bias: NDArray[np.float32]
    limit: np.float32

    @classmethod
    def of(cls, learned: Arrays, name: str, units: Any, carrier: Any) -> "_Dense":
        """Return a layer from integers in units[0] to integers in units[1]."""
        integers, scale = learned[name], learned[f"{name}_scale"]
        return cls(
            weights=np.ascontiguousarray(integers.T, carrier),
            factor=scale * (np.float32(units[1]) / np.float32(units[0])),
            bias=learned[f"{name}_bias"] * np.float32(units[1]),
            limit=np.float32(activation_limit(integers)),
        )

    def sums(self, activations: NDArray[np.float32]) -> NDArray[np.float32]:
        # Exact for float32 too: the sums stay below 2**24.
        if self.weights.dtype == np.float32:
            return activations @ self.weights
        wide = activations.astype(self.weights.dtype) @ self.weights
        return wide.astype(np.float32)


def first_tables(neighbourhood: Neighbourhood, learned: Arrays) -> FirstTables:
    """Return the summands of neighbours and places, in integers of units[0].

    Products of integers are exact, and single float64 operations follow, so that
    these are the same on every machine.
    """
    embedding, mixing = learned["embedding"].astype(np.int64), learned["mixing"]
    units = float(learned["units"][0])
    scale = learned["mixing_scale"].astype(np.float64) * units
    by_neighbour = mixing.astype(np.int64).reshape(len(mixing), -1, embedding.shape[1])
    sums = np.stack([embedding @ part.T for part in by_neighbour.swapaxes(0, 1)])
    levels = sums * learned["embedding_scale"].astype(np.float64)[:, None] * scale
    place = np.rint(learned["mixing_bias"].astype(np.float64) * units)
    place = np.tile(place, (neighbourhood.n_positions, 1))
    if "row" in learned:
        row, column = (_summands(learned, name, units) for name in ("row", "column"))
        n_rows, n_columns = neighbourhood.grid
        place += np.repeat(row, n_columns, axis=0) + np.tile(column, (n_rows, 1))
    return FirstTables(
        distances=neighbourhood.distances,
        inside=neighbourhood.inside,
        levels=np.rint(levels).astype(np.int16),
        summands=place.astype(np.int32),
    )


def _summands(learned: Arrays, name: str, units: float) -> Matrix:
    scale = learned[f"{name}_scale"].astype(np.float64) * units
    summands: Matrix = np.rint(learned[name].T * scale)
    return summands
