"""Order-0 arithmetic coding against the closed form of its estimator."""

from math import lgamma, log

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.registry import load_registry

Order0 = load_registry().find("order0").kind
TEXT = b"it was the best of times, it was the worst of times; " * 40


def krichevsky_trofimov_bits(data: bytes, known: bytes = b"") -> float:
    """Dirichlet(1/2) over 256 symbols, by gamma functions: -log2 p(data | known)."""

    def log_evidence(seen: bytes) -> float:
        counts = np.bincount(np.frombuffer(seen, np.uint8), minlength=256)
        return sum(lgamma(c + 0.5) for c in counts) - lgamma(len(seen) + 128)

    return (log_evidence(known) - log_evidence(known + data)) / log(2)


@settings(max_examples=40, deadline=None)
@given(data=st.binary(max_size=800), known=st.binary(max_size=300))
def test_the_code_is_within_two_bytes_of_the_estimators_probability(
    data: bytes, known: bytes
):
    ideal = krichevsky_trofimov_bits(data, known)
    coded = Order0().code_lengths([data], context=known)[0]
    assert ideal - 16 <= coded <= ideal + 16


def test_a_long_stream_is_within_a_thousandth_of_the_estimators_probability():
    rng = np.random.default_rng(0)
    data = rng.choice(np.arange(20, dtype=np.uint8), 200_000, p=_skewed(20)).tobytes()
    ideal = krichevsky_trofimov_bits(data)
    coded = Order0().code_lengths([data])[0]
    assert ideal - 16 <= coded <= 1.001 * ideal


def test_the_order_of_the_bytes_changes_nothing():
    backwards = TEXT[::-1]
    forth, back = Order0().code_lengths([TEXT, backwards])
    assert abs(forth - back) <= 8


def test_fitting_in_parts_and_context_add_up_to_the_same_counts():
    first, second, sample = TEXT[:70], TEXT[300:900], TEXT[-100:]
    at_once = Order0().fit([first, second], seed=0)
    in_parts = Order0().fit([first], seed=0).fit([second], seed=1)
    code = at_once.compress(sample)
    assert in_parts.compress(sample) == code
    assert Order0().fit([first], seed=0).compress(sample, context=second) == code
    assert at_once.learned["counts"].shape == (256,)


def test_counts_beyond_the_coders_precision_are_halved_and_still_decode():
    huge = Order0(learned={"counts": np.full(256, 1 << 40)})
    assert huge.decompress(huge.compress(TEXT), length=len(TEXT)) == TEXT
    steep = Order0(learned={"counts": np.eye(1, 256, 32, dtype=np.int64)[0] << 50})
    assert steep.decompress(steep.compress(TEXT), length=len(TEXT)) == TEXT
    assert len(steep.compress(b" " * 10_000)) < 4


def test_nothing_costs_nothing():
    assert Order0().compress(b"") == b""
    assert Order0().decompress(b"", length=0) == b""


def _skewed(n: int):
    weights = 0.7 ** np.arange(n)
    return weights / weights.sum()
