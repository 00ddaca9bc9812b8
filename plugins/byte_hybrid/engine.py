"""Engine that shows the counts' distribution to the integer transformer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .._torch.batches import Ints
from .._transformer.engine import TransformerEngine, TransformerState
from .counts import Counts


@dataclass(frozen=True, kw_only=True)
class HybridState:
    """State of streams.

    Attributes:
        network: of the transformer.
        history: (n,), the last bytes of each stream, packed; changed in place.
    """

    network: TransformerState
    history: Ints

    @property
    def n_read(self) -> int:
        """Bytes read; START, which is read first, is none."""
        return max(self.network.position - 1, 0)


class HybridEngine:
    """Integer transformer that reads frozen counts at every position."""

    def __init__(self, network: TransformerEngine, counts: Counts) -> None:
        self.network, self.counts = network, counts

    def start(self) -> HybridState:
        history = np.zeros(1, np.int64)
        return HybridState(network=self.network.start(), history=history)

    def repeat(self, state: HybridState, n: int) -> HybridState:
        history = np.repeat(state.history, n)
        return HybridState(
            network=self.network.repeat(state.network, n), history=history
        )

    def advance(self, state: HybridState, symbols: Ints) -> tuple[HybridState, Ints]:
        """Read symbols (k, m); return the next state and frequencies (k, m, 256)."""
        history = state.history[: symbols.shape[1]]
        levels = self.counts.levels(symbols, history, state.n_read)
        network, rows = self.network.advance(state.network, symbols, levels)
        return HybridState(network=network, history=history), rows
