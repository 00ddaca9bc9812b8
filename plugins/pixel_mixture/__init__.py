"""Pixel transformer mixed with counts of neighbouring pixels.

The code gets shorter; the weights of the network, and so its hidden states, stay bit for
bit those of `pixel_transformer` with the same fields. It tests if bits alone determine
accuracy (the intervention "mixed with a context model").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness import Arrays, Watch, hookimpl

from .._torch.batches import Windows, windows_of
from .._torch.model import Engine
from .._transformer.pixels import PixelTransformer
from .counts import Contexts, Counts
from .engine import WHOLE, MixedEngine

MAX_HELD_OUT = 64
SHARES = (32, 8, 48, 56, 60, 62)
"""Candidates for the first weight of the network, in 1/64; the earliest wins a tie."""


@dataclass(frozen=True, kw_only=True)
class PixelMixture(PixelTransformer):
    """Image GPT and counts, weighed against each other pixel by pixel.

    Counts are of the symbols as they are, also where `random_targets` replaces what the
    network learns from. Where pixels are shuffled, neighbours are those of coding order.
    """

    name = "pixel_mixture"
    family = "pixel mixture"

    @property
    def window(self) -> int:
        """Largest useful context in bytes: the weights depend on the image so far."""
        return self.training_window

    @property
    def contexts(self) -> Contexts:
        """Contexts of the counts for these images."""
        n_pixels = self.training_window
        width = n_pixels // self.shape[0] if self.shape else n_pixels
        return Contexts(width=width, n_pixels=n_pixels, alphabet=self.alphabet)

    def train(
        self,
        corpus: Sequence[bytes],
        steps: Sequence[int],
        *,
        seed: int,
        watch: Watch | None = None,
    ) -> Iterator[Arrays]:
        # An eighth is held out of the counts, to weigh them against the network.
        samples = corpus[: self.n_samples]
        n_held = min(MAX_HELD_OUT, -(-len(samples) // 8))
        held_out = samples[len(samples) - n_held :]
        early = self._tally(samples[: len(samples) - n_held])
        counts = early + self.contexts.tally(self._as_read(held_out))
        for learned in super().train(corpus, steps, seed=seed, watch=watch):
            # The weight is fitted per rung: an early network deserves less of it.
            first = self._best_first({**learned, "counts": early}, held_out)
            yield {**learned, "counts": counts, "first": first}

    def engine(self, learned: Arrays) -> Engine:
        return MixedEngine(
            super().engine(learned),
            self.contexts,
            np.asarray(learned["counts"], np.uint32),
            first=int(learned["first"][0]),
        )

    def _tally(self, samples: Sequence[bytes]) -> Counts:
        """Return counts of samples, on top of the fitted ones."""
        counts = self.contexts.tally(self._as_read(samples))
        return counts if self.learned is None else counts + self.learned["counts"]

    def _as_read(self, samples: Sequence[bytes]) -> Windows:
        # In coding order, so that causal neighbours are those of coding.
        arranged = self.arrange(samples)
        return windows_of(arranged, length=self.training_window, alphabet=self.alphabet)

    def _best_first(
        self, learned: Arrays, held_out: Sequence[bytes]
    ) -> NDArray[np.int64]:
        """Return the first weight that codes the held-out samples best, (1,).

        The network has seen it, which favours the network a little.
        """
        # Bytes outside the alphabet are not coded by a model.
        legal = [
            sample for sample in held_out if max(sample, default=0) < self.alphabet
        ]
        firsts = [np.array([share * WHOLE // 64]) for share in SHARES]
        trials = [
            replace(self, learned={**learned, "first": first}) for first in firsts
        ]
        bits = [float(trial.code_lengths(legal).sum()) for trial in trials]
        return firsts[int(np.argmin(bits))]


@hookimpl
def compressors() -> list[type[PixelMixture]]:
    return [PixelMixture]
