"""Pooling of hidden states over positions, as a data set's card fixes it beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Represents
from harness.data.dataset import Dataset
from harness.errors import ConformanceError, NotApplicableError

Pooled = NDArray[np.float32]
Floats = NDArray[np.float64]
MAX_STATE_BYTES = 1 << 26
"""Size of the hidden states in memory at a time, unless a single sample has more."""
CACHED_STATE_BYTES = 1 << 22
"""Size of the hidden states of a fast batch: what a cache holds is pooled from there."""
MIN_BATCH = 8
"""Fewest samples in a batch where memory allows; fewer waste calls of a large network."""


def pooled_layers(
    model: Represents, dataset: Dataset
) -> dict[str, tuple[Pooled, Pooled]]:
    """Return the pooled hidden states of train and test, per layer, in the model's order.

    All layers are kept at once, in float32; the states themselves only a batch at a time.

    Raises:
        NotApplicableError: pooling is by place and a sample is not of the card's shape.
        ConformanceError: hidden states do not have the shape of the contract.
    """
    train = pooled_states(model, dataset.train.samples, dataset)
    test = pooled_states(model, dataset.test.samples, dataset)
    if not train or list(train) != list(test):
        raise ConformanceError(
            f"hidden_states named layers {list(train)} for train and {list(test)} for test; "
            f"return the same one or more layers for every batch"
        )
    return {name: (train[name], test[name]) for name in train}


def pooled_states(
    model: Represents, samples: Sequence[bytes], dataset: Dataset
) -> dict[str, Pooled]:
    """Return, per layer, the pooled states of samples: (n, d), or (n, 5 d) by quarters.

    Samples of like length share a batch, so that little is padded. The size of a batch is
    such that its states take CACHED_STATE_BYTES, going by the batch before.
    """
    lengths = np.array([len(sample) for sample in samples], np.int64)
    # Longest first: a batch that does not fit in memory fails early.
    order = np.argsort(-lengths, kind="stable")
    pooled_by_name: dict[str, Pooled] = {}
    # A single sample at first, since the size of a state is not known yet.
    start, n_batch = 0, 1
    while start < len(order):
        indices = order[start : start + n_batch]
        states = model.hidden_states([samples[i] for i in indices])
        for name, layer in states.items():
            pooled = pool(layer, lengths[indices], dataset)
            shape = (len(samples), pooled.shape[1])
            pooled_by_name.setdefault(name, np.zeros(shape, np.float32))[indices] = (
                pooled
            )
        start += len(indices)
        longest = lengths[indices[0]]
        n_bytes = sum(layer.nbytes for layer in states.values())
        per_position = max(1, n_bytes // max(1, len(indices) * longest))
        following = lengths[order[start]] if start < len(order) else 1
        n_batch = _batch_size(int(per_position * max(1, following)))
    return pooled_by_name


def _batch_size(n_bytes: int) -> int:
    """Return the number of samples in a batch, whose states have so many bytes each."""
    fast = max(MIN_BATCH, CACHED_STATE_BYTES // n_bytes)
    return max(1, min(fast, MAX_STATE_BYTES // n_bytes))


def pool(
    states: NDArray[np.float32], lengths: NDArray[np.int64], dataset: Dataset
) -> Pooled:
    """Return the states of a batch pooled as the card says.

    Args:
        states: shape (n, T, d), T the longest sample of the batch.
        lengths: shape (n,); positions from there on are padding. An empty sample gives 0.
        dataset: its pooling and shape.

    Returns:
        Shape (n, d), the mean over positions; with "grid2x2" (n, 5 d), then the means of
        the quarters: above left, above right, below left, below right.
    """
    n, n_positions = len(lengths), int(lengths.max(initial=0))
    if states.ndim != 3 or states.shape[:2] != (n, n_positions):
        raise ConformanceError(
            f"hidden_states gave shape {states.shape} for {n} samples of up to "
            f"{n_positions} bytes; return (n, T, d), a state after each position"
        )
    if dataset.pooling == "mean":
        read = np.arange(n_positions) < lengths[:, None]  # (n, T)
        weights = (read / np.maximum(lengths, 1)[:, None])[:, None, :]  # (n, 1, T)
    else:
        weights = _place_weights(lengths, dataset)  # (5, T)
    # In float32: a product with float64 would first copy all states.
    pooled: Pooled = np.matmul(weights.astype(np.float32), states)  # (n, 1 or 5, d)
    return pooled.reshape(n, -1)


def _place_weights(lengths: NDArray[np.int64], dataset: Dataset) -> Floats:
    """Return the weights of positions in the mean and in the quarters' means: (5, T)."""
    height, width, *channels = dataset.shape or (0, 0)
    n_positions = height * width * int(np.prod(channels))
    if min(height, width) < 2 or (lengths != n_positions).any():
        raise NotApplicableError(
            f"{dataset.name}: pooling by place needs images of shape {dataset.shape}, at "
            f"least 2 x 2; a sample has {lengths.max()} bytes: set the card's pooling to mean"
        )
    row, column = np.divmod(
        np.arange(n_positions) // int(np.prod(channels)), width
    )  # channels of a pixel lie side by side
    quarter = 2 * (2 * row // height) + 2 * column // width  # (T,)
    inside = np.vstack(
        [np.ones(n_positions), quarter == np.arange(4)[:, None]]
    )  # (5, T)
    # Rows sum to 1, so that a product with states is a mean.
    weights: Floats = inside / inside.sum(axis=1, keepdims=True)
    return weights
