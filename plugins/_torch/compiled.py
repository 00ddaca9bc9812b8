"""Compiled step from integer logits to frequencies, the last one of every family on a CPU."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from harness import TOTAL_FREQUENCY

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile with numba, without any licence to reorder or fuse floating point."""
    return cast("Function", numba.njit(cache=True)(function))


@compiled
def fill_frequencies(
    rows: NDArray[np.int64], logits: NDArray[Any], table: NDArray[np.float64]
) -> None:
    """Write the frequencies of integer logits; all operations are exact.

    With e = table[max - logit], a symbol gets floor(e (2**24 - A) / sum e) + 1, and the
    first of the likeliest also gets the remainder of 2**24.

    Args:
        rows: shape (n, A), written.
        logits: shape (n, A), integers below 2**24 in size, of any type.
        table: `tables.logit_table()` as float64; beyond its end e is 0.
    """
    n_symbols = rows.shape[1]
    last, e = len(table) - 1, np.empty(n_symbols)
    for i in range(len(rows)):
        row = logits[i]
        best = row.argmax()
        top, total = np.int64(row[best]), 0.0
        for j in range(n_symbols):
            # Distances to the top are small, so that one short table serves all logits.
            below = int(top - np.int64(row[j]))
            e[j] = table[min(last, below)]
        for j in range(n_symbols):
            total += e[j]  # below 2**30: exact
        remainder = np.int64(TOTAL_FREQUENCY)
        for j in range(n_symbols):
            # Numerator < 2**46, quotient < 2**24: no float64 quotient rounds up to the
            # next integer, so that the floor is that of the integers.
            frequency = np.int64(e[j] * (TOTAL_FREQUENCY - n_symbols) / total) + 1
            rows[i, j] = frequency
            remainder -= frequency
        rows[i, best] += remainder
