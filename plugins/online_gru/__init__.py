"""Small recurrent network that learns while it codes; nothing is pretrained.

Gated recurrent units with truncated backpropagation (as in Knoll's lstm-compress and NNCP,
Bellard 2019), beside logits that follow the last symbol directly (Mikolov et al. 2011,
"Strategies for training large scale neural network language models"). The decoder makes the
same predictions and learns by the same steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from harness import START, Bits, SpecError, Stepwise, hookimpl

if TYPE_CHECKING:
    from .compiled import Streams

GROUP = 32
"""Samples whose code lengths are computed at once: each has a network of its own."""
WIDTHS = (16, 512)


@dataclass(frozen=True, kw_only=True)
class OnlineState:
    """Streams, and the last byte of the context, which they have yet to read."""

    streams: Streams
    pending: int


@dataclass(frozen=True, kw_only=True)
class OnlineGRU(Stepwise):
    """Gated recurrent units, learned online.

    Attributes:
        hidden: number of units.
        rate: learning rate of the network, by Adam.
        direct_rate: learning rate of the logits that follow a symbol.
    """

    name = "online_gru"
    family = "online recurrent network"
    requires = ("numpy", "numba", "constriction")
    determinism = "isa"
    adapts = True

    hidden: int = 64
    rate: float = 2e-3
    direct_rate: float = 0.1

    def __post_init__(self) -> None:
        if not WIDTHS[0] <= self.hidden <= WIDTHS[1]:
            raise SpecError(
                f"hidden is {self.hidden}; online_gru has {WIDTHS[0]} to {WIDTHS[1]}"
            )
        if not (0 <= self.rate <= 1 and 0 <= self.direct_rate <= 1):
            raise SpecError(
                f"rates are {self.rate} and {self.direct_rate}; give 0 to 1"
            )

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:
        """Read the corpus once, learning; initial weights are fixed, so is the order."""
        del seed
        streams = self._fitted_streams()
        # Without the mean of the gradient, which recovers within a few updates.
        self._read(streams, b"".join(corpus))
        learned = {
            "weights": streams.weights[0],
            "square": streams.square[0],
            "direct": streams.direct[0],
            "updates": streams.counts[0, 1:],
        }
        return replace(self, learned=learned)

    def start(self, n: int, *, context: bytes = b"") -> OnlineState:
        streams = self._fitted_streams()
        if context:
            self._read(streams, context[:-1])
        # Each stream learns on its own from here on.
        copies = type(streams)(*(np.repeat(part, n, axis=0) for part in streams))
        return OnlineState(streams=copies, pending=context[-1] if context else START)

    def step(
        self, state: OnlineState, symbols: NDArray[np.int64]
    ) -> tuple[OnlineState, NDArray[np.int64]]:
        from .compiled import advance

        rows = np.empty((1, len(symbols), self.alphabet), np.int64)
        # The last byte of a context is learned and read with the first step.
        read = np.where(symbols == START, state.pending, symbols)[None]
        advance(state.streams, read, rows, (self.rate, self.direct_rate))
        return state, rows[0]

    def code_lengths(self, samples: Sequence[bytes], *, context: bytes = b"") -> Bits:
        groups = [samples[i : i + GROUP] for i in range(0, len(samples), GROUP)]
        lengths = [
            super(OnlineGRU, self).code_lengths(group, context=context)
            for group in groups
        ]
        return np.concatenate([*lengths, np.zeros(0)])

    def _fitted_streams(self) -> Streams:
        """Return the state of one stream after the fitted corpus."""
        from .layout import fresh

        streams = fresh(self.hidden)
        if self.learned is not None:
            streams.weights[0] = self.learned["weights"]
            streams.square[0] = self.learned["square"]
            streams.direct[0] = self.learned["direct"]
            streams.counts[0, 1] = self.learned["updates"][0]
        return streams

    def _read(self, streams: Streams, data: bytes) -> None:
        """Learn from data in one stream that has read nothing since it was made."""
        from .compiled import advance

        symbols = np.array([START, *data], np.int64)[:, None]
        # No rows: predictions of the context are not needed.
        rows = np.empty((0, 1, self.alphabet), np.int64)
        advance(streams, symbols, rows, (self.rate, self.direct_rate))


@hookimpl
def compressors() -> list[type[Stepwise]]:
    return [OnlineGRU]
