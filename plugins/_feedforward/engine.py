"""The integer network that codes. No torch: numpy carries the large matmuls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness import START, Arrays

from .._recurrent.architecture import GATE_REACH, GATE_UNITS
from .._recurrent.compiled import Inputs, add_scaled, gather, scale
from .._recurrent.engine import FEW_ROWS, LOGIT_LIMIT, Dense
from .._torch.batches import Ints
from .._torch.compiled import fill_frequencies
from .._torch.tables import LOGIT_UNITS, logit_table, sigmoid_table, tanh_table
from .architecture import Architecture
from .compiled import ONE, gated_units, tanh_units

Array = NDArray[Any]

NOTHING_BELOW = np.zeros((0, 0), np.int16)


@dataclass(frozen=True, kw_only=True)
class Past:
    """The last values of one layer.

    Attributes:
        values: shape (room, m, d), int16; changed in place.
        n_held: rows of `values` that count, oldest first.
    """

    values: Array
    n_held: int

    def followed_by(self, values: Array, reach: int) -> Self:
        """Return the past after some more steps, values (k, m, d)."""
        buffer, n_held = self.values, self.n_held
        n_steps, n_streams, width = values.shape
        if n_held + n_steps > len(buffer) or n_streams < buffer.shape[1]:
            last = buffer[n_held - reach : n_held, :n_streams]
            # Room for as many steps again, so that a step copies one row on average.
            buffer = np.empty((2 * reach + n_steps, n_streams, width), np.int16)
            buffer[:reach], n_held = last, reach
        buffer[n_held : n_held + n_steps] = values
        return type(self)(values=buffer, n_held=n_held + n_steps)

    def rows(self, n_steps: int, distances: tuple[int, ...]) -> Array:
        """Return the values that the last steps read, (k m, distances d)."""
        ends = [self.n_held - distance for distance in distances]
        parts = [self.values[end - n_steps : end] for end in ends]
        joined = np.concatenate(parts, axis=2)
        return joined.reshape(-1, joined.shape[2])


@dataclass(frozen=True, kw_only=True)
class Reading:
    """State of some streams.

    Attributes:
        symbols: shape (m, taps), int16, the last symbols of each stream.
        n_read: steps taken.
        pasts: of every layer but the last.
    """

    symbols: Array
    n_read: int
    pasts: tuple[Past, ...]


class FeedForwardEngine:
    """Predicts by integers.

    Args:
        architecture: the shape of the network.
        learned: its integers.
        carrier: type in which numpy carries matmuls: float32, float64 or int64.
        few: largest number of rows whose sums are taken without a carrier.
    """

    def __init__(
        self,
        architecture: Architecture,
        learned: Arrays,
        *,
        carrier: Any = np.float32,
        few: int = FEW_ROWS,
    ) -> None:
        self.architecture, self.few = architecture, few
        self.inputs = input_tables(architecture, learned)
        last = GATE_REACH * GATE_UNITS
        sigmoid = sigmoid_table(units=GATE_UNITS, last=last, top=ONE)
        tanh = tanh_table(units=GATE_UNITS, last=last, top=ONE - 1)
        self.curves = sigmoid.astype(np.int32), tanh.astype(np.int32)
        self.upper = [
            (Dense(learned, name, GATE_UNITS, carrier), _whole(learned[f"{name}_bias"]))
            for name in architecture.upper
        ]
        self.head = Dense(learned, "head", LOGIT_UNITS, carrier)
        self.head_bias = learned["head_bias"] * np.float32(LOGIT_UNITS)
        self.exponentials = logit_table().astype(np.float64)

    def start(self) -> Reading:
        a = self.architecture
        return Reading(
            symbols=np.full((1, a.taps), a.n_symbols, np.int16),
            n_read=0,
            # Before the start a layer is 0, as the padding of the float network.
            pasts=tuple(
                Past(
                    values=np.zeros((reach, 1, a.widths.hidden), np.int16), n_held=reach
                )
                for reach in a.reaches
            ),
        )

    def repeat(self, state: Reading, n: int) -> Reading:
        return Reading(
            symbols=np.repeat(state.symbols, n, axis=0),
            n_read=state.n_read,
            pasts=tuple(
                Past(values=np.repeat(past.values, n, axis=1), n_held=past.n_held)
                for past in state.pasts
            ),
        )

    def advance(self, state: Reading, symbols: Ints) -> tuple[Reading, Ints]:
        (n_steps, n_streams), a = symbols.shape, self.architecture
        new = np.where(symbols == START, a.n_symbols, symbols).T.astype(np.int16)
        history = np.concatenate([state.symbols[:n_streams], new], axis=1)
        sums = np.empty((n_steps, n_streams, a.n_sums * a.widths.hidden), np.int32)
        gather(sums, history, state.n_read, self.inputs)
        flat = sums.reshape(-1, sums.shape[2])
        values, pasts = self._units(flat, NOTHING_BELOW), []
        layers = zip(self.upper, a.offsets, state.pasts, strict=True)
        for (dense, bias), distances, earlier in layers:
            below = values.reshape(n_steps, n_streams, -1)
            past = earlier.followed_by(below, distances[-1])
            pasts.append(past)
            products = dense.sums(past.rows(n_steps, distances), self.few)
            add_scaled(flat, products, dense.matmul.factor, bias)
            values = self._units(flat, values)
        following = Reading(
            symbols=history[:, n_steps:],
            n_read=state.n_read + n_steps,
            pasts=tuple(pasts),
        )
        return following, self._predict(values).reshape(n_steps, n_streams, -1)

    def _units(self, sums: Array, below: Array) -> Array:
        values = np.empty((len(sums), self.architecture.widths.hidden), np.int16)
        if self.architecture.unit == "tanh":
            tanh_units(values, sums, self.curves[1])
        else:
            gated_units(values, sums, below, self.curves)
        return values

    def _predict(self, values: Array) -> Ints:
        logits = self.head.sums(values, self.few)
        scale(logits, self.head.matmul.factor, self.head_bias, LOGIT_LIMIT)
        rows = np.empty(logits.shape, np.int64)
        fill_frequencies(rows, logits, self.exponentials)
        return rows


def input_tables(architecture: Architecture, learned: Arrays) -> Inputs:
    """Return what each of the last symbols adds to the sums of the first layer.

    Products of integers are exact, and single float64 operations follow, so that these are
    the same on every machine.
    """
    embedding = learned["embedding"].astype(np.int64)
    symbol_scales = learned["embedding_scale"].astype(np.float64)[:, None]
    scales = learned["layer1_scale"].astype(np.float64) * GATE_UNITS
    taps = np.split(learned["layer1"].astype(np.int64), architecture.taps, axis=1)
    levels = [np.rint(embedding @ tap.T * symbol_scales * scales) for tap in taps]
    top = np.iinfo(np.int16).max
    return Inputs(
        distances=np.arange(1, architecture.taps + 1),
        levels=np.clip(np.stack(levels), -top, top).astype(np.int16),
        places=_whole(learned["layer1_bias"])[None],
        period=0,
    )


def _whole(bias: Array) -> NDArray[np.int32]:
    """Return a bias in units of 1/GATE_UNITS."""
    whole: NDArray[np.int32] = np.rint(bias * np.float32(GATE_UNITS)).astype(np.int32)
    return whole
