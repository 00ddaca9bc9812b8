"""Two-part rates by hand, and the size from which on an artifact pays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tasks.two_part import Heldout, two_part_scores

HELDOUT = Heldout(bits=2000.0, n_bytes=1000, n=10, route="native", realised="decoded")


def test_the_rate_and_break_even_of_a_worked_example():
    # 2 bpb held out; 500 bits of artifact; best without it 2.5 bpb: 500 / .5 bytes.
    scores = two_part_scores(HELDOUT, artifact_bits=500.0, artifact_free_bpb=[4.0, 2.5])
    assert {s.name: (s.value, s.unit) for s in scores} == {
        "two_part_bpb": (2.5, "bits/byte"),
        "artifact_bits": (500.0, "bits"),
        "break_even_bytes": (1000.0, "bytes"),
    }
    assert (scores[0].route, scores[0].realised, scores[0].n) == (
        "native",
        "decoded",
        10,
    )


@pytest.mark.parametrize(
    ("free", "note"),
    [([2.0, 3.0], "no shorter"), ([1.0], "no shorter"), ([], "no rate without")],
)
def test_without_a_gain_there_is_no_break_even(free: list[float], note: str):
    scores = two_part_scores(HELDOUT, artifact_bits=500.0, artifact_free_bpb=free)
    assert [s.name for s in scores] == ["two_part_bpb", "artifact_bits"]
    assert note in scores[0].note


@given(artifact=st.floats(1, 1e9), rate=st.floats(0.1, 8), gain=st.floats(0.01, 4))
def test_at_the_break_even_size_both_codes_are_equally_long(
    artifact: float, rate: float, gain: float
):
    heldout = Heldout(bits=rate * 1000, n_bytes=1000, n=1)
    scores = two_part_scores(
        heldout, artifact_bits=artifact, artifact_free_bpb=[rate + gain]
    )
    size = scores[-1].value
    assert rate * size + artifact == pytest.approx((rate + gain) * size)
