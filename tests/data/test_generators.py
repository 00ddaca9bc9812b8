import itertools
from collections.abc import Sequence

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from harness.data.generators import (
    forward_bits,
    generate,
    pair_transition,
    stationary,
)
from harness.errors import DatasetError

TRANSITION = np.array([[0.95, 0.05], [0.1, 0.9]])
EMISSION = np.array([[0.9, 0.1], [0.2, 0.8]])
ONES = [0.1, 0.7, 0.3, 0.8]


def entropy(p: Sequence[float] | NDArray[np.float64]) -> float:
    p = np.asarray(p)
    return float(-(p * np.log2(p)).sum())


def test_bits_of_iid_are_near_its_entropy() -> None:
    p = [0.5, 0.25, 0.125, 0.125]
    symbols, bits = generate("iid", {"probabilities": p}, (500, 400), 1)
    assert bits.mean() / 400 == pytest.approx(1.75, abs=0.01)
    assert np.bincount(symbols.ravel()) / symbols.size == pytest.approx(p, abs=0.01)


def test_bits_of_markov2_are_near_its_entropy_rate() -> None:
    _, bits = generate("markov2", {"ones": ONES}, (500, 400), 1)
    start = stationary(pair_transition(np.array(ONES)))
    rate = sum(s * entropy([p, 1 - p]) for s, p in zip(start, ONES, strict=True))
    assert bits.mean() == pytest.approx(entropy(start) + 398 * rate, rel=0.01)


def test_xor3_is_determined_after_three_fair_bits() -> None:
    symbols, bits = generate("xor3", {}, (100, 40), 1)
    assert np.array_equal(
        symbols[:, 3:], symbols[:, :-3] ^ symbols[:, 1:-2] ^ symbols[:, 2:-1]
    )
    assert len({row.tobytes() for row in symbols}) == 2**3
    assert (bits == 3).all()


def test_forward_bits_agree_with_the_sum_over_all_paths() -> None:
    symbols = np.array([[0, 1, 1, 0, 1]], np.uint8)
    total = 0.0
    for path in itertools.product(range(2), repeat=5):
        p = [2 / 3, 1 / 3][path[0]]  # solves start = start @ TRANSITION
        p *= np.prod([TRANSITION[a, b] for a, b in itertools.pairwise(path)])
        total += p * np.prod(
            [EMISSION[s, x] for s, x in zip(path, symbols[0], strict=True)]
        )
    assert forward_bits(symbols, TRANSITION, EMISSION)[0] == pytest.approx(
        -np.log2(total)
    )


def test_hidden_markov_probabilities_of_all_strings_sum_to_one() -> None:
    strings = np.array(list(itertools.product(range(2), repeat=8)), np.uint8)
    assert np.exp2(-forward_bits(strings, TRANSITION, EMISSION)).sum() == pytest.approx(
        1
    )


def test_hidden_markov_symbols_have_the_stationary_share() -> None:
    parameters = {"transition": TRANSITION.tolist(), "emission": EMISSION.tolist()}
    symbols, _ = generate("hidden_markov", parameters, (500, 400), 1)
    assert symbols.mean() == pytest.approx(2 / 3 * 0.1 + 1 / 3 * 0.8, abs=0.01)


def test_the_seed_alone_decides() -> None:
    first, again, other = (generate("xor3", {}, (50, 9), seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("process", "parameters"), [("iid", {}), ("xor3", {"p": [1]}), ("x", {})]
)
def test_what_does_not_fit_is_refused(
    process: str, parameters: dict[str, list[float]]
) -> None:
    with pytest.raises(DatasetError):
        generate(process, parameters, (2, 4), 0)


def test_pi_has_the_decimals_that_another_library_gives():
    symbols, bits = generate("pi_digits", {}, (50, 400), 0)
    with mpmath.workdps(20_020):
        decimals = mpmath.nstr(mpmath.pi, 20_010, strip_zeros=False)[2:20_002]
    assert "".join(map(str, symbols.ravel())) == decimals
    assert bits.sum() == pytest.approx(20_000 * np.log2(10))


def test_seeded_bytes_are_uniform_and_repeat():
    symbols, bits = generate("seeded_bytes", {}, (100, 400), 0)
    again, _ = generate("seeded_bytes", {}, (100, 400), 0)
    counts = np.bincount(symbols.ravel(), minlength=256)
    expected = symbols.size / 256
    assert ((counts - expected) ** 2 / expected).sum() < 330  # chi2, 255 df, p > .001
    assert bits.sum() == 8 * symbols.size
    np.testing.assert_array_equal(symbols, again)
