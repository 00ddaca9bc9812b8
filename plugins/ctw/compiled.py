"""Compiled half of context tree weighting: find the path, weigh it, learn the bit.

A line of memory holds, for one context, the nodes of up to three bits of a byte: first the
check of its hash and the epoch in which it last went into the journal, then for each of
seven nodes its weight (32 bits, signed, from one half) and its two counts (16 bits each).
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

LINE_BYTES = 64
LINES_PER_BYTE = 3
WAYS = 4  # lines in which a context may lie
# Hashes have 62 bits, made of products of 31 bits, which never overflow.
LOW_BITS = (1 << 31) - 1
LOW_FACTOR, HIGH_FACTOR = 0x5F4A7C15, 0x4D51CB2B
SEED = 0x2545F491

ESTIMATE_BITS = 24
WEIGHT_BITS = 31
ONE = 1 << ESTIMATE_BITS
WHOLE = 1 << WEIGHT_BITS
HALF = WHOLE >> 1
# A weight never leaves 2**-20 .. 1 - 2**-20, which costs 1.4e-6 bits per node and bit.
EDGE = WHOLE >> 20
# Least probability of a bit, 2**-18.
LEAST = ONE >> 18
MAX_COUNT = (1 << 16) - 1

# Places: the path, the nodes of the byte and of its chunk, the journal, the table.
N_PATH, NODE, LOCAL, EPOCH, LATEST, N_SAVED, TABLE_BITS, N_PLACES = range(8)


def _surprises() -> NDArray[np.int32]:
    """Return the probability of the first other bit after n equal bits, in 2**-24.

    The estimate of n equal bits is half that of Krichevsky and Trofimov, K(n), and a
    quarter (Willems and Tjalkens 1997, section 5.5), so that this is
    K(n) / (2 n + 2) / (K(n) + 1/2); below 2**-18 it stays there.
    """
    surprises: list[int] = []
    # Of 256 bits, so that no rounding shows in the 24 bits of a result.
    unit = k = 1 << 256
    while not surprises or surprises[-1] > LEAST:
        n = len(surprises)
        # For n = 0 the other quarter belongs to the other bit: an even chance.
        surprise = ONE * k // (2 * n + 2) // (k + unit // 2) if n else ONE >> 1
        surprises.append(max(LEAST, surprise))
        k = k * (2 * n + 1) // (2 * n + 2)
    return np.array(surprises, np.int32)


SURPRISES = _surprises()


class Model(NamedTuple):
    """Context trees and their journal, in arrays that are changed in place.

    Attributes:
        source: see `source_of`.
        checks, counts, quads: the table as integers of 32, 16 and 64 bits.
        journal: lines as they were before they changed: the line, and its content.
        places: see N_PATH ...
        marks: places as they were when each level was opened.
        recent: the last bytes, the latest first.
        saved_recent: a copy per level.
        hashes, lines: per depth, of the byte and of the chunk being coded.
        estimates, children: per depth, probabilities of a 1 from the node and below it.
    """

    source: NDArray[Any]
    checks: NDArray[np.int32]
    counts: NDArray[np.uint16]
    quads: Ints
    journal: Ints
    places: Ints
    marks: Ints
    recent: Bytes
    saved_recent: Bytes
    hashes: Ints
    lines: Ints
    estimates: Ints
    children: Ints


@compiled
def learn(m: Model, data: Bytes) -> None:
    """See bytes that the decoder has."""
    for symbol in data:
        _begin_byte(m)
        for shift in range(7, -1, -1):
            _predict(m)
            _learn_bit(m, int((np.int64(symbol) >> shift) & 1))
        _end_byte(m)


@compiled
def encode(m: Model, registers: Ints, data: Bytes, code: Bytes) -> None:
    """Code bytes, and see them."""
    for symbol in data:
        _begin_byte(m)
        for shift in range(7, -1, -1):
            bit = int((np.int64(symbol) >> shift) & 1)
            middle = (registers[SIZE] >> ESTIMATE_BITS) * _predict(m)
            if bit:
                encode_part(registers, code, 0, middle)
            else:
                encode_part(registers, code, middle, registers[SIZE])
            _learn_bit(m, bit)
        _end_byte(m)


@compiled
def decode(m: Model, registers: Ints, code: Bytes, data: Bytes) -> None:
    """Fill `data` with the bytes coded, and see them."""
    for i in range(len(data)):
        _begin_byte(m)
        for _ in range(8):
            middle = (registers[SIZE] >> ESTIMATE_BITS) * _predict(m)
            bit = 1 if registers[LOW] < middle else 0
            if bit:
                decode_part(registers, code, 0, middle)
            else:
                decode_part(registers, code, middle, registers[SIZE])
            _learn_bit(m, bit)
        data[i] = m.places[NODE] & 0xFF
        _end_byte(m)


@compiled
def _begin_byte(m: Model) -> None:
    """Hash the contexts of all depths."""
    m.places[NODE] = 1
    m.hashes[0] = SEED
    for d in range(len(m.recent)):
        # One more, so that a zero byte changes the hash as well.
        m.hashes[d + 1] = _mixed(m.hashes[d] ^ (np.int64(m.recent[d]) + 1))
    _find_path(m)


@compiled
def _end_byte(m: Model) -> None:
    """Move past the byte whose bits have been learned."""
    for d in range(len(m.recent) - 1, 0, -1):
        m.recent[d] = m.recent[d - 1]
    if len(m.recent):
        m.recent[0] = m.places[NODE] & 0xFF


@compiled
def _mixed(value: int) -> int:
    """Spread a value over 62 bits."""
    for _ in range(2):
        value = ((value & LOW_BITS) * LOW_FACTOR) ^ ((value >> 31) * HIGH_FACTOR)
        # The upper half depends on every bit: it becomes the lower half.
        value = (value >> 31) | ((value & LOW_BITS) << 31)
    return value


@compiled
def _find_path(m: Model) -> None:
    """Look up the lines of all depths for the next bits; stop where there is no room."""
    m.places[LOCAL] = 1
    chunk = m.places[NODE] << 40
    m.places[N_PATH] = 0
    for d in range(len(m.lines)):
        line = _find_line(m, _mixed(m.hashes[d] ^ chunk))
        if line < 0:
            break
        m.lines[d] = line
        m.places[N_PATH] = d + 1


@compiled
def _find_line(m: Model, hashed: int) -> int:
    """Return the line of a context, made if it is new, or -1 where there is no room."""
    # Zero marks an empty line.
    check = (hashed & LOW_BITS) | 1
    n_bits = m.places[TABLE_BITS] - 6
    first = (hashed >> 31) & ((1 << n_bits) - 1) & ~(WAYS - 1)
    for line in range(first, first + WAYS):
        entry = m.checks[16 * line]
        if entry == check:
            _touch(m, line)
            return int(line)
        if entry == 0:
            _touch(m, line)
            m.checks[16 * line] = check
            return int(line)
    return -1


@compiled
def _predict(m: Model) -> int:
    """Return the weighted probability of a 1, in 2**-24, from the leaf up to the root."""
    p, local = ONE >> 1, m.places[LOCAL]
    for d in range(m.places[N_PATH] - 1, -1, -1):
        node = 8 * m.lines[d] + local
        zeros, ones = (
            int(np.int64(m.counts[4 * node])),
            int(np.int64(m.counts[4 * node + 1])),
        )
        estimate = _estimate(zeros, ones)
        if d == m.places[N_PATH] - 1:
            p = estimate
        m.estimates[d], m.children[d] = estimate, p
        weight = m.checks[2 * node + 1] + HALF
        p = (weight * estimate + (WHOLE - weight) * p) >> WEIGHT_BITS
    return p


@compiled
def _estimate(zeros: int, ones: int) -> int:
    """Return the probability of a 1 after these counts."""
    if zeros and ones:
        # Krichevsky and Trofimov: (ones + 1/2) / (n + 1).
        return _quotient((2 * ones + 1) << (ESTIMATE_BITS - 1), zeros + ones + 1)
    n = min(zeros + ones, len(SURPRISES) - 1)
    surprise = int(np.int64(SURPRISES[n]))
    return ONE - surprise if ones else surprise


@compiled
def _learn_bit(m: Model, bit: int) -> None:
    """Update weights and counts along the path, and move to the next bit."""
    local = m.places[LOCAL]
    for d in range(m.places[N_PATH]):
        node = 8 * m.lines[d] + local
        estimate, child = m.estimates[d], m.children[d]
        if not bit:
            estimate, child = ONE - estimate, ONE - child
        weight = m.checks[2 * node + 1] + HALF
        share = weight * estimate
        both = (share + (WHOLE - weight) * child) >> ESTIMATE_BITS
        # Bayes: the share of the node's own estimate in what came.
        weight = _quotient(share << (WEIGHT_BITS - ESTIMATE_BITS), both)
        m.checks[2 * node + 1] = max(EDGE, min(WHOLE - EDGE, weight)) - HALF
        _count(m, 4 * node + (1 if bit else 0), 4 * node)
    m.places[NODE] = 2 * m.places[NODE] + bit
    m.places[LOCAL] = 2 * local + bit
    if m.places[LOCAL] >= 8 and m.places[NODE] < 256:
        _find_path(m)


@compiled
def _count(m: Model, at: int, pair: int) -> None:
    """Add one to a count; halve both of the pair where it is full."""
    if m.counts[at] == MAX_COUNT:
        # Rounded up: a bit that has come once never becomes one that has not.
        m.counts[pair] -= m.counts[pair] >> 1
        m.counts[pair + 1] -= m.counts[pair + 1] >> 1
    m.counts[at] += 1


@compiled
def _quotient(numerator: int, denominator: int) -> int:
    """Divide positive integers, rounding down."""
    # Unsigned division has no sign to look at, and is faster.
    return int(np.int64(np.uint64(numerator) // np.uint64(denominator)))


@compiled
def _touch(m: Model, line: int) -> None:
    """Note a line that is about to change, once per epoch."""
    epoch = m.places[EPOCH]
    if m.checks[16 * line + 1] == epoch:
        return
    k = m.places[N_SAVED]
    m.journal[k, 0] = line
    for i in range(8):
        m.journal[k, 1 + i] = m.quads[8 * line + i]
    m.checks[16 * line + 1] = epoch
    m.places[N_SAVED] = k + 1


@compiled
def open_level(m: Model, level: int) -> None:
    """Begin to note changes, to be undone by `rewind`."""
    for i in range(N_PLACES):
        m.marks[level, i] = m.places[i]
    for d in range(len(m.recent)):
        m.saved_recent[level, d] = m.recent[d]
    _begin_epoch(m)


@compiled
def rewind(m: Model, level: int) -> None:
    """Undo all changes since the level was opened; it stays open."""
    for k in range(m.places[N_SAVED] - 1, m.marks[level, N_SAVED] - 1, -1):
        line = m.journal[k, 0]
        for i in range(8):
            m.quads[8 * line + i] = m.journal[k, 1 + i]
    latest = m.places[LATEST]
    for i in range(N_PLACES):
        m.places[i] = m.marks[level, i]
    for d in range(len(m.recent)):
        m.recent[d] = m.saved_recent[level, d]
    # Numbers of epochs are never used again, since lines keep those of other levels.
    m.places[LATEST] = latest
    _begin_epoch(m)


@compiled
def _begin_epoch(m: Model) -> None:
    m.places[LATEST] += 1
    m.places[EPOCH] = m.places[LATEST]
