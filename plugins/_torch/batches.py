"""From a corpus to batches of windows, drawn by a counter-based generator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Octets = NDArray[np.uint8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Pieces of samples, padded with zeros.

    Attributes:
        symbols: shape (n, T).
        lengths: shape (n,), how many symbols of each row are real.
    """

    symbols: Octets
    lengths: Ints

    def take(self, indices: Ints) -> tuple[Ints, NDArray[np.bool_]]:
        """Return symbols (n, T) of these rows, and which of them are real."""
        lengths = self.lengths[indices]
        longest = int(lengths.max(initial=1))
        symbols = self.symbols[indices, :longest].astype(np.int64)
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
    symbols = np.zeros((len(lengths), max(1, int(lengths.max()))), np.uint8)
    for row, piece in zip(symbols, pieces, strict=False):
        row[: len(piece)] = np.frombuffer(piece, np.uint8)
    return Windows(symbols=np.minimum(symbols, alphabet - 1), lengths=lengths)


def philox(seed: int, *purpose: int) -> np.random.Generator:
    """Return the generator of one purpose: a counter, the same on every machine."""
    key = np.random.SeedSequence([seed, *purpose]).generate_state(2, np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
