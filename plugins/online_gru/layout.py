"""Memory layout of the online network's weights, and the state of a stream."""

import numpy as np
from numpy.typing import NDArray

from .compiled import BLOCK, EMBEDDING, N_SYMBOLS, N_TAPS, Streams


def shapes_of(width: int) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of `Parts` for so many hidden units."""
    return (
        (N_SYMBOLS + 1, EMBEDDING),
        (N_TAPS * EMBEDDING, 3 * width),
        (3 * width,),
        (width, 3 * width),
        (width,),
        (width, N_SYMBOLS),
        (N_SYMBOLS,),
    )


def tape_width(width: int) -> int:
    """Return the tape numbers of a step: inputs, six states, errors of logits."""
    return N_TAPS * EMBEDDING + 6 * width + N_SYMBOLS


def initial_weights(width: int) -> NDArray[np.float32]:
    """Return the weights before any symbol: of a counter, the same on every machine."""
    rng = np.random.Generator(np.random.Philox(key=0))
    parts = []
    for i, shape in enumerate(shapes_of(width)):
        if len(shape) == 1:
            parts.append(np.zeros(shape, np.float32))
            continue
        # The head starts at nothing: all symbols are equally likely at first.
        deviation = (0.3, 0.15, 0, shape[0] ** -0.5, 0, 0, 0)[i]
        integers = rng.integers(-(1 << 20), (1 << 20) + 1, shape)
        parts.append((integers * (deviation * 3**0.5 / (1 << 20))).astype(np.float32))
    return np.concatenate([part.reshape(-1) for part in parts])


def fresh(width: int) -> Streams:
    """Return the state of one stream that has read nothing."""
    weights = initial_weights(width)[None]
    return Streams(
        weights=weights,
        mean=np.zeros_like(weights),
        square=np.zeros_like(weights),
        direct=np.zeros((1, N_SYMBOLS + 1, N_SYMBOLS), np.float32),
        hidden=np.zeros((1, width), np.float32),
        tape=np.zeros((1, BLOCK, tape_width(width)), np.float32),
        # Symbol 256 stands before the start.
        symbols=np.full((1, BLOCK, N_TAPS), N_SYMBOLS, np.int64),
        counts=np.zeros((1, 2), np.int64),
    )
