"""Generators: seeded sources of symbols with known ideal code lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DatasetError
from harness.suggest import hint

Floats = NDArray[np.float64]
Symbols = NDArray[np.uint8]


def generate(
    process: str, parameters: Mapping[str, Any], shape: tuple[int, int], seed: int
) -> tuple[Symbols, Floats]:
    """Return symbols of shape (n, length), and -log2 p_true of each row, shape (n,).

    Raises:
        DatasetError: the process is unknown, or its parameters do not fit it.
    """
    if process not in PROCESSES:
        raise DatasetError(f"no process named {process!r}; {hint(process, PROCESSES)}")
    rng = np.random.default_rng(seed)
    values = {key: np.asarray(value, np.float64) for key, value in parameters.items()}
    try:
        symbols, bits = PROCESSES[process](rng.random, shape, **values)
    except (TypeError, ValueError, IndexError) as error:
        raise DatasetError(f"{process}: parameters do not fit: {error}") from error
    return symbols, bits


def iid(
    uniform: Any, shape: tuple[int, int], probabilities: Floats
) -> tuple[Any, Floats]:
    """Draw symbols independently."""
    symbols = _draw(
        np.broadcast_to(probabilities, (*shape, len(probabilities))), uniform(shape)
    )
    return symbols, -np.log2(probabilities)[symbols].sum(1)


def markov2(uniform: Any, shape: tuple[int, int], ones: Floats) -> tuple[Any, Floats]:
    """Draw bits, 1 with probability ones[2 a + b] after a, b; start stationary."""
    n, length = shape
    start = stationary(pair_transition(ones))
    draws = uniform((n, length - 1))
    pair = _draw(np.broadcast_to(start, (n, 4)), draws[:, 0]).astype(np.int64)
    symbols = np.empty(shape, np.uint8)
    symbols[:, 0], symbols[:, 1] = pair >> 1, pair & 1
    bits = -np.log2(start)[pair]
    for t in range(2, length):
        bit = draws[:, t - 1] < ones[pair]
        bits -= np.log2(np.where(bit, ones[pair], 1 - ones[pair]))
        symbols[:, t] = bit
        pair = (pair * 2 + bit) & 3
    return symbols, bits


def xor3(uniform: Any, shape: tuple[int, int]) -> tuple[Any, Floats]:
    """Draw three fair bits; every later bit is the XOR of the three before it."""
    symbols = np.empty(shape, np.uint8)
    symbols[:, :3] = uniform((shape[0], 3)) < 0.5
    for t in range(3, shape[1]):
        symbols[:, t] = symbols[:, t - 1] ^ symbols[:, t - 2] ^ symbols[:, t - 3]
    return symbols, np.full(shape[0], 3.0)


def hidden_markov(
    uniform: Any, shape: tuple[int, int], transition: Floats, emission: Floats
) -> tuple[Any, Floats]:
    """Draw symbols from emission[state]; the chain of states starts stationary."""
    draws = uniform((*shape, 2))
    start = stationary(transition)
    rows = np.broadcast_to(start, (shape[0], len(start)))
    symbols = np.empty(shape, np.uint8)
    for t in range(shape[1]):
        state = _draw(rows, draws[:, t, 0])
        symbols[:, t] = _draw(emission[state], draws[:, t, 1])
        rows = transition[state]
    return symbols, forward_bits(symbols, transition, emission)


def seeded_bytes(uniform: Any, shape: tuple[int, int]) -> tuple[Any, Floats]:
    """Draw bytes of numpy's generator, a short program that no compressor here can find.

    The bits are those of uniform bytes, 8 each.
    """
    symbols = np.floor(uniform(shape) * 256).astype(np.uint8)
    return symbols, np.full(shape[0], 8.0 * shape[1])


def pi_digits(uniform: Any, shape: tuple[int, int]) -> tuple[Any, Floats]:  # noqa: ARG001  (nothing is drawn)
    """Return the decimals of pi in order; the bits are those of uniform digits.

    By Machin's formula (1706), pi / 4 = 4 arctan(1/5) - arctan(1/239), in integers.
    """
    n_digits = shape[0] * shape[1]
    guard = 10  # digits that truncation in the series may spoil
    unit = 10 ** (n_digits + guard)
    scaled = 4 * (4 * _arctan_inverse(5, unit) - _arctan_inverse(239, unit))
    text = _decimal(scaled // 10**guard)[1:]  # without the 3
    symbols = np.frombuffer(text.encode(), np.uint8).reshape(shape) - ord("0")
    return symbols, np.full(shape[0], shape[1] * np.log2(10))


def _arctan_inverse(x: int, unit: int) -> int:
    """Return arctan(1 / x) in units of 1 / unit, by its series."""
    power = total = unit // x
    n, sign = 3, -1
    while power:
        power //= x * x
        total += sign * (power // n)
        n, sign = n + 2, -sign
    return total


def _decimal(value: int) -> str:
    """Return the digits of a large integer."""
    # Python refuses str() of more than 4300 digits.
    half = 10**4000
    if value < half:
        return str(value)
    parts = []
    while value:
        value, low = divmod(value, half)
        parts.append(low)
    head, *tail = reversed(parts)
    return str(head) + "".join(f"{part:04000d}" for part in tail)


PROCESSES: dict[str, Any] = {
    "iid": iid,
    "markov2": markov2,
    "xor3": xor3,
    "hidden_markov": hidden_markov,
    "seeded_bytes": seeded_bytes,
    "pi_digits": pi_digits,
}


def forward_bits(symbols: Symbols, transition: Floats, emission: Floats) -> Floats:
    """Return -log2 p of each row under a hidden Markov model: forward algorithm."""
    belief = np.broadcast_to(stationary(transition), (len(symbols), len(transition)))
    bits = np.zeros(len(symbols))
    for t in range(symbols.shape[1]):
        joint = belief * emission[:, symbols[:, t]].T  # (n, states)
        p = joint.sum(1)  # (n,), of the symbol given all before it
        bits -= np.log2(p)
        belief = (joint / p[:, None]) @ transition
    return bits


def pair_transition(ones: Floats) -> Floats:
    """Return the chain of overlapping pairs of an order-2 binary source, shape (4, 4)."""
    chain = np.zeros((4, 4))
    for pair in range(4):
        chain[pair, (pair * 2) & 3] = 1 - ones[pair]
        chain[pair, (pair * 2 + 1) & 3] = ones[pair]
    return chain


def stationary(transition: Floats) -> Floats:
    """Return the stationary distribution of a chain."""
    n = len(transition)
    # p P = p and sum(p) = 1, one equation more than unknowns, of which one is redundant.
    system = np.vstack([transition.T - np.eye(n), np.ones(n)])
    solution: Floats = np.linalg.lstsq(system, np.append(np.zeros(n), 1.0), rcond=None)[
        0
    ]
    return solution


def _draw(probabilities: Floats, uniform: Floats) -> Symbols:
    # Inverse of the distribution function: one uniform number gives one symbol.
    above = uniform[..., None] >= np.cumsum(probabilities, -1)[..., :-1]
    symbols: Symbols = above.sum(-1).astype(np.uint8)
    return symbols
