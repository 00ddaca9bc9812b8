"""Float network that reads the distribution of its counts at every position."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from harness import START

from .._torch.batches import Windows
from .._transformer.architecture import Architecture
from .._transformer.network import CausalTransformer
from .counts import Counts


class HybridNetwork(CausalTransformer):
    """Causal transformer with counts, which are no weights: they are not trained."""

    def __init__(self, architecture: Architecture, counts: Counts) -> None:
        super().__init__(architecture)
        self.counts = counts

    def observe(self, windows: Windows) -> None:
        self.counts = self.counts.plus(windows)

    def nats(
        self,
        symbols: Tensor,
        targets: Tensor,
        real: Tensor,
        rng: np.random.Generator,  # noqa: ARG002  (positions are not drawn)
    ) -> Tensor:
        """Return the mean nats of a batch of training windows.

        Each window is read with counts from which its own are subtracted: the network
        would else learn to trust counts that include the very symbol to be predicted.
        """
        lengths = real.sum(dim=1).cpu().numpy()
        levels = self.counts.levels_without_own(symbols.cpu().numpy(), lengths)
        logits = self(symbols, levels=self._tensor(levels))  # (B, T) -> (B, T, V)
        return functional.cross_entropy(logits[real], targets[real])

    def levels(self, symbols: Tensor) -> Tensor:
        whole = symbols.cpu().numpy().T  # (T, B)
        start = np.full_like(whole[:1], START, shape=(1, whole.shape[1]))
        history = np.zeros(whole.shape[1], np.int64)
        levels = self.counts.levels(np.concatenate([start, whole]), history, 0)
        return self._tensor(levels.swapaxes(0, 1))  # (T + 1, B, V) -> (B, T + 1, V)

    def _tensor(self, levels: np.ndarray) -> Tensor:
        return torch.from_numpy(levels).to(self.embed.device, self.embed.dtype)
