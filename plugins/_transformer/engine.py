"""Engine that chooses between the two forms of the integer model and converts memories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from harness import START

from .._torch.compiled import fill_frequencies
from .._torch.exact import frequencies
from .._torch.tables import logit_table
from .._torch.training import few_threads
from .fused import read_symbols
from .integers import Integers
from .packing import start_rings, tables_of
from .parallel import Memory, Parallel
from .tables import Inputs, Rings

Ints = NDArray[np.int64]
Form = Literal["fused", "parallel"]

FUSED_WIDTH = 64
"""Largest width at which the fused form is always the faster one."""
FUSED_STEP_WIDTH = 256
FUSED_STREAMS = 64
"""Most streams, up to that width, for which it is faster with one symbol of each."""
FUSED_STREAMS_BESIDE_GPU = 8
"""The same where the parallel form has a GPU, whose step takes milliseconds for any number."""


@dataclass(frozen=True, kw_only=True)
class TransformerState:
    """State of streams, in the memory of either form."""

    position: int
    memory: Memory | Rings


class TransformerEngine:
    """Integer arithmetic on the learned arrays; both forms give the same frequencies.

    Args:
        model: the integer model.
        device: where the parallel form computes; steps of few streams stay on the CPU.
        carrier: of its matmuls: float32, float64 or int64.
        form: None chooses the faster one for each call.
    """

    def __init__(
        self,
        model: Integers,
        *,
        device: str = "cpu",
        carrier: torch.dtype = torch.float32,
        form: Form | None = None,
    ) -> None:
        self.model = model
        self.parallel = Parallel(model, device=device, carrier=carrier)
        self.form, self.on_gpu = form, device != "cpu"
        self.tables = tables_of(model)
        self.logits = logit_table().astype(np.float64)

    def start(self) -> TransformerState:
        """Return the state of one stream that has read nothing."""
        return TransformerState(position=0, memory=self.parallel.start(1))

    def repeat(self, state: TransformerState, n: int) -> TransformerState:
        """Return the state of n streams, copies of one."""
        memory = self._remembered(state)
        streams = torch.zeros(n, dtype=torch.int64, device=self.parallel.device)
        return TransformerState(position=state.position, memory=memory.take(streams))

    def advance(
        self,
        state: TransformerState,
        symbols: Ints,
        levels: NDArray[np.float32] | None = None,
    ) -> tuple[TransformerState, Ints]:
        """Read symbols (k, m); return the next state and frequencies (k, m, V).

        Args:
            state: given up by the caller.
            symbols: START stands before a stream's first one.
            levels: (k, m, V), of the prior after each symbol; None where there is none.
        """
        n_symbols = self.model.architecture.n_symbols
        steps = state.position + np.arange(len(symbols))
        # The first symbol of an image is predicted from START, as in training.
        restarts = [self.model.architecture.restarts_at(int(step)) for step in steps]
        starts = (symbols == START) | np.array(restarts, bool)[:, None]
        tokens = np.where(starts, n_symbols, symbols)
        position = state.position + len(symbols)
        if levels is None:
            levels = np.empty((*symbols.shape, 0), np.float32)
        # Whole streams, one after the other: (k, m, V) -> (m, k, V).
        by_stream = Inputs(
            np.ascontiguousarray(tokens.T), np.ascontiguousarray(levels.swapaxes(0, 1))
        )
        if (self.form or self._faster(*symbols.shape)) == "fused":
            rings = self._rings(state)
            fused_logits = np.empty((*tokens.T.shape, n_symbols), np.float32)
            read_symbols(fused_logits, by_stream, state.position, self.tables, rings)
            rows = self._rows(fused_logits.swapaxes(0, 1))
            return TransformerState(position=position, memory=rings), rows
        memory = self._remembered(state).take(slice(symbols.shape[1]))
        with few_threads():
            memory, logits = self.parallel.advance(memory, *by_stream)
        following = TransformerState(position=position, memory=memory)
        # A GPU fills rows by itself: copying logits would cost more.
        if logits.device.type != "cpu":
            rows = frequencies(logits.transpose(0, 1)).cpu().numpy()
            return following, np.ascontiguousarray(rows)
        return following, self._rows(logits.transpose(0, 1).numpy())

    def _faster(self, n_steps: int, n_streams: int) -> Form:
        width = self.model.architecture.width
        # Bounds set by measurement; both forms give the same integers.
        few = FUSED_STREAMS_BESIDE_GPU if self.on_gpu else FUSED_STREAMS
        single = n_steps == 1 and n_streams <= few
        narrow = width <= FUSED_WIDTH and not self.on_gpu
        fused = narrow or (single and width <= FUSED_STEP_WIDTH)
        return "fused" if fused else "parallel"

    def _rows(self, logits: NDArray[np.float32]) -> Ints:
        flat = np.ascontiguousarray(logits).reshape(-1, logits.shape[2])
        rows = np.empty(flat.shape, np.int64)
        fill_frequencies(rows, flat, self.logits)
        return rows.reshape(logits.shape)

    def _rings(self, state: TransformerState) -> Rings:
        """Return the memory of the fused form."""
        if isinstance(state.memory, Rings):
            return state.memory
        layers = state.memory.layers
        rings = start_rings(self.tables, len(layers[0][0]))
        for layer, (keys, values) in enumerate(layers):
            slots = self._slots(layer, state.position, keys.shape[2])
            rings.keys[layer][..., slots] = keys.transpose(-1, -2).cpu().numpy()
            rings.values[layer][..., slots] = values.transpose(-1, -2).cpu().numpy()
        return rings

    def _remembered(self, state: TransformerState) -> Memory:
        """Return the memory of the parallel form."""
        if isinstance(state.memory, Memory):
            return state.memory
        architecture, layers = self.model.architecture, []
        # Positions of the image so far; the first one of the next image sees none.
        within = state.position
        if architecture.n_positions and within:
            within = (within - 1) % architecture.n_positions + 1
        for layer, reach in enumerate(architecture.reaches):
            slots = self._slots(layer, state.position, min(within, reach))
            keys = state.memory.keys[layer][..., slots].swapaxes(-1, -2)
            values = state.memory.values[layer][..., slots].swapaxes(-1, -2)
            layers.append((self._tensor(keys), self._tensor(values)))
        return Memory(position=state.position, layers=tuple(layers))

    def _tensor(self, whole: NDArray[np.int16]) -> torch.Tensor:
        return torch.from_numpy(whole.astype(np.float32)).to(self.parallel.device)

    def _slots(self, layer: int, position: int, n: int) -> Ints:
        """Return the ring slots of the last n positions, the earliest first."""
        period = self.model.architecture.n_positions
        # Rings have one slot more than a layer's reach: its own position.
        last = (position - 1) % period if period else position - 1
        return (last - np.arange(n)[::-1]) % (
            self.model.architecture.reaches[layer] + 1
        )
