"""Base of integer engines that look up what the last symbols add to their first layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import START, Arrays

from .batches import Ints
from .dense import FEW_ROWS, GATE_UNITS, Dense, Head, gate_curves, whole_bias
from .sums import Inputs, gather

Array = NDArray[Any]
Layers = tuple[Any, ...]
"""States of the layers of some streams, as a family defines them."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """State of some streams between two steps.

    Attributes:
        history: shape (m, reach), int16, the last symbols of each stream.
        n_read: steps taken.
        layers: the states of each layer.
    """

    history: Array
    n_read: int
    layers: Layers


class TableEngine(ABC):
    """Engine whose first layer is a table of summands, and whose activations are bounded.

    Args:
        inputs: the table.
        learned: integers of the network.
        carrier: type in which numpy carries matmuls: float32, float64 or int64.
        few: most rows whose sums are computed without a carrier.
        largest: bound of the activations, a power of two.
    """

    def __init__(
        self,
        inputs: Inputs,
        learned: Arrays,
        *,
        carrier: Any = np.float32,
        few: int = FEW_ROWS,
        largest: int = 1,
    ) -> None:
        self.inputs, self.few = inputs, few
        self.curves = gate_curves()
        self.head = Head(learned, carrier, largest=largest)

    @abstractmethod
    def first_layers(self) -> Layers:
        """Return the states of the layers of one stream that has read nothing."""

    @abstractmethod
    def repeated(self, layer: Any, n: int) -> Any:
        """Return the state of a layer for n streams, copies of one."""

    @abstractmethod
    def run(self, sums: Array, layers: Layers, n_read: int) -> tuple[Array, Layers]:
        """Take k steps of the first m streams of the states.

        Args:
            sums: shape (k, m, n_sums), int32, of the first layer; may be changed.
            layers: states before the steps; may be changed.
            n_read: steps before these.

        Returns:
            The activations (k, m, d) that the head reads, int16, and the next states.
        """

    def start(self) -> Reading:
        outside, reach = self.inputs.levels.shape[1] - 1, self.inputs.distances.max()
        return Reading(
            history=np.full((1, reach), outside, np.int16),
            n_read=0,
            layers=self.first_layers(),
        )

    def repeat(self, state: Reading, n: int) -> Reading:
        return Reading(
            history=np.repeat(state.history, n, axis=0),
            n_read=state.n_read,
            layers=tuple(self.repeated(layer, n) for layer in state.layers),
        )

    def advance(self, state: Reading, symbols: Ints) -> tuple[Reading, Ints]:
        (n_steps, n_streams), levels = symbols.shape, self.inputs.levels
        # The table has one more row, for symbols before the start.
        read = np.where(symbols == START, levels.shape[1] - 1, symbols)
        new = read.T.astype(np.int16)
        history = np.concatenate([state.history[:n_streams], new], axis=1)
        sums = np.empty((n_steps, n_streams, levels.shape[2]), np.int32)
        gather(sums, history, state.n_read, self.inputs)
        last, layers = self.run(sums, state.layers, state.n_read)
        following = Reading(
            history=history[:, n_steps:],
            n_read=state.n_read + n_steps,
            layers=layers,
        )
        rows = self.head.frequencies(last.reshape(-1, last.shape[2]), self.few)
        return following, rows.reshape(n_steps, n_streams, -1)


def upper_layers(
    learned: Arrays, names: Sequence[str], carrier: Any, *, largest: int = 1
) -> list[tuple[Dense, NDArray[np.int32]]]:
    """Return the matrices of these names, which read activations, with their biases."""
    layers = []
    for name in names:
        dense = Dense(learned, name, GATE_UNITS, carrier, largest=largest)
        layers.append((dense, whole_bias(learned, name)))
    return layers
