"""Symbols of many samples in coding order: step by step, longest sample first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from harness.errors import NotApplicableError


def coding_order(samples: Sequence[bytes]) -> NDArray[np.int64]:
    """Return the indices of the samples, longest first, ties in the order given."""
    lengths = np.array([len(sample) for sample in samples], dtype=np.int64)
    # Stable, so that encoder and decoder agree on ties.
    return np.argsort(-lengths, kind="stable")


def steps_of(ordered: Sequence[bytes]) -> Iterator[NDArray[np.int64]]:
    """Yield the symbols of each step of samples that are sorted longest first."""
    lengths = np.array([len(sample) for sample in ordered], dtype=np.int64)
    flat = np.frombuffer(b"".join(ordered), np.uint8)
    starts = np.cumsum(lengths) - lengths
    # Streams end from the back, so that a step reads the first `n_running` of them.
    for step, n_running in enumerate(running_streams(lengths)):
        yield flat[starts[:n_running] + step].astype(np.int64)


def running_streams(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of streams that have a symbol at each step.

    Args:
        lengths: of the streams, falling.

    Returns:
        Shape (longest length,).
    """
    steps = np.arange(lengths[0] if len(lengths) else 0)
    # Lengths fall, so that the streams longer than a step are the first ones.
    return np.searchsorted(-lengths, -steps, side="left")


def check_alphabet(samples: Sequence[bytes], alphabet: int) -> None:
    """Raise NotApplicableError if a byte lies outside the alphabet."""
    # The largest byte decides: an alphabet has the bytes 0 .. alphabet - 1.
    top = max((max(sample) for sample in samples if sample), default=0)
    if top >= alphabet:
        msg = f"a sample holds byte {top}, but the alphabet has only {alphabet} symbols"
        raise NotApplicableError(msg)
