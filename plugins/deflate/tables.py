"""Constants of deflate (RFC 1951) and of zlib, and the memory its length takes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Positions = NDArray[np.uint16]

MIN_MATCH, MAX_MATCH = 3, 258
TOO_FAR = 4096
"""A match of MIN_MATCH bytes from farther back costs more than its literals."""
MAX_BYTES = 32768 - (MAX_MATCH + MIN_MATCH + 1)
"""Up to here every earlier byte is in reach (zlib's MAX_DIST): no window slides."""
BLOCK_SYMBOLS = 16383
"""zlib closes a block at this many symbols (memLevel 8), with or without LIT_MEM."""
TOO_LONG = -1

WORD_BYTES = 8
HASH_MASK = 0x7FFF
END_OF_BLOCK, FIRST_LENGTH = 256, 257
N_LITERALS, N_DISTANCES, N_LENGTHS = 286, 30, 19
MAX_BITS, MAX_LENGTH_BITS = 15, 7
REPEAT, ZEROS, MANY_ZEROS = 16, 17, 18
STATIC_DISTANCE_BITS = 5
NODE_BITS, DEPTH_BITS = 16, 8
"""An entry of the heap: frequency, depth below it, node."""
FREQUENCY_SHIFT = NODE_BITS + DEPTH_BITS
NODE_MASK, ONE_DEEPER = (1 << NODE_BITS) - 1, 1 << NODE_BITS
FREQUENCY_MASK = -1 << FREQUENCY_SHIFT
DEPTH_MASK = ~FREQUENCY_MASK & ~NODE_MASK
# Larger than any entry, so that it never moves up.
NO_NODE = np.iinfo(np.int64).max

# Extra bits and code lengths: RFC 1951, sections 3.2.5 to 3.2.7.
LENGTH_EXTRA = np.array([0] * 8 + [b for b in range(1, 6) for _ in range(4)] + [0])
DISTANCE_EXTRA = np.array([0, 0] + [b for b in range(14) for _ in range(2)])
REPEAT_EXTRA = np.array([0] * REPEAT + [2, 3, 7])
LENGTH_ORDER = np.array(
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
)
LITERAL_EXTRA = np.append(np.zeros(FIRST_LENGTH, np.int64), LENGTH_EXTRA)
STATIC_BITS = np.array([8] * 144 + [9] * 112 + [7] * 24 + [8] * 6)
# A match of 258 bytes, the longest, has a symbol of its own, without extra bits.
LENGTH_SYMBOL = FIRST_LENGTH + np.repeat(np.arange(29), 1 << LENGTH_EXTRA)[:256]
LENGTH_SYMBOL[MAX_MATCH - MIN_MATCH] = N_LITERALS - 1
DISTANCE_SYMBOL = np.repeat(np.arange(30), 1 << DISTANCE_EXTRA)


class Settings(NamedTuple):
    """A row of zlib's `configuration_table`.

    good: from a match this long on, search a quarter of the chain.
    lazy: search on only where the last match is shorter.
    nice: stop at a match this long.
    chain: the most earlier positions looked at.
    """

    good: int
    lazy: int
    nice: int
    chain: int


SETTINGS = {
    4: Settings(4, 4, 16, 16),
    5: Settings(8, 16, 32, 32),
    6: Settings(8, 16, 128, 128),
    7: Settings(8, 32, 128, 256),
    8: Settings(32, 128, 258, 1024),
    9: Settings(32, 258, 258, 4096),
}
"""The levels that parse lazily; those below do not."""


class Span(NamedTuple):
    """End of the bytes at hand; `is_open` if more bytes will follow."""

    n: int
    is_open: bool


class Parse(NamedTuple):
    """State of a parse.

    at: the next byte.
    pending: True if the byte before is a literal unless it starts a match.
    length, match: longest match of the byte before, and its position.
    n_symbols: symbols counted so far.
    """

    at: int
    pending: bool
    length: int
    match: int
    n_symbols: int


class Text(NamedTuple):
    """Bytes and their hash chains.

    words: at each position the eight bytes from there on, the first one lowest.
    head: latest position of each hash; 0 is none.
    before: at each position the one before it with the same hash.
    """

    words: Ints
    head: Positions
    before: Positions


class Tree(NamedTuple):
    """Room for a Huffman code: arrays over its symbols and then its inner nodes.

    saved: counts of the symbols in what all second texts share.
    order: the nodes as they leave the heap; the root is last.
    """

    n_symbols: int
    longest: int
    counts: Ints
    saved: Ints
    zeros: Ints
    bits: Ints
    parents: Ints
    heap: Ints
    order: Ints


class Workspace(NamedTuple):
    """Memory that a call needs."""

    text: Text
    literals: Tree
    distances: Tree
    lengths: Tree
    per_length: Ints


def new_workspace() -> Workspace:
    """Return a workspace; calls that run at the same time need one each."""
    # Room for a word that starts at the last byte.
    text = Text(
        np.zeros(MAX_BYTES + WORD_BYTES, np.int64),
        np.zeros(HASH_MASK + 1, np.uint16),
        np.zeros(MAX_BYTES, np.uint16),
    )
    return Workspace(
        text,
        _new_tree(N_LITERALS, MAX_BITS),
        _new_tree(N_DISTANCES, MAX_BITS),
        _new_tree(N_LENGTHS, MAX_LENGTH_BITS),
        np.zeros(MAX_BITS + 1, np.int64),
    )


def _new_tree(n_symbols: int, longest: int) -> Tree:
    # A tree of n leaves has n - 1 inner nodes; the heap needs a guard slot.
    rooms = [np.zeros(2 * n_symbols + 2, np.int64) for _ in range(7)]
    return Tree(n_symbols, longest, *rooms)
