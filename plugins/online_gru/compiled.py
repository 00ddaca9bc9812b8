"""Compiled online network: it predicts, sees the symbol, and learns.

All is + - * / and sqrt on float32 or float64 in a fixed order; exp is made of them. Without
"fast math" a compiler may neither reorder nor fuse these, so that a decoder with other
instructions finds the same bits. Loops whose order matters run over LANES sums.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness import START, TOTAL_FREQUENCY

from .._torch.compiled import compiled

Array = NDArray[Any]

# Here, where they are compiled in: caches of compiled code know this file alone.
N_SYMBOLS = 256
N_TAPS = 3
EMBEDDING = 24
BLOCK = 6
"""Symbols through which a gradient goes back, after which the weights change."""
LANES = 16
BETAS = (0.9, 0.998)
EPSILON = 1e-6
CLIP = 1.0
F4 = np.float32
LOG2_E, LN2 = 1.4426950408889634, 0.6931471805599453
TAYLOR = tuple(1.0 / math.factorial(i) for i in range(12, -1, -1))


class Parts(NamedTuple):
    """Matrices (in, out) and biases: weights, or their gradients."""

    embedding: Array
    mixing: Array
    mixing_bias: Array
    recurrent: Array
    inner_bias: Array
    head: Array
    head_bias: Array


class Streams(NamedTuple):
    """The state of n streams; all is changed in place.

    Attributes:
        weights: shape (n, P), float32.
        mean: shape (n, P), moving mean of the gradient.
        square: shape (n, P), of its square.
        direct: shape (n, 257, 256), logits that follow a symbol, START last.
        hidden: shape (n, d).
        tape: shape (n, BLOCK, tape_width), activations of each step for the gradient.
        symbols: shape (n, BLOCK, N_TAPS), symbols read at each step.
        counts: shape (n, 2), int64: steps of this block, updates so far.
    """

    weights: Array
    mean: Array
    square: Array
    direct: Array
    hidden: Array
    tape: Array
    symbols: Array
    counts: Array


@compiled
def advance(
    streams: Streams, symbols: Array, rows: Array, rates: tuple[float, float]
) -> None:
    """Read symbols (k, m) of the first m streams; write what may follow each.

    Args:
        streams: changed in place.
        symbols: START or 0 .. 255.
        rows: shape (k, m, 256), int64 frequencies, written; may have no steps.
        rates: learning rates of the network and of the direct logits.
    """
    width = streams.hidden.shape[1]
    gradient = np.zeros(streams.weights.shape[1], np.float32)
    exponentials = np.empty(N_SYMBOLS)
    for stream in range(symbols.shape[1]):
        weights = parts_of(streams.weights[stream], width)
        # Streams are independent: one after the other, so that weights stay cached.
        for step in range(len(symbols)):
            symbol = symbols[step, stream]
            if symbol != START:
                see(streams, stream, symbol, rates[1])
                if streams.counts[stream, 0] == BLOCK:
                    gradient[:] = 0
                    backward(streams, stream, weights, parts_of(gradient, width))
                    descend(streams, stream, gradient, rates[0])
            total = predict(streams, stream, symbol, weights, exponentials)
            if len(rows):
                write_row(rows[step, stream], exponentials, total)


@compiled
def parts_of(flat: Array, width: int) -> Parts:
    """Return the views of a vector that `shapes_of` names."""
    n_in, gates = N_TAPS * EMBEDDING, 3 * width
    a = (N_SYMBOLS + 1) * EMBEDDING
    b = a + n_in * gates
    c = b + gates
    d = c + width * gates
    e = d + width
    f = e + width * N_SYMBOLS
    return Parts(
        flat[:a].reshape(N_SYMBOLS + 1, EMBEDDING),
        flat[a:b].reshape(n_in, gates),
        flat[b:c],
        flat[c:d].reshape(width, gates),
        flat[d:e],
        flat[e:f].reshape(width, N_SYMBOLS),
        flat[f:],
    )


@compiled
def see(streams: Streams, stream: int, symbol: int, rate: float) -> None:
    """Turn the last probabilities into errors, and correct the direct logits."""
    step = streams.counts[stream, 0] - 1
    errors = streams.tape[stream, step, -N_SYMBOLS:]
    # Gradient of the cross entropy by the logits: probability less truth.
    errors[symbol] -= F4(1)
    row = streams.direct[stream, streams.symbols[stream, step, 0]]
    for j in range(N_SYMBOLS):
        row[j] -= F4(rate) * errors[j]


@compiled
def predict(
    streams: Streams, stream: int, symbol: int, weights: Parts, exponentials: Array
) -> float:
    """Read one symbol; leave unnormalised probabilities, return their sum."""
    place = streams.counts[stream, 0]
    taps = streams.symbols[stream]
    # The ring of the block also holds the last symbols of the previous block.
    earlier = taps[(place - 1) % BLOCK, : N_TAPS - 1].copy()
    taps[place, 1:] = earlier
    taps[place, 0] = N_SYMBOLS if symbol == START else symbol
    tape = streams.tape[stream, place]
    inputs, states = tape[: N_TAPS * EMBEDDING], tape[N_TAPS * EMBEDDING : -N_SYMBOLS]
    for tap in range(N_TAPS):
        embedded = inputs[tap * EMBEDDING : (tap + 1) * EMBEDDING]
        embedded[:] = weights.embedding[taps[place, tap]]
    remember(streams.hidden[stream], inputs, states, weights)
    logits = weights.head_bias + streams.direct[stream, taps[place, 0]]
    add_forward(logits, streams.hidden[stream], weights.head)
    # Differences to the maximum keep the exponentials within range.
    top, total = np.float64(logits.max()), 0.0
    for j in range(N_SYMBOLS):
        exponentials[j] = exponential(np.float64(logits[j]) - top)
        total += exponentials[j]
    errors = tape[-N_SYMBOLS:]
    for j in range(N_SYMBOLS):
        errors[j] = exponentials[j] / total
    streams.counts[stream, 0] = place + 1
    return total


@compiled
def remember(hidden: Array, inputs: Array, states: Array, weights: Parts) -> None:
    """Take a step of the cells; record its six intermediate rows in `states`."""
    d = len(hidden)
    outer, inner = weights.mixing_bias.copy(), np.zeros(3 * d, np.float32)
    add_forward(outer, inputs, weights.mixing)
    add_forward(inner, hidden, weights.recurrent)
    for i in range(d):
        reset = F4(1 / (1 + exponential(-np.float64(outer[i] + inner[i]))))
        keep = F4(1 / (1 + exponential(-np.float64(outer[d + i] + inner[d + i]))))
        recalled = inner[2 * d + i] + weights.inner_bias[i]
        # tanh(x) = 1 - 2 / (exp(2x) + 1).
        doubled = 2 * np.float64(outer[2 * d + i] + reset * recalled)
        new = F4(1 - 2 / (exponential(doubled) + 1))
        states[i], states[d + i] = reset, keep
        states[2 * d + i], states[3 * d + i] = new, recalled
        states[4 * d + i] = hidden[i]
        hidden[i] = new + keep * (hidden[i] - new)
        states[5 * d + i] = hidden[i]


@compiled
def backward(streams: Streams, stream: int, weights: Parts, gradient: Parts) -> None:
    """Add up the gradient of a block, and start the next one."""
    d, n_in = streams.hidden.shape[1], N_TAPS * EMBEDDING
    change, by_inputs = np.zeros(d, np.float32), np.empty(n_in, np.float32)
    outer, inner = np.empty(3 * d, np.float32), np.empty(3 * d, np.float32)
    for step in range(BLOCK - 1, -1, -1):
        tape, taps = streams.tape[stream, step], streams.symbols[stream, step]
        states, errors = tape[n_in:-N_SYMBOLS], tape[-N_SYMBOLS:]
        add_outer(gradient.head, states[5 * d :], errors)
        add(gradient.head_bias, errors)
        # `change` carries the gradient of the hidden state from step to step.
        add_backward(change, weights.head, errors)
        back_through_cells(change, states, outer, inner)
        add(gradient.mixing_bias, outer)
        add(gradient.inner_bias, inner[2 * d :])
        add_outer(gradient.recurrent, states[4 * d : 5 * d], inner)
        add_backward(change, weights.recurrent, inner)
        add_outer(gradient.mixing, tape[:n_in], outer)
        by_inputs[:] = 0
        add_backward(by_inputs, weights.mixing, outer)
        for tap in range(N_TAPS):
            part = by_inputs[tap * EMBEDDING : (tap + 1) * EMBEDDING]
            add(gradient.embedding[taps[tap]], part)
    # The next block's first step still asks for the last symbols of this one.
    streams.counts[stream, 0] = 0


@compiled
def back_through_cells(
    change: Array, states: Array, outer: Array, inner: Array
) -> None:
    """Turn the gradient of the states (d,) into that of gates, and of states before."""
    d = len(change)
    unit = F4(1)
    for i in range(d):
        reset, keep = states[i], states[d + i]
        new, recalled, before = states[2 * d + i], states[3 * d + i], states[4 * d + i]
        by_new = change[i] * (unit - keep) * (unit - new * new)
        outer[i] = by_new * recalled * reset * (unit - reset)
        outer[d + i] = change[i] * (before - new) * keep * (unit - keep)
        outer[2 * d + i] = by_new
        inner[i], inner[d + i] = outer[i], outer[d + i]
        inner[2 * d + i] = by_new * reset
        change[i] *= keep


@compiled
def descend(streams: Streams, stream: int, gradient: Array, rate: float) -> None:
    """Change the weights by Adam (Kingma and Ba 2015) with a clipped gradient."""
    streams.counts[stream, 1] += 1
    n_updates = streams.counts[stream, 1]
    norm = math.sqrt(dot(gradient, gradient)) / BLOCK
    scale = F4(min(1.0, CLIP / (norm + EPSILON)) / BLOCK)
    unbiased, power = 1.0, 1.0
    # Later the correction is 1 in float32; `pow` may differ between machines.
    if n_updates < 10_000:
        for _ in range(n_updates):
            power *= BETAS[1]
        unbiased = 1 / math.sqrt(1 - power)
    b1, b2, unit = F4(BETAS[0]), F4(BETAS[1]), F4(1)
    factor, pace = F4(unbiased), F4(rate)
    weights, mean = streams.weights[stream], streams.mean[stream]
    square = streams.square[stream]
    for i in range(len(weights)):
        g = gradient[i] * scale
        mean[i] = b1 * mean[i] + (unit - b1) * g
        square[i] = b2 * square[i] + (unit - b2) * g * g
        spread = np.sqrt(square[i]) * factor + F4(EPSILON)
        weights[i] -= pace * mean[i] / spread


@compiled
def write_row(row: Array, exponentials: Array, total: float) -> None:
    """Write frequencies in proportion, at least 1 each; the likeliest gets the rest."""
    remainder = np.int64(TOTAL_FREQUENCY)
    for j in range(N_SYMBOLS):
        share = exponentials[j] * (TOTAL_FREQUENCY - N_SYMBOLS) / total
        row[j] = np.int64(share) + 1
        remainder -= row[j]
    # Rounding down leaves a remainder, never a negative one.
    row[row.argmax()] += remainder


@compiled
def exponential(x: float) -> float:
    """Return exp(x) by a polynomial and an exact power of two."""
    x = min(max(x, -700.0), 700.0)
    # exp(x) = 2**power exp(fraction), the fraction within +-0.35.
    power = np.rint(x * LOG2_E)
    fraction = x - power * LN2
    value = 0.0
    for coefficient in TAYLOR:
        value = value * fraction + coefficient
    return math.ldexp(value, int(power))


@compiled
def add(out: Array, values: Array) -> None:
    """Add a vector to another."""
    for i in range(len(out)):
        out[i] += values[i]


@compiled
def add_forward(out: Array, x: Array, matrix: Array) -> None:
    """Add x (n_in,) @ matrix (n_in, n_out) to out."""
    for i in range(len(x)):
        value, row = x[i], matrix[i]
        for j in range(len(out)):
            out[j] += value * row[j]


@compiled
def add_outer(out: Array, x: Array, y: Array) -> None:
    """Add the outer product of x and y to out."""
    for i in range(len(x)):
        value, row = x[i], out[i]
        for j in range(len(y)):
            row[j] += value * y[j]


@compiled
def add_backward(out: Array, matrix: Array, y: Array) -> None:
    """Add matrix (n_in, n_out) @ y to out."""
    for i in range(len(out)):
        out[i] += dot(matrix[i], y)


@compiled
def dot(x: Array, y: Array) -> Any:
    """Return the sum of products, in the order of LANES sums beside each other."""
    sums = np.zeros(LANES, np.float32)
    whole = len(x) // LANES * LANES
    for first in range(0, whole, LANES):
        for lane in range(LANES):
            sums[lane] += x[first + lane] * y[first + lane]
    total = F4(0)
    for lane in range(LANES):
        total += sums[lane]
    for i in range(whole, len(x)):
        total += x[i] * y[i]
    return total
