"""Contexts of the next byte: their hashes, their blocks of bit histories, and the match.

A block holds the bit histories of the 15 nodes of a half byte, after a check of its hash;
four blocks make a line of memory.
"""

from .journal import touch
from .layout import (
    AREA,
    BLOCK_BITS,
    HEAD_BITS,
    HEADS_AT,
    HISTORY,
    LAST_WORD,
    MATCH_AT,
    MATCH_LENGTH,
    NODE,
    ORDER,
    POS,
    WIDTH,
    WORD,
    WORDS,
    Index,
    Model,
    inlined,
)

MATCH_MIN = 6
MATCH_MAX = 400
N_NEIGHBOURHOODS = 6
HASH_FACTOR = 0x1E3779B97F4A7C15
NODE_FACTOR = 0x3D4D51CB2A7F
WORD_FACTOR = 0x2F0B4C47


@inlined
def begin_byte(m: Model) -> None:
    """Prepare the model for the first half of the next byte."""
    m.registers[NODE] = 1
    _find_match(m)
    _hash_contexts(m)
    find_blocks(m)


@inlined
def end_byte(m: Model) -> None:
    """Move past the byte whose bits have been learned."""
    r = m.registers
    symbol = r[NODE] & 0xFF
    m.text[Index(r[POS])] = symbol
    r[POS] += 1
    r[HISTORY] = (r[HISTORY] << 8) | symbol
    letter = symbol | 0x20
    # Bytes from 128 on are letters too: parts of UTF-8 or of a Latin alphabet.
    if 97 <= letter <= 122 or symbol >= 128:
        r[WORD] = (r[WORD] + letter) * WORD_FACTOR + 1
    elif r[WORD]:
        r[LAST_WORD], r[WORD] = r[WORD], 0


@inlined
def find_blocks(m: Model) -> None:
    """Look up the blocks of all contexts for the next half byte."""
    first = m.registers[NODE] * NODE_FACTOR
    for i in range(Index(len(m.blocks))):
        m.blocks[i] = _find_block(m, mixed(m.hashes[i] + first))


@inlined
def _find_block(m: Model, hashed: int) -> int:
    """Return where a block lies; if it is new, the least used of its line makes room."""
    check = hashed & 0xFF
    # Four blocks of 16 bytes make a cache line: all four ways cost one miss.
    first = ((hashed >> 20) & ((1 << m.setup[BLOCK_BITS]) - 1)) & ~3
    touch(m, first >> 2)
    worst, least = 0, 256
    for i in range(4):
        at = (first + i) << 4
        # States are numbered by how much they have seen; 0 has seen nothing.
        state = int(m.memory[Index(at + 1)])
        if m.memory[Index(at)] == check and state:
            return int(at)
        if state < least:
            worst, least = at, state
    m.memory[Index(worst)] = check
    for i in range(1, 16):
        m.memory[Index(worst + i)] = 0
    return int(worst)


@inlined
def mixed(value: int) -> int:
    """Spread a value over 64 bits."""
    value = value * HASH_FACTOR
    return value ^ (value >> 29)


@inlined
def _hash_contexts(m: Model) -> None:
    """Hash the last bytes, the words and the pixels around."""
    history = m.registers[HISTORY]
    n = m.setup[ORDER] + 1
    for o in range(n):
        m.hashes[o] = _tagged(history & ((1 << (8 * o)) - 1), o)
    if m.setup[WORDS]:
        word = m.registers[WORD]
        m.hashes[n] = _tagged(word, 7)
        m.hashes[n + 1] = _tagged(word * 31 + m.registers[LAST_WORD], 8)
        n += 2
    if m.setup[WIDTH]:
        _hash_neighbours(m, n)


@inlined
def _tagged(value: int, kind: int) -> int:
    """Return a hash that no other kind of context shares for the same value."""
    return mixed(value + (kind << 56))


@inlined
def _hash_neighbours(m: Model, n: int) -> None:
    """Hash the causal neighbours of the next pixel, in rows of `WIDTH` bytes."""
    pos, width = m.registers[POS], m.setup[WIDTH]
    if pos > 2 * width:
        west, north = int(m.text[pos - 1]), int(m.text[pos - width])
        north_west = int(m.text[pos - width - 1])
        north_east = int(m.text[pos - width + 1])
        second_north = int(m.text[pos - 2 * width])
    else:
        # The first two rows have no complete neighbourhood.
        west = north = north_west = north_east = second_north = 0
    # Linear extrapolation of the three nearest pixels.
    plane = max(0, min(255, west + north - north_west))
    # Five bits a pixel: similar neighbourhoods share their statistics.
    coarse = (west >> 3) | (north & 0xF8) << 2 | (north_west & 0xF8) << 7
    m.hashes[n] = _tagged(west | (north << 8), 9)
    m.hashes[n + 1] = _tagged(west | (north << 8) | (north_west << 16), 10)
    m.hashes[n + 2] = _tagged(coarse | (north_east & 0xF8) << 12, 11)
    m.hashes[n + 3] = _tagged((pos % m.setup[AREA]) << 2 | (north >> 6), 12)
    m.hashes[n + 4] = _tagged(plane | (north_east >> 5) << 8, 13)
    m.hashes[n + 5] = _tagged(north | (second_north << 8), 14)


@inlined
def _find_match(m: Model) -> None:
    """Follow the match, or look for the latest place with the same 6 bytes before it."""
    r = m.registers
    pos = r[POS]
    if r[MATCH_LENGTH] and m.text[Index(r[MATCH_AT])] == m.text[Index(pos - 1)]:
        r[MATCH_LENGTH] = min(r[MATCH_LENGTH] + 1, MATCH_MAX)
        r[MATCH_AT] += 1
    else:
        r[MATCH_LENGTH] = 0
    if pos < MATCH_MIN:
        return
    # `mixed` moves entropy upwards, so that the low bits of its product are the weakest.
    recent = r[HISTORY] & ((1 << (8 * MATCH_MIN)) - 1)
    slot = (mixed(recent) >> 20) & ((1 << m.setup[HEAD_BITS]) - 1)
    head = m.setup[HEADS_AT] + slot
    if r[MATCH_LENGTH] == 0:
        r[MATCH_AT] = m.words[Index(head)]
        r[MATCH_LENGTH] = _common_length(m, r[MATCH_AT], pos)
    touch(m, head >> 4)
    m.words[Index(head)] = pos


@inlined
def _common_length(m: Model, a: int, b: int) -> int:
    """Return how many bytes before two places of the text agree."""
    n = 0
    while (
        n < MATCH_MAX and a > n and m.text[Index(a - 1 - n)] == m.text[Index(b - 1 - n)]
    ):
        n += 1
    return n
