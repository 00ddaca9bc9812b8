"""Constants of the mixer as integers: logistic tables and the states of bit histories.

Nothing here depends on a machine's libm: exponentials come from `decimal`, which rounds
correctly everywhere, and the rest is integer arithmetic.
"""

from decimal import Decimal
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

STRETCH_LIMIT = 2815
"""Largest log-odds, in 1/256: a probability of 1/65536 is just inside."""

N_STATES = 256
MAX_COUNT = 1023


class Constants(NamedTuple):
    """Read-only tables.

    Attributes:
        squash: log-odds x + STRETCH_LIMIT -> probability in 1/65536.
        stretch: probability in 1/4096 -> log-odds in 1/256.
        following: next state after a bit, shape (N_STATES, 2).
        reciprocal: 65536 / (n + 1.5) for the n-th update of an adaptive probability.
    """

    squash: NDArray[np.int32]
    stretch: NDArray[np.int32]
    following: NDArray[np.uint8]
    reciprocal: NDArray[np.int32]


@cache
def constants() -> Constants:
    """Return the tables, computed once per process."""
    squash = squash_table()
    n = np.arange(MAX_COUNT + 1)
    return Constants(
        squash=squash,
        stretch=stretch_table(squash),
        following=following_states(),
        reciprocal=((2 << 16) // (2 * n + 3)).astype(np.int32),
    )


def squash_table() -> NDArray[np.int32]:
    """Return 65536 / (1 + exp(-x / 256)) for all log-odds, within 1 .. 65535."""
    # Only one half is computed: the table is symmetric to the last unit.
    half = [
        int(Decimal(65536) / (1 + (Decimal(-x) / 256).exp()))
        for x in range(STRETCH_LIMIT + 1)
    ]
    upper = np.minimum(half, 65535)
    return np.concatenate([65536 - upper[:0:-1], upper]).astype(np.int32)


def stretch_table(squash: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the log-odds of (p + 1/2) / 4096, the inverse of `squash`."""
    middles = 16 * np.arange(2048, 4096) + 8
    upper = np.searchsorted(squash, middles) - STRETCH_LIMIT
    return np.concatenate([-upper[::-1], upper]).astype(np.int32)


@cache
def history_states() -> tuple[tuple[int, int, int], ...]:
    """Return the states (zeros, ones, last bit), those of fewest bits first.

    Counts are bounded as in ZPAQ (Mahoney 2009): a long run of one bit is kept only
    while the other bit is rare. The last bit is kept while the history is short.
    """
    pairs = [
        (n0, n1)
        for n0 in range(49)
        for n1 in range(49)
        if max(n0, n1) <= _longest(min(n0, n1))
    ]
    pairs.sort(key=lambda pair: (sum(pair), pair))
    return tuple(
        (n0, n1, last)
        for n0, n1 in pairs
        for last in ((0, 1) if n0 and n1 and n0 + n1 <= 17 else (int(n1 > 0),))
    )


def following_states() -> NDArray[np.uint8]:
    """Return the state after each bit."""
    states = history_states()
    index = {state: i for i, state in enumerate(states)}
    table = np.zeros((N_STATES, 2), np.uint8)
    for state, i in index.items():
        for bit in (0, 1):
            counts = _count(state[0], state[1], bit)
            last = bit if (*counts, bit) in index else 1 - bit
            table[i, bit] = index[(*counts, last)]
    return table


def _longest(fewer: int) -> int:
    """Return the largest count beside a smaller one."""
    bounds = (40, 39, 12, 7, 5, 4)
    return bounds[fewer] if fewer < len(bounds) else -1


def _count(n0: int, n1: int, bit: int) -> tuple[int, int]:
    """Return the counts after a bit; evidence for the other bit is partly forgotten."""
    if bit:
        n1, n0 = _count(n1, n0, 0)
        return n0, n1
    # 0 1 2 3 4 5 5 6 7 7 ...: old evidence to the contrary is worth little.
    n0, n1 = n0 + 1, min(n1, 5) + (n1 >= 7) + (n1 >= 8)
    while max(n0, n1) > _longest(min(n0, n1)):
        larger, fewer = max(n0, n1), min(n0, n1)
        if fewer < 2:
            larger -= 1
        else:
            # Keep the odds while both counts shrink.
            larger, fewer = (larger * (fewer - 1) + fewer // 2) // fewer, fewer - 1
        n0, n1 = (larger, fewer) if n0 >= n1 else (fewer, larger)
    return n0, n1
