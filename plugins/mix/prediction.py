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
    Model,
    compiled,
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


@compiled
def predict(m: Model) -> int:
    """Return the probability of a 1 as the next bit, in 1/65536, within 1 .. 65535."""
    _gather(m)
    _gather_match(m)
    return _refine(m, _mix(m))


@compiled
def learn(m: Model, bit: int) -> None:
    """Move everything that took part in the prediction towards the bit that came."""
    for i in range(len(m.cells)):
        cell = m.cells[i]
        state = int(m.memory[cell])
        _adapt(m, N_STATES * i + state, bit, CONTEXT_LIMIT)
        m.memory[cell] = m.constants.following[state, bit]
    _learn_match(m, bit)
    _train(m, bit)
    _learn_maps(m, bit)
    m.registers[NODE] = (m.registers[NODE] << 1) | bit


@compiled
def _gather(m: Model) -> None:
    """Find two inputs of the mixers per context: log-odds, and probability around 0."""
    node = m.registers[NODE]
    # The path within a half byte, led by a 1.
    inner = node
    if node >= 16:
        top = 1 << (_n_bits(node) - 4)
        inner = (node & (top - 1)) | top
    for i in range(len(m.blocks)):
        cell = m.blocks[i] + inner
        m.cells[i] = cell
        state = int(m.memory[cell])
        m.inputs[2 * i], m.inputs[2 * i + 1] = 0, 0
        if state:
            p = m.maps[N_STATES * i + state] >> (COUNT_BITS + PROBABILITY_BITS - 12)
            m.inputs[2 * i] = m.constants.stretch[p]
            m.inputs[2 * i + 1] = p - 2048


@compiled
def _n_bits(node: int) -> int:
    """Return how many bits of the byte are known."""
    n = 0
    while node >> (n + 1):
        n += 1
    return n


@compiled
def _gather_match(m: Model) -> None:
    """Find the two inputs of the match, and give it up if it has failed."""
    r = m.registers
    at = 2 * len(m.blocks)
    m.inputs[at], m.inputs[at + 1], m.inputs[at + 2] = 0, 0, BIAS
    r[EXPECTED] = -1
    if r[MATCH_LENGTH] == 0:
        return
    n_known = _n_bits(r[NODE])
    guess = int(m.text[r[MATCH_AT]]) | 0x100
    if guess >> (8 - n_known) != r[NODE]:
        r[MATCH_LENGTH] = 0
        return
    r[EXPECTED] = (guess >> (7 - n_known)) & 1
    cell = N_STATES * len(m.blocks) + _match_state(r[MATCH_LENGTH])
    m.scratch[MATCH_CELL] = cell
    p = m.maps[cell] >> (COUNT_BITS + PROBABILITY_BITS - 12)
    sign = 2 * r[EXPECTED] - 1
    m.inputs[at] = sign * m.constants.stretch[p]
    m.inputs[at + 1] = sign * (p - 2048)


@compiled
def _match_state(length: int) -> int:
    if length < 16:
        return length
    return min(16 + ((length - 16) >> 3), N_MATCH_STATES - 1)


@compiled
def _mix(m: Model) -> int:
    """Return the log-odds of a 1 by the final mixer over all sets, in 1/256."""
    r, s, squash = m.registers, m.scratch, m.constants.squash
    s[ROW], s[ROW + 1], s[ROW + 2] = r[NODE], r[HISTORY] & 0xFF, _trust(m)
    total = 0
    for k in range(N_SETS):
        s[ROW + k] = (k * N_CHOICES + s[ROW + k]) * len(m.inputs)
        dot = _dot(m.inputs, m.weights, s[ROW + k]) >> 16
        m.dots[k] = max(-DOT_LIMIT, min(DOT_LIMIT, dot))
        s[SET_P + k] = squash[m.dots[k] + STRETCH_LIMIT]
        total += int(m.dots[k] * m.final[N_SETS * r[NODE] + k])
    x = max(-STRETCH_LIMIT, min(STRETCH_LIMIT, total >> 16))
    s[FINAL_P] = squash[x + STRETCH_LIMIT]
    return x


