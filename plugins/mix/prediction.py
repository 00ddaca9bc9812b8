"""Predict a bit and learn it: logistic mixing (Mahoney 2005, "Adaptive weighing of
context models for lossless data compression"), refined by adaptive probability maps.
"""  # noqa: D205  (the title of a paper is long)

import numpy as np
from numpy.typing import NDArray

from .contexts import mixed
from .journal import touch
from .layout import (
    APM_AT,
    APM_CELL,
    APM_CELLS,
    APM_ROWS,
    COUNT_BITS,
    EXPECTED,
    FINAL_P,
    HISTORY,
    MATCH_AT,
    MATCH_CELL,
    MATCH_LENGTH,
    N_CHOICES,
    N_MATCH_STATES,
    N_SETS,
    N_STATES,
    NODE,
    ONE,
    POS,
    PROBABILITY_BITS,
    ROW,
    SET_P,
    Index,
    Model,
    inlined,
)
from .tables import STRETCH_LIMIT

CONTEXT_LIMIT = 255  # how many bits an adaptive probability looks back
MATCH_LIMIT = 1023
APM_STEP = 188  # log-odds between two cells of a map
APM_SHIFT = 6
DOT_LIMIT = 2047
BIAS = 256
ROUND = 1 << 23

# The learning rate falls from 38 to 8 while the text grows past 4,000 bytes.
RATE, RATE_AT_START, RATE_BYTES = 8, 30, 4000
FINAL_RATE = 16


@inlined
def predict(m: Model) -> int:
    """Return the probability of a 1 as the next bit, in 1/65536, within 1 .. 65535."""
    n_known = _n_bits(m.registers[NODE])
    n_familiar = _gather(m, n_known)
    _gather_match(m, n_known)
    return _refine(m, _mix(m, n_familiar))


@inlined
def learn(m: Model, bit: int) -> None:
    """Move everything that took part in the prediction towards the observed bit."""
    for i in range(Index(len(m.cells))):
        cell = Index(m.cells[i])
        # The map learns of the history before the bit, which made the prediction.
        state = int(m.memory[cell])
        _adapt(m, N_STATES * i + state, bit, CONTEXT_LIMIT)
        m.memory[cell] = m.constants.following[Index(state), Index(bit)]
    _learn_match(m, bit)
    _train(m, bit)
    _learn_maps(m, bit)
    m.registers[NODE] = (m.registers[NODE] << 1) | bit


@inlined
def _gather(m: Model, n_known: int) -> int:
    """Fill two inputs per context, log-odds and probability around 0.

    Returns:
        Number of contexts that were met before.
    """
    node = m.registers[NODE]
    # Path within a half byte, led by a 1: the number of a node in a block.
    top = 1 << (n_known & 3)
    inner = (node & (top - 1)) | top
    n_familiar = 0
    for i in range(Index(len(m.blocks))):
        cell = m.blocks[i] + inner
        m.cells[i] = cell
        state = int(m.memory[Index(cell)])
        log_odds, centred = 0, 0
        if state:
            n_familiar += 1
            value = m.maps[Index(N_STATES * i + state)]
            p = value >> (COUNT_BITS + PROBABILITY_BITS - 12)
            log_odds, centred = int(m.constants.stretch[Index(p)]), p - 2048
        m.inputs[Index(2 * i)], m.inputs[Index(2 * i + 1)] = log_odds, centred
    return n_familiar


@inlined
def _n_bits(node: int) -> int:
    """Return how many bits of the byte are known."""
    n = 0
    while node >> (n + 1):
        n += 1
    return n


@inlined
def _gather_match(m: Model, n_known: int) -> None:
    """Fill the two inputs of the match, and end the match if its last guess was wrong."""
    r = m.registers
    at = Index(2 * len(m.blocks))
    m.inputs[at], m.inputs[Index(at + 1)], m.inputs[Index(at + 2)] = 0, 0, BIAS
    r[EXPECTED] = -1
    if r[MATCH_LENGTH] == 0:
        return
    guess = int(m.text[Index(r[MATCH_AT])]) | 0x100
    if guess >> (8 - n_known) != r[NODE]:
        r[MATCH_LENGTH] = 0
        return
    r[EXPECTED] = (guess >> (7 - n_known)) & 1
    cell = N_STATES * len(m.blocks) + _match_state(r[MATCH_LENGTH])
    m.scratch[MATCH_CELL] = cell
    p = m.maps[Index(cell)] >> (COUNT_BITS + PROBABILITY_BITS - 12)
    # The map says how far the match is right; the sign turns it to a 1 or a 0.
    sign = 2 * r[EXPECTED] - 1
    m.inputs[at] = sign * m.constants.stretch[Index(p)]
    m.inputs[Index(at + 1)] = sign * (p - 2048)


@inlined
def _match_state(length: int) -> int:
    if length < 16:
        return length
    return min(16 + ((length - 16) >> 3), N_MATCH_STATES - 1)


