"""Memory layout of a mixer: one tuple of arrays, and the names of their rows."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

from .tables import Constants

Function = TypeVar("Function", bound=Callable[..., Any])
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

Index = np.uint64
"""Type of indices in compiled code: a signed index is tested for negative values."""

N_SETS = 3  # sets of weights, chosen by partial byte, previous byte and trust
N_CHOICES = 256
N_STATES = 256
N_MATCH_STATES = 64
APM_CELLS = 32  # of 16 bits: one line of memory
APM_ROWS = 1 << 16
LINE_BYTES = 64
ONE = 1 << 16
COUNT_BITS = 10  # of an adaptive probability, below its 21 bits of value
PROBABILITY_BITS = 21

# Registers: position and state of the model and of the coder.
POS, HISTORY, WORD, LAST_WORD, MATCH_AT, MATCH_LENGTH, NODE, EXPECTED = range(8)
LOW, HIGH, N_OUT, CODE, N_IN, N_REGISTERS = range(8, 14)

# Setup: constants that follow from the fields of the compressor.
ORDER, WORDS, WIDTH, AREA, BLOCK_BITS, HEADS_AT, HEAD_BITS, APM_AT, N_SETUP = range(9)

# The ledger of the journal, which undo does not touch; a mark per level from MARKS on.
EPOCH, LATEST, N_SAVED, MARKS = range(4)
N_LEVELS = 2

# Scratch: intermediate values of a prediction that learning uses.
SET_P, ROW, FINAL_P, MATCH_CELL, APM_CELL, N_SCRATCH = 0, 3, 6, 7, 8, 10


class Model(NamedTuple):
    """State of a mixer, in arrays that are changed in place.

    Attributes:
        source: empty; its type names the source of this plugin, so that numba's cache
            is renewed when any file changes, not only the file of the cached function.
        setup: see ORDER ...; constant.
        constants: read-only tables.
        memory: blocks of bit histories, then match heads, then APMs.
        shorts, words, quads: the same memory as integers of 16, 32 and 64 bits.
        stamps: per line of memory, the epoch in which it last went into the journal.
        journal: lines as they were, shape (n, 10): which line, its stamp, its content.
        ledger: see EPOCH ...
        maps: adaptive probabilities of contexts by bit history, then of the match.
        weights: in 1/65536; N_SETS times N_CHOICES rows as long as `inputs`.
        final: weights of the final mixer, N_CHOICES rows of N_SETS.
        small: the memory behind maps, weights and final.
        registers: see POS ...
        saved_small, saved_registers: copies, a row per level of undo.
        text: the bytes seen.
        hashes, blocks: per context, of the byte and of the half byte being coded.
        cells, inputs, dots, scratch: of the bit being coded.
    """

    source: NDArray[Any]
    setup: Ints
    constants: Constants
    memory: Bytes
    shorts: NDArray[np.int16]
    words: NDArray[np.int32]
    quads: Ints
    stamps: NDArray[np.int32]
    journal: Ints
    ledger: Ints
    maps: NDArray[np.int32]
    weights: NDArray[np.int32]
    final: NDArray[np.int32]
    small: NDArray[np.int32]
    registers: Ints
    saved_small: NDArray[np.int32]
    saved_registers: Ints
    text: Bytes
    hashes: Ints
    blocks: Ints
    cells: Ints
    inputs: NDArray[np.int32]
    dots: Ints
    scratch: Ints


def compiled(function: Function) -> Function:
    """Compile a function that allocates nothing and is called from Python."""
    return _compiled(function)


def inlined(function: Function) -> Function:
    """Compile a function into each of its callers.

    A call would pass the 25 arrays of a `Model` on the stack, and cost more than most of
    these functions compute.
    """
    return _compiled(function, forceinline=True)


def _compiled(function: Function, **options: Any) -> Function:
    # `_nrt` is an option of numba that its type hints do not list. Reference counts of
    # the arrays of a `Model`, at every access, took five sixths of the time.
    options["_nrt"] = False
    return cast("Function", numba.njit(cache=True, **options)(function))
