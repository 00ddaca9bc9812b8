"""Counts of levels by causal neighbours, and integer frequencies made of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness import TOTAL_FREQUENCY

from .._torch.batches import Ints, Windows

N_BINS = 3
N_CONTEXTS = N_BINS**3
MAX_CELLS = 1 << 22
WORTH = 1 << 10
PRIOR = 8 * WORTH
"""Weight of all levels of a place together; one count in a context weighs WORTH."""

Counts = NDArray[np.uint32]


@dataclass(frozen=True, kw_only=True)
class Contexts:
    """Mapping of each pixel to a row of counts, by its place and three neighbours.

    The neighbours are left, above and above right, each dark, middle or bright; pixels
    outside of the image count as dark.

    Attributes:
        width: symbols in a row of the image.
        n_pixels: after so many the next image starts.
        alphabet: number of levels.
    """

    width: int
    n_pixels: int
    alphabet: int

    @property
    def n_places(self) -> int:
        """Number of places told apart; fewer than pixels if tables would be large."""
        return min(self.n_pixels, MAX_CELLS // (N_CONTEXTS * self.alphabet))

    def rows(self, images: Ints, position: int) -> Ints:
        """Return the row of counts of one position in each image, (n,).

        Args:
            images: (n, n_pixels); only columns before `position` are read.
            position: below n_pixels.
        """
        column = position % self.width
        # Neighbouring pixels share a place if the tables would be too large.
        place = position * self.n_places // self.n_pixels
        rows = np.full(len(images), place, np.int64)
        neighbours = (
            (1, column > 0),
            (self.width, True),
            (self.width - 1, column < self.width - 1),
        )
        for distance, inside in neighbours:
            # A number to the base N_BINS, one digit per neighbour.
            rows *= N_BINS
            if inside and position >= distance:
                rows += images[:, position - distance] * N_BINS // self.alphabet
        return rows

    def tally(self, windows: Windows) -> Counts:
        """Return how often each level came in each context: (rows, alphabet)."""
        counts = np.zeros((self.n_places * N_CONTEXTS, self.alphabet), np.uint32)
        symbols = windows.symbols.astype(np.int64)
        for position in range(symbols.shape[1]):
            images = symbols[windows.lengths > position]
            # `add.at` counts repeated indices, which plain indexing would not.
            at = self.rows(images, position), images[:, position]
            np.add.at(counts, at, np.uint32(1))
        return counts


def context_weights(counts: Counts) -> Ints:
    """Return the weight of each level in each context, (rows, alphabet), positive.

    A count weighs WORTH; on top, PRIOR is shared out by how often the levels came at the
    place whatever its neighbours, every level once more than it came.
    """
    wide = counts.astype(np.int64)
    # The one more keeps every level possible at every place.
    # (n_places * N_CONTEXTS, A) -> (n_places, A)
    by_place = wide.reshape(-1, N_CONTEXTS, wide.shape[1]).sum(axis=1) + 1
    prior = by_place * PRIOR // by_place.sum(axis=1, keepdims=True) + 1
    weights: Ints = wide * WORTH + np.repeat(prior, N_CONTEXTS, axis=0)
    return weights


def frequencies_of(weights: Ints) -> Ints:
    """Return frequencies in proportion to weights (n, A), each at least 1, sum 2**24.

    floor(w (2**24 - A) / sum w) + 1; weights are below 2**39, so that products are exact.
    """
    spread = TOTAL_FREQUENCY - weights.shape[1]
    return filled_up(weights * spread // weights.sum(axis=1, keepdims=True) + 1)


def filled_up(rows: Ints) -> Ints:
    """Return rows (n, A) whose first largest entry got the remainder to a sum of 2**24."""
    best = rows.argmax(axis=1)
    rows[np.arange(len(rows)), best] += TOTAL_FREQUENCY - rows.sum(axis=1)
    return rows