@inlined
def _mix(m: Model, n_familiar: int) -> int:
    """Return the log-odds of a 1 by the final mixer over all sets, in 1/256."""
    r, s, squash = m.registers, m.scratch, m.constants.squash
    s[ROW], s[ROW + 1] = r[NODE], r[HISTORY] & 0xFF
    s[ROW + 2] = _trust(m, n_familiar)
    total = 0
    for k in range(N_SETS):
        s[ROW + k] = (k * N_CHOICES + s[ROW + k]) * len(m.inputs)
        dot = _dot(m.inputs, m.weights, s[ROW + k]) >> 16
        m.dots[k] = max(-DOT_LIMIT, min(DOT_LIMIT, dot))
        s[SET_P + k] = squash[Index(m.dots[k] + STRETCH_LIMIT)]
        total += int(m.dots[k] * m.final[Index(N_SETS * r[NODE] + k)])
    x = max(-STRETCH_LIMIT, min(STRETCH_LIMIT, total >> 16))
    s[FINAL_P] = squash[Index(x + STRETCH_LIMIT)]
    return x


@inlined
def _trust(m: Model, n_familiar: int) -> int:
    """Return a row of weights by the number of familiar contexts and the match length."""
    match = 0
    if m.registers[EXPECTED] >= 0:
        match = 1 + (min(_match_state(m.registers[MATCH_LENGTH]), 29) >> 1)
    return 16 * match + n_familiar


@inlined
def _dot(inputs: NDArray[np.int32], weights: NDArray[np.int32], at: int) -> int:
    start, total = Index(at), 0
    for i in range(Index(len(inputs))):
        total += int(inputs[i]) * int(weights[start + i])
    return total


@inlined
def _refine(m: Model, x: int) -> int:
    """Return the probability of a 1 after maps of order 1 and 3."""
    r = m.registers
    near = r[NODE] | ((r[HISTORY] & 0xFF) << 8)
    far = mixed(r[NODE] | ((r[HISTORY] & 0xFFFFFF) << 8)) >> 20
    total = 2 * m.scratch[FINAL_P] + 2
    total += _look_up(m, 0, near, x)
    total += _look_up(m, 1, APM_ROWS + (far & (APM_ROWS - 1)), x)
    return int(max(1, min(ONE - 1, total >> 2)))


@inlined
def _look_up(m: Model, k: int, row: int, x: int) -> int:
    """Return the final mixer's probability plus what the map adds at log-odds x."""
    # Never negative; a signed division would round its quotient in more instructions.
    position = Index(x + STRETCH_LIMIT)
    cell, weight = int(position // Index(APM_STEP)), int(position % Index(APM_STEP))
    at = m.setup[APM_AT] + row * APM_CELLS + cell
    low, high = np.int64(m.shorts[Index(at)]), np.int64(m.shorts[Index(at + 1)])
    added = (low * (APM_STEP - weight) + high * weight) // APM_STEP
    m.scratch[APM_CELL + k] = at + (1 if 2 * weight > APM_STEP else 0)
    return int(max(0, min(ONE - 1, m.scratch[FINAL_P] + added)))


@inlined
def _adapt(m: Model, cell: int, bit: int, limit: int) -> None:
    """Move an adaptive probability by 1 / (n + 1.5) of its error."""
    value = np.int64(m.maps[Index(cell)])
    n, p = value & ((1 << COUNT_BITS) - 1), value >> COUNT_BITS
    target = (bit << PROBABILITY_BITS) - bit
    p += ((target - p) * m.constants.reciprocal[Index(n)]) >> 16
    m.maps[Index(cell)] = (p << COUNT_BITS) | min(n + 1, limit)


@inlined
def _learn_match(m: Model, bit: int) -> None:
    if m.registers[EXPECTED] < 0:
        return
    hit = 1 if m.registers[EXPECTED] == bit else 0
    _adapt(m, m.scratch[MATCH_CELL], hit, MATCH_LIMIT)
    if not hit:
        m.registers[MATCH_LENGTH] = 0


@inlined
def _train(m: Model, bit: int) -> None:
    """Move the weights of every mixer down the gradient of its own code length."""
    s = m.scratch
    rate = RATE + RATE_AT_START * RATE_BYTES // (RATE_BYTES + m.registers[POS])
    for k in range(N_SETS):
        error = ((bit << 16) - s[SET_P + k]) * rate
        _descend(m.inputs, m.weights, s[ROW + k], error)
    error = ((bit << 16) - s[FINAL_P]) * FINAL_RATE
    for k in range(N_SETS):
        change = (m.dots[k] * error + ROUND) >> 24
        m.final[Index(N_SETS * m.registers[NODE] + k)] += change


@inlined
def _descend(
    inputs: NDArray[np.int32], weights: NDArray[np.int32], at: int, error: int
) -> None:
    start = Index(at)
    for i in range(Index(len(inputs))):
        weights[start + i] += (np.int64(inputs[i]) * error + ROUND) >> 24


@inlined
def _learn_maps(m: Model, bit: int) -> None:
    """Move the nearest cell of each map towards what would have been right to add."""
    # A map adds to the probability; it learns the difference that was missing.
    target = bit * (ONE - 1) - m.scratch[FINAL_P]
    for k in range(2):
        at = Index(m.scratch[APM_CELL + k])
        touch(m, m.scratch[APM_CELL + k] >> 5)
        moved = m.shorts[at] + ((target - m.shorts[at]) >> APM_SHIFT)
        m.shorts[at] = max(-ONE // 2, min(ONE // 2 - 1, moved))
