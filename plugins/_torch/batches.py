"""Batches of windows of a corpus, sampled by a counter-based generator."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

N_CALIBRATION = 256

Octets = NDArray[np.uint8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Pieces of samples, padded with zeros.

    Attributes:
        symbols: shape (n, T).
        lengths: shape (n,), how many symbols of each row are real.
        targets: shape (n, T), the symbols to be predicted; None if these are `symbols`.
    """

    symbols: Octets
    lengths: Ints
    targets: Octets | None = None

    def take_targets(self, indices: Ints) -> Ints:
        """Return the targets (n, T) of these rows, in the shape that `take` returns."""
        source = self.symbols if self.targets is None else self.targets
        longest = int(self.lengths[indices].max(initial=1))
        return source[indices, :longest].astype(np.int64)

    def take(self, indices: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Return symbols (n, T) of these rows, and which of them are real."""
        lengths = self.lengths[indices]
        longest = int(lengths.max(initial=1))
        symbols = self.symbols[indices, :longest].astype(np.int64)  # (n, T)
        return symbols, np.arange(longest) < lengths[:, None]


def windows_of(corpus: Sequence[bytes], *, length: int, alphabet: int) -> Windows:
    """Return every sample cut into windows of at most `length` symbols.

    Bytes outside the alphabet, which a model never codes, become its last symbol.
    """
    pieces = [
        sample[start : start + length]
        for sample in corpus
        for start in range(0, len(sample), length)
    ]
    lengths = np.array([len(piece) for piece in pieces] or [0], np.int64)
    # At least one column, so that an empty corpus is a batch of nothing.
    symbols = np.zeros((len(lengths), max(1, int(lengths.max()))), np.uint8)
    for row, piece in zip(symbols, pieces, strict=False):
        row[: len(piece)] = np.frombuffer(piece, np.uint8)
    return Windows(symbols=np.minimum(symbols, alphabet - 1), lengths=lengths)


def with_random_targets(
    windows: Windows, *, fraction: float, alphabet: int, rng: np.random.Generator
) -> Windows:
    """Return windows with a fraction of their targets replaced by uniform symbols.

    The labels of Zhang et al. 2017 ("Understanding deep learning requires rethinking
    generalization"), for next symbols: what is read stays as it is.

    Args:
        windows: of symbols below the alphabet.
        fraction: of the targets, from 0 (the windows as they are) to 1.
        alphabet: number of symbols.
        rng: source of the positions and of the symbols.
    """
    if fraction == 0:
        return windows
    shape = windows.symbols.shape
    # Both draws in this order: results depend on it.
    uniform = rng.integers(0, alphabet, shape, np.uint8, endpoint=False)
    is_replaced = rng.random(shape, np.float32) < fraction
    return replace(windows, targets=np.where(is_replaced, uniform, windows.symbols))


def philox(seed: int, *purpose: int) -> np.random.Generator:
    """Return the generator of one purpose: a counter, the same on every machine."""
    # SeedSequence spreads neighbouring seeds over the whole key.
    key = np.random.SeedSequence([seed, *purpose]).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def calibration(windows: Windows, *, seed: int) -> tuple[Ints, NDArray[np.bool_]]:
    """Return symbols (n, T) of a few windows, and which are real, to measure ranges on."""
    n = len(windows.lengths)
    return windows.take(philox(seed, 2).permutation(n)[:N_CALIBRATION])
