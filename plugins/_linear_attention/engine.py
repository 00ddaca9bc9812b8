"""Integer network that codes, without torch and without any library of matrix products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import START, Arrays

from .._torch.batches import Ints
from .._torch.compiled import fill_frequencies
from .._torch.sums import gather
from .._torch.tables import logit_table
from .architecture import Architecture
from .compiled import read_rows
from .integers import inputs_of, tables_of


@dataclass(frozen=True, kw_only=True)
class LinearState:
    """State of some streams between two steps.

    Attributes:
        history: shape (m, taps), int16, the last symbols of each stream.
        n_read: steps taken.
        memory: shape (m, L, H, d, d + 1), float64, whole numbers.
    """

    history: NDArray[Any]
    n_read: int
    memory: NDArray[np.float64]


class LinearEngine:
    """Integer arithmetic on the learned arrays."""

    def __init__(self, architecture: Architecture, learned: Arrays) -> None:
        self.architecture = architecture
        self.inputs = inputs_of(architecture, learned)
        self.tables = tables_of(architecture, learned)
        self.exponentials = logit_table().astype(np.float64)

    def start(self) -> LinearState:
        """Return the state of one stream that has read nothing."""
        a, d = self.architecture, self.architecture.head_width
        return LinearState(
            history=np.full((1, a.taps), a.n_symbols, np.int16),
            n_read=0,
            memory=np.zeros((1, a.n_layers, a.n_heads, d, d + 1)),
        )

    def repeat(self, state: LinearState, n: int) -> LinearState:
        """Return the state of n streams, copies of one."""
        return LinearState(
            history=np.repeat(state.history, n, axis=0),
            n_read=state.n_read,
            memory=np.repeat(state.memory, n, axis=0),
        )

    def advance(self, state: LinearState, symbols: Ints) -> tuple[LinearState, Ints]:
        """Read symbols (k, m); return the next state and frequencies (k, m, V)."""
        (n_steps, n_streams), n_symbols = symbols.shape, self.architecture.n_symbols
        # The embedding has one more row, for symbols before the start.
        new = np.where(symbols == START, n_symbols, symbols).T.astype(np.int16)
        history = np.concatenate([state.history[:n_streams], new], axis=1)
        width = self.architecture.widths.stream
        streams = np.empty((n_steps, n_streams, width), np.int32)
        gather(streams, history, state.n_read, self.inputs)
        memory = state.memory[:n_streams]
        logits = np.empty((n_steps * n_streams, n_symbols), np.float32)
        read_rows(logits, streams.reshape(len(logits), width), memory, self.tables)
        rows = np.empty(logits.shape, np.int64)
        fill_frequencies(rows, logits, self.exponentials)
        following = LinearState(
            history=history[:, n_steps:],
            n_read=state.n_read + n_steps,
            memory=memory,
        )
        return following, rows.reshape(n_steps, n_streams, n_symbols)