@compiled
def _trust(m: Model) -> int:
    """Return what is known here: how many contexts were met before, how long a match."""
    n_met = 0
    for i in range(len(m.cells)):
        n_met += 1 if m.memory[m.cells[i]] else 0
    match = 0
    if m.registers[EXPECTED] >= 0:
        match = 1 + min(_match_state(m.registers[MATCH_LENGTH]), 29) // 2
    return 16 * match + n_met


@compiled
def _dot(inputs: NDArray[np.int32], weights: NDArray[np.int32], at: int) -> int:
    total = 0
    for i in range(len(inputs)):
        total += int(inputs[i]) * int(weights[at + i])
    return total


@compiled
def _refine(m: Model, x: int) -> int:
    """Return the probability of a 1 after maps of order 1 and 3."""
    r = m.registers
    near = r[NODE] | ((r[HISTORY] & 0xFF) << 8)
    far = mixed(r[NODE] | ((r[HISTORY] & 0xFFFFFF) << 8)) >> 20
    total = 2 * m.scratch[FINAL_P] + 2
    total += _look_up(m, 0, near, x)
    total += _look_up(m, 1, APM_ROWS + (far & (APM_ROWS - 1)), x)
    return int(max(1, min(ONE - 1, total >> 2)))


@compiled
def _look_up(m: Model, k: int, row: int, x: int) -> int:
    """Return the final mixer's probability plus what the map adds at log-odds x."""
    position = x + STRETCH_LIMIT
    cell, weight = position // APM_STEP, position % APM_STEP
    at = m.setup[APM_AT] + row * APM_CELLS + cell
    low, high = np.int64(m.shorts[at]), np.int64(m.shorts[at + 1])
    added = (low * (APM_STEP - weight) + high * weight) // APM_STEP
    m.scratch[APM_CELL + k] = at + (1 if 2 * weight > APM_STEP else 0)
    return int(max(0, min(ONE - 1, m.scratch[FINAL_P] + added)))


@compiled
def _adapt(m: Model, cell: int, bit: int, limit: int) -> None:
    """Move an adaptive probability by 1 / (n + 1.5) of its error."""
    value = np.int64(m.maps[cell])
    n, p = value & ((1 << COUNT_BITS) - 1), value >> COUNT_BITS
    target = (bit << PROBABILITY_BITS) - bit
    p += ((target - p) * m.constants.reciprocal[n]) >> 16
    m.maps[cell] = (p << COUNT_BITS) | min(n + 1, limit)


@compiled
def _learn_match(m: Model, bit: int) -> None:
    if m.registers[EXPECTED] < 0:
        return
    hit = 1 if m.registers[EXPECTED] == bit else 0
    _adapt(m, m.scratch[MATCH_CELL], hit, MATCH_LIMIT)
    if not hit:
        m.registers[MATCH_LENGTH] = 0


@compiled
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
        m.final[N_SETS * m.registers[NODE] + k] += change


@compiled
def _descend(
    inputs: NDArray[np.int32], weights: NDArray[np.int32], at: int, error: int
) -> None:
    for i in range(len(inputs)):
        weights[at + i] += (np.int64(inputs[i]) * error + ROUND) >> 24


@compiled
def _learn_maps(m: Model, bit: int) -> None:
    """Move the nearest cell of each map towards what would have been right to add."""
    target = bit * (ONE - 1) - m.scratch[FINAL_P]
    for k in range(2):
        at = m.scratch[APM_CELL + k]
        touch(m, at >> 5)
        moved = m.shorts[at] + ((target - m.shorts[at]) >> APM_SHIFT)
        m.shorts[at] = max(-ONE // 2, min(ONE // 2 - 1, moved))
