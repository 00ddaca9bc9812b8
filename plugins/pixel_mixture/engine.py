"""Two predictors weighed against each other pixel by pixel, in integers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .._torch.batches import Ints
from .._torch.model import Engine
from .counts import Contexts, Counts, context_weights, filled_up, frequencies_of

WEIGHT_BITS = 16
WHOLE = 1 << WEIGHT_BITS
SHARE_BITS = 3


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """State of streams, with the two predictions of the next symbol.

    Attributes:
        network: the network's own state.
        images: (n, n_pixels), the image at hand; changed in place.
        n_read: symbols read since the start; -1 where not even START was.
        weights: (n,), of the network's frequencies, in units of 2**-16.
        offered: (n, 2, alphabet), the frequencies of network and counts.
    """

    network: Any
    images: Ints
    n_read: int
    weights: Ints
    offered: Ints


class MixedEngine:
    """Engine that mixes a network and counts by their predictions so far.

    Weights are posterior ones within an image, drawn a little to the first one after every
    pixel (fixed share: Herbster and Warmuth 1998, "Tracking the best expert").
    """

    def __init__(
        self, network: Engine, contexts: Contexts, counts: Counts, *, first: int
    ) -> None:
        """Set the network's weight at the start of an image, above 0 and below WHOLE."""
        self._network, self._contexts = network, contexts
        self._table, self._first = context_weights(counts), first

    def start(self) -> Mixed:
        contexts = self._contexts
        return Mixed(
            network=self._network.start(),
            images=np.zeros((1, contexts.n_pixels), np.int64),
            n_read=-1,
            weights=np.full(1, self._first, np.int64),
            offered=np.zeros((1, 2, contexts.alphabet), np.int64),
        )

    def repeat(self, state: Mixed, n: int) -> Mixed:
        return Mixed(
            network=self._network.repeat(state.network, n),
            images=np.repeat(state.images, n, axis=0),
            n_read=state.n_read,
            weights=np.repeat(state.weights, n),
            offered=np.repeat(state.offered, n, axis=0),
        )

    def advance(self, state: Mixed, symbols: Ints) -> tuple[Mixed, Ints]:
        n = symbols.shape[1]
        network, by_network = self._network.advance(state.network, symbols)
        images, n_read = state.images[:n], state.n_read
        weights, offered = state.weights[:n], state.offered[:n]
        rows = np.empty_like(by_network)
        for step, read in enumerate(symbols):
            if n_read >= 0:
                weights = self._updated(weights, offered, read)
                images[:, n_read % self._contexts.n_pixels] = read
            n_read += 1
            position = n_read % self._contexts.n_pixels
            if position == 0:
                # Each image starts from the fitted weight, as the first one does.
                weights = np.full(n, self._first, np.int64)
            by_counts = self._table[self._contexts.rows(images, position)]  # (n, A)
            offered = np.stack([by_network[step], frequencies_of(by_counts)], axis=1)
            rows[step] = _mixed(weights, offered)
        return Mixed(
            network=network,
            images=images,
            n_read=n_read,
            weights=weights,
            offered=offered,
        ), rows

    def _updated(self, weights: Ints, offered: Ints, symbols: Ints) -> Ints:
        """Return the weights after observing symbols (n,)."""
        likelihoods = offered[np.arange(len(symbols)), :, symbols]
        network = weights * likelihoods[:, 0]
        posterior = (network << WEIGHT_BITS) // (  # below 2**56
            network + (WHOLE - weights) * likelihoods[:, 1]
        )
        return posterior + ((self._first - posterior) >> SHARE_BITS)


def _mixed(weights: Ints, offered: Ints) -> Ints:
    """Return the weighted frequencies, (n, alphabet): at least 1 as both parts are."""
    of_network, of_counts = offered[:, 0], offered[:, 1]
    share = weights[:, None]
    sums = share * of_network + (WHOLE - share) * of_counts  # below 2**40
    return filled_up(sums >> WEIGHT_BITS)
