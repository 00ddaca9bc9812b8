"""The integer network that codes. No torch: numpy carries the large matmuls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from harness import Arrays

from .._torch.dense import FEW_ROWS, symbol_levels, whole_bias
from .._torch.engine import Layers, TableEngine, upper_layers
from .._torch.sums import Inputs, add_scaled
from .architecture import Architecture, Reads
from .compiled import collect, gated_units, tanh_units

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

    def rows(self, n_steps: int, n_read: int, reads: Reads) -> Array:
        """Return what the last steps read, (k m, K d); n_read steps came before them."""
        _, n_streams, width = self.values.shape
        shape = (n_steps, n_streams, len(reads.distances), width)
        rows = np.empty(shape, np.int16)
        ends = self.n_held, n_read
        collect(rows, self.values, ends, reads.distances, reads.inside)
        return rows.reshape(n_steps * n_streams, -1)


class FeedForwardEngine(TableEngine):
    """Engine that keeps the past of every layer but the last, as far as layers read it.

    Args:
        architecture: layers of the network.
        learned: its integers.
        carrier: type in which numpy carries matmuls: float32, float64 or int64.
        few: most rows whose sums are computed without a carrier.
    """

    def __init__(
        self,
        architecture: Architecture,
        learned: Arrays,
        *,
        carrier: Any = np.float32,
        few: int = FEW_ROWS,
    ) -> None:
        inputs, largest = inputs_of(architecture, learned), architecture.largest
        super().__init__(inputs, learned, carrier=carrier, few=few, largest=largest)
        self.architecture = architecture
        self.reads = [architecture.reads(offsets) for offsets in architecture.offsets]
        self.upper = upper_layers(
            learned, architecture.upper, carrier, largest=architecture.largest
        )

    def first_layers(self) -> Layers:
        # Before the start a layer is 0, as the padding of the float network.
        width = self.architecture.widths.hidden
        return tuple(
            Past(values=np.zeros((reach, 1, width), np.int16), n_held=reach)
            for reach in (reads.farthest for reads in self.reads)
        )

    def repeated(self, layer: Past, n: int) -> Past:
        return Past(values=np.repeat(layer.values, n, axis=1), n_held=layer.n_held)

    def run(self, sums: Array, layers: Layers, n_read: int) -> tuple[Array, Layers]:
        n_steps, n_streams, n_sums = sums.shape
        flat = sums.reshape(-1, n_sums)
        values, pasts = self._units(flat, NOTHING_BELOW), []
        for (dense, bias), reads, earlier in zip(
            self.upper, self.reads, layers, strict=True
        ):
            below = values.reshape(n_steps, n_streams, -1)
            past = earlier.followed_by(below, reads.farthest)
            pasts.append(past)
            rows = past.rows(n_steps, n_read, reads)
            add_scaled(flat, dense.sums(rows, self.few), dense.matmul.factor, bias)
            values = self._units(flat, values)
        return values.reshape(n_steps, n_streams, -1), tuple(pasts)

    def _units(self, sums: Array, below: Array) -> Array:
        values = np.empty((len(sums), self.architecture.widths.hidden), np.int16)
        if self.architecture.unit == "tanh":
            tanh_units(values, sums, self.curves.tanh)
        else:
            shift = self.architecture.largest.bit_length() - 1
            gated_units(values, sums, below, shift, self.curves)
        return values


def inputs_of(architecture: Architecture, learned: Arrays) -> Inputs:
    """Return what the symbols add to the sums of the first layer."""
    reads = architecture.reads(architecture.taps)
    parts = np.split(learned["layer1"], len(architecture.taps), axis=1)
    # A position does not read itself; what is never inside has any distance.
    return Inputs(
        distances=np.maximum(reads.distances, 1),
        inside=reads.inside,
        levels=symbol_levels(learned, parts, "layer1"),
        places=np.tile(whole_bias(learned, "layer1"), (len(reads.inside), 1)),
    )
