"""What the model looks at before a byte: hashed contexts, their blocks, and the match.

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
    Model,
    compiled,
)

MATCH_MIN = 6
MATCH_MAX = 400
N_NEIGHBOURHOODS = 6
HASH_FACTOR = 0x1E3779B97F4A7C15
NODE_FACTOR = 0x3D4D51CB2A7F
WORD_FACTOR = 0x2F0B4C47


@compiled
def begin_byte(m: Model) -> None:
    """Prepare for the first half of the next byte."""
    m.registers[NODE] = 1
    _find_match(m)
    _hash_contexts(m)
    find_blocks(m)


@compiled
def end_byte(m: Model) -> None:
    """Move past the byte whose bits have been learned."""
    r = m.registers
    symbol = r[NODE] & 0xFF
    m.text[r[POS]] = symbol
    r[POS] += 1
    r[HISTORY] = (r[HISTORY] << 8) | symbol
    letter = symbol | 0x20
    if 97 <= letter <= 122 or symbol >= 128:
        r[WORD] = (r[WORD] + letter) * WORD_FACTOR + 1
    elif r[WORD]:
        r[LAST_WORD], r[WORD] = r[WORD], 0


@compiled
def find_blocks(m: Model) -> None:
    """Look up the blocks of all contexts for the next half byte."""
    first = m.registers[NODE] * NODE_FACTOR
    for i in range(len(m.blocks)):
        m.blocks[i] = _find_block(m, mixed(m.hashes[i] + first))


@compiled
def _find_block(m: Model, hashed: int) -> int:
    """Return where a block lies; if it is new, the least used of its line makes room."""
    check = hashed & 0xFF
    first = ((hashed >> 20) & ((1 << m.setup[BLOCK_BITS]) - 1)) & ~3
    touch(m, first >> 2)
    worst, least = 0, 256
    for i in range(4):
        at = (first + i) << 4
        # States are numbered by how much they have seen; 0 has seen nothing.
        seen = int(m.memory[at + 1])
        if m.memory[at] == check and seen:
            return int(at)
        if seen < least:
            worst, least = at, seen
    m.memory[worst] = check
    for i in range(1, 16):
        m.memory[worst + i] = 0
    return int(worst)


@compiled
def mixed(value: int) -> int:
    """Spread a value over 64 bits."""
    value = value * HASH_FACTOR
    return value ^ (value >> 29)


@compiled
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


@compiled
def _tagged(value: int, kind: int) -> int:
    """Hash a value apart from those of other kinds of context."""
    return mixed(value + (kind << 56))


@compiled
def _hash_neighbours(m: Model, n: int) -> None:
    """Hash what lies around the next pixel, row by row of `WIDTH` bytes."""
    pos, width = m.registers[POS], m.setup[WIDTH]
    if pos > 2 * width:
        left, top = int(m.text[pos - 1]), int(m.text[pos - width])
        top_left, top_right = m.text[pos - width - 1], m.text[pos - width + 1]
        top_left, top_right = int(top_left), int(top_right)
        second = int(m.text[pos - 2 * width])
    else:
        left = top = top_left = top_right = second = 0
    plane = max(0, min(255, left + top - top_left))
    coarse = (left >> 3) | (top & 0xF8) << 2 | (top_left & 0xF8) << 7
    m.hashes[n] = _tagged(left | (top << 8), 9)
    m.hashes[n + 1] = _tagged(left | (top << 8) | (top_left << 16), 10)
    m.hashes[n + 2] = _tagged(coarse | (top_right & 0xF8) << 12, 11)
    m.hashes[n + 3] = _tagged((pos % m.setup[AREA]) << 2 | (top >> 6), 12)
    m.hashes[n + 4] = _tagged(plane | (top_right >> 5) << 8, 13)
    m.hashes[n + 5] = _tagged(top | (second << 8), 14)


@compiled
def _find_match(m: Model) -> None:
    """Follow the match, or look for the latest place with the same 6 bytes before it."""
    r = m.registers
    pos = r[POS]
    if r[MATCH_LENGTH] and m.text[r[MATCH_AT]] == m.text[pos - 1]:
        r[MATCH_LENGTH] = min(r[MATCH_LENGTH] + 1, MATCH_MAX)
        r[MATCH_AT] += 1
    else:
        r[MATCH_LENGTH] = 0
    if pos < MATCH_MIN:
        return
    recent = r[HISTORY] & ((1 << (8 * MATCH_MIN)) - 1)
    slot = (mixed(recent) >> 20) & ((1 << m.setup[HEAD_BITS]) - 1)
    head = m.setup[HEADS_AT] + slot
    if r[MATCH_LENGTH] == 0:
        r[MATCH_AT] = m.words[head]
        r[MATCH_LENGTH] = _common_length(m, r[MATCH_AT], pos)
    touch(m, head >> 4)
    m.words[head] = pos


@compiled
def _common_length(m: Model, a: int, b: int) -> int:
    """Return how many bytes before two places of the text agree."""
    n = 0
    while n < MATCH_MAX and a > n and m.text[a - 1 - n] == m.text[b - 1 - n]:
        n += 1
    return n
