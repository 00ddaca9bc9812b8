"""Compiled half of LZ78: find the next symbol in the tree, code it, grow the tree.

The children of a node are a list, the latest first, which makes the common ones quick to
find. The interval of a node has the children seen, in the order of the list, and then all
other symbols in order.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._sequential.coder import (
    LOW,
    SIZE,
    Bytes,
    Ints,
    compiled,
    decode_part,
    encode_part,
)

# Columns of a node: how often it was entered and left, its children, its symbol.
ENTERED, TOTAL, FIRST, NEXT, SYMBOL, N_COLUMNS = range(6)

# Places: where the parse stands, and the fields of the compressor.
NODE, N_NODES, N_CHANGES, OLD_NODES, INVERSE_GAMMA, MAX_NODES, N_PLACES = range(7)

EMPTY = -1
N_SYMBOLS = 256


class Model(NamedTuple):
    """Tree and its journal, in arrays that are changed in place.

    Attributes:
        source: see `source_of`.
        nodes: the tree; row 0 is the root.
        changes: node, column and earlier value of cells changed since a level was opened.
        places: see NODE ...
        marks: places as they were when each level was opened.
        absent: scratch of a byte per symbol.
    """

    source: NDArray[Any]
    nodes: NDArray[np.int32]
    changes: NDArray[np.int32]
    places: Ints
    marks: Ints
    absent: Bytes


@compiled
def learn(m: Model, data: Bytes) -> None:
    """See bytes that the decoder has."""
    for byte in data:
        symbol = int(np.int64(byte))
        node = m.places[NODE]
        before, child = EMPTY, _cell(m, node, FIRST)
        while child != EMPTY and m.nodes[child, SYMBOL] != symbol:
            before, child = child, _cell(m, child, NEXT)
        _advance(m, before, child, symbol)


@compiled
def encode(m: Model, registers: Ints, data: Bytes, code: Bytes) -> None:
    """Code bytes, and see them."""
    for byte in data:
        symbol = int(np.int64(byte))
        node, bold = m.places[NODE], m.places[INVERSE_GAMMA]
        before, child = EMPTY, _cell(m, node, FIRST)
        start, n_below = 0, 0
        while child != EMPTY and m.nodes[child, SYMBOL] != symbol:
            start += bold * _cell(m, child, ENTERED) + 1
            n_below += 1 if m.nodes[child, SYMBOL] < symbol else 0
            before, child = child, _cell(m, child, NEXT)
        if child == EMPTY:
            # Symbols that have children lie before, and are not in this part.
            start, size = start + symbol - n_below, 1
        else:
            size = bold * _cell(m, child, ENTERED) + 1
        unit = _unit(m, registers)
        encode_part(registers, code, unit * start, unit * (start + size))
        _advance(m, before, child, symbol)


@compiled
def decode(m: Model, registers: Ints, code: Bytes, data: Bytes) -> None:
    """Fill `data` with the bytes coded, and see them."""
    for i in range(len(data)):
        node, bold = m.places[NODE], m.places[INVERSE_GAMMA]
        unit = _unit(m, registers)
        # A damaged code may point behind the last symbol.
        target = min(
            registers[LOW] // unit, bold * _cell(m, node, TOTAL) + N_SYMBOLS - 1
        )
        before, child, start = EMPTY, _cell(m, node, FIRST), 0
        while child != EMPTY and start + bold * _cell(m, child, ENTERED) + 1 <= target:
            start += bold * _cell(m, child, ENTERED) + 1
            before, child = child, _cell(m, child, NEXT)
        if child == EMPTY:
            symbol, size = _absent_symbol(m, target - start), 1
            start = target
        else:
            symbol = _cell(m, child, SYMBOL)
            size = bold * _cell(m, child, ENTERED) + 1
        decode_part(registers, code, unit * start, unit * (start + size))
        data[i] = symbol
        _advance(m, before, child, symbol)


@compiled
def _cell(m: Model, node: int, column: int) -> int:
    """Return a cell of the tree as an integer of 64 bits."""
    # Products of integers of 32 bits with gamma could overflow.
    return int(np.int64(m.nodes[node, column]))


@compiled
def _unit(m: Model, registers: Ints) -> int:
    """Return the width of a count of one over `INVERSE_GAMMA`."""
    total = m.places[INVERSE_GAMMA] * m.nodes[m.places[NODE], TOTAL] + N_SYMBOLS
    return int(registers[SIZE] // total)


@compiled
def _absent_symbol(m: Model, rank: int) -> int:
    """Return the symbol of this rank among those that never followed the node."""
    m.absent[:] = 1
    child = m.nodes[m.places[NODE], FIRST]
    while child != EMPTY:
        m.absent[m.nodes[child, SYMBOL]] = 0
        child = m.nodes[child, NEXT]
    symbol = 0
    while rank or not m.absent[symbol]:
        rank -= m.absent[symbol]
        symbol += 1
    return symbol


@compiled
def _advance(m: Model, before: int, child: int, symbol: int) -> None:
    """Count a symbol and go to its node; a new node ends the phrase."""
    places, nodes = m.places, m.nodes
    node = places[NODE]
    if child != EMPTY:
        _set(m, node, TOTAL, nodes[node, TOTAL] + 1)
        _set(m, child, ENTERED, nodes[child, ENTERED] + 1)
        if before != EMPTY:
            _set(m, before, NEXT, nodes[child, NEXT])
            _set(m, child, NEXT, nodes[node, FIRST])
            _set(m, node, FIRST, child)
        places[NODE] = child
        return
    places[NODE] = 0
    if places[N_NODES] > places[MAX_NODES]:
        # The count of a symbol is that of its node, so that there is none without it.
        return
    new = places[N_NODES]
    places[N_NODES] += 1
    nodes[new, ENTERED], nodes[new, TOTAL], nodes[new, FIRST] = 1, 0, EMPTY
    nodes[new, NEXT], nodes[new, SYMBOL] = nodes[node, FIRST], symbol
    _set(m, node, TOTAL, nodes[node, TOTAL] + 1)
    _set(m, node, FIRST, new)


@compiled
def _set(m: Model, node: int, column: int, value: int) -> None:
    """Change a cell, and note its earlier value unless the node is newer than the level."""
    if node < m.places[OLD_NODES]:
        k = m.places[N_CHANGES]
        m.changes[k, 0], m.changes[k, 1] = node, column
        m.changes[k, 2] = m.nodes[node, column]
        m.places[N_CHANGES] = k + 1
    m.nodes[node, column] = value


@compiled
def open_level(m: Model, level: int) -> None:
    """Begin to note changes, to be undone by `rewind`."""
    m.places[OLD_NODES] = m.places[N_NODES]
    for i in range(N_PLACES):
        m.marks[level, i] = m.places[i]


@compiled
def rewind(m: Model, level: int) -> None:
    """Undo all changes since the level was opened; it stays open."""
    for k in range(m.places[N_CHANGES] - 1, m.marks[level, N_CHANGES] - 1, -1):
        m.nodes[m.changes[k, 0], m.changes[k, 1]] = m.changes[k, 2]
    for i in range(N_PLACES):
        m.places[i] = m.marks[level, i]
