"""Sources of known entropy rate: Goyal et al. 2021, "DZip", synthetic data.

XOR-k: each bit is the exclusive or of the bit before it and of the bit k before it.
HMM-k: the bits of XOR-k, each flipped with a probability.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Bits = NDArray[np.uint8]


def source_rate(*, k: int, n: int, flip: float, seed: int) -> float:
    """Return bits per symbol of a code that knows the law of the source.

    The first k bits are stored. The hidden sequence follows from them, and the flips are
    coded by the estimator of Krichevsky and Trofimov 1981, which is not told their rate.
    """
    rng = np.random.default_rng(seed)
    hidden = xor_bits(k, n, rng)
    observed = hidden ^ (rng.random(n) < flip)
    # The decoder computes the hidden bits by itself; only the flips are new to it.
    flips = int((observed ^ hidden).sum())
    return (k + estimator_bits(flips, n)) / n


def xor_bits(k: int, n: int, rng: np.random.Generator) -> Bits:
    """Return n bits of XOR-k whose first k are drawn."""
    # A bytearray, as ten million accesses to an array would take ten times as long.
    bits = bytearray(rng.integers(0, 2, k, np.uint8).tobytes()) + bytearray(n - k)
    for i in range(k, n):
        bits[i] = bits[i - 1] ^ bits[i - k]
    return np.frombuffer(bits, np.uint8)


def estimator_bits(n_ones: int, n: int) -> float:
    """Return the code length of a binary sequence with so many ones, in bits.

    The sequential estimator (count + 1/2) / (n + 1) gives the sequence the probability
    B(ones + 1/2, zeros + 1/2) / pi, whatever the order.
    """
    n_zeros = n - n_ones
    log = gammaln(n_ones + 0.5) + gammaln(n_zeros + 0.5) - gammaln(n + 1.0)
    return float(-(log - np.log(np.pi)) / np.log(2)) if n else 0.0
