"""Which of the two forms of the integer model reads what, and the memory they pass on."""

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
from .fused import Rings, read_symbols
from .integers import Integers
from .packing import start_rings, tables_of
from .parallel import Memory, Parallel

Ints = NDArray[np.int64]
Form = Literal["fused", "parallel"]

FUSED_WIDTH = 64
"""Up to this width the fused form is the faster one whatever it reads."""
FUSED_STEP_WIDTH = 256
FUSED_STREAMS = 64
"""Up to this many streams and that width it is, where there is one symbol of each."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What streams have read, as one form or the other remembers it."""

    position: int
    memory: Memory | Rings


class TransformerEngine:
    """Integer arithmetic on the learned arrays; both forms give the same frequencies.

    Args:
        model: what to compute.
        device: where the parallel form computes; elsewhere than on a CPU it does all.
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
        self.form: Form | None = form if device == "cpu" else "parallel"
        self.tables = tables_of(model)
        self.logits = logit_table().astype(np.float64)

    def start(self) -> Reading:
        """Return the state of one stream that has read nothing."""
        return Reading(position=0, memory=self.parallel.start(1))

    def repeat(self, state: Reading, n: int) -> Reading:
        """Return the state of n streams, copies of one."""
        memory = self._remembered(state)
        chosen = torch.zeros(n, dtype=torch.int64, device=self.parallel.device)
        return Reading(position=state.position, memory=memory.take(chosen))

    def advance(self, state: Reading, symbols: Ints) -> tuple[Reading, Ints]:
        """Read symbols (k, m); return the next state and frequencies (k, m, V)."""
        n_symbols = self.model.architecture.n_symbols
        steps = state.position + np.arange(len(symbols))
        restarts = [self.model.architecture.restarts_at(int(step)) for step in steps]
        starts = (symbols == START) | np.array(restarts, bool)[:, None]
        tokens = np.where(starts, n_symbols, symbols)
        position = state.position + len(symbols)
        if (self.form or self._faster(*symbols.shape)) == "fused":
            rings = self._rings(state)
            by_stream = np.ascontiguousarray(tokens.T)
            logits = np.empty((*by_stream.shape, n_symbols), np.float32)
            read_symbols(logits, by_stream, state.position, self.tables, rings)
            rows = self._rows(logits.swapaxes(0, 1))
            return Reading(position=position, memory=rings), rows
        memory = self._remembered(state).take(slice(symbols.shape[1]))
        with few_threads():
            memory, found = self.parallel.advance(memory, tokens.T)
        following = Reading(position=position, memory=memory)
        if found.device.type != "cpu":
            rows = frequencies(found.transpose(0, 1)).cpu().numpy()
            return following, np.ascontiguousarray(rows)
        return following, self._rows(found.transpose(0, 1).numpy())

    def _faster(self, n_steps: int, n_streams: int) -> Form:
        width = self.model.architecture.width
        single = n_steps == 1 and n_streams <= FUSED_STREAMS
        fused = width <= FUSED_WIDTH or (single and width <= FUSED_STEP_WIDTH)
        return "fused" if fused else "parallel"

    def _rows(self, logits: NDArray[np.float32]) -> Ints:
        flat = np.ascontiguousarray(logits).reshape(-1, logits.shape[2])
        rows = np.empty(flat.shape, np.int64)
        fill_frequencies(rows, flat, self.logits)
        return rows.reshape(logits.shape)

    def _rings(self, state: Reading) -> Rings:
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

    def _remembered(self, state: Reading) -> Memory:
        """Return the memory of the parallel form."""
        if isinstance(state.memory, Memory):
            return state.memory
        architecture, layers = self.model.architecture, []
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
        """Return where the rings keep the last n positions, the earliest first."""
        period = self.model.architecture.n_positions
        last = (position - 1) % period if period else position - 1
        return (last - np.arange(n)[::-1]) % (
            self.model.architecture.reaches[layer] + 1
        )
