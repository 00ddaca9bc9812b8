"""The container gives back the original, or an error, for any change of its bytes."""

import dataclasses
import time
import tracemalloc
import zlib
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import CodingError, Stepwise
from harness.contract import coding
from harness.contract.codes import read_varint, varint
from harness.contract.registry import load_registry
from harness.errors import ContainerError

REFUSED = (CodingError, ContainerError)
ARTIFACT = b"artifact"
SAMPLES = [b"abracadabra" * 3, b"", b"abc", b"cadabra" * 9, b"bab" * 20]
LENGTHS = [len(sample) for sample in SAMPLES]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Skewed(Stepwise):
    """A model that takes each symbol to come again; it is quick, and it codes."""

    name: ClassVar[str] = "skewed"
    family: ClassVar[str] = "test"

    size: int = 128

    @property
    def alphabet(self) -> int:
        return self.size

    def fit(self, corpus, *, seed):  # noqa: ARG002  (it learns nothing)
        return self

    def start(self, n, *, context=b""):
        return np.tile(np.bincount(list(context), minlength=self.size), (n, 1))

    def step(self, state, symbols):
        state, rows = state[: len(symbols)], np.arange(len(symbols))
        known = symbols >= 0
        state[rows[known], symbols[known]] += 8
        weights = state + 1
        found = weights * ((1 << 24) - self.size) // weights.sum(1, keepdims=True) + 1
        found[:, 0] += (1 << 24) - found.sum(1)
        return state, found


MODEL = Skewed()
CONTEXT_MODEL = load_registry().parse("context_model(order=2)")
CODED = coding.encode(MODEL, SAMPLES, artifact=ARTIFACT)
STORED_SAMPLES = [b"\xff\x80", b"", b"x\xfe"]
STORED = coding.encode(MODEL, STORED_SAMPLES, artifact=ARTIFACT)
CASES = {"coded": (CODED, LENGTHS), "stored": (STORED, [2, 0, 2])}


def decode(code: bytes, lengths: list[int]) -> list[bytes]:
    return coding.decode(MODEL, code, lengths, artifact=ARTIFACT)


def body_of(code: bytes) -> int:
    """Where the blocks start, by the layout that the module documents."""
    return 5 + code[4] + 8


@pytest.mark.parametrize("model", [MODEL, CONTEXT_MODEL], ids=lambda m: m.name)
@settings(max_examples=40, deadline=None)
@given(samples=st.lists(st.binary(max_size=40), max_size=12))
def test_every_list_of_samples_comes_back(model, samples):
    code = coding.encode(model, samples)
    assert coding.decode(model, code, list(map(len, samples))) == samples


def test_the_layout_is_the_documented_one():
    assert CODED[:4] == b"BPC\x02"
    start = body_of(CODED)
    assert CODED[start - 8 : start] == ARTIFACT
    length, at = read_varint(CODED, start + 5)
    payload = CODED[at:]
    assert len(payload) == length < sum(LENGTHS)
    about = b"\0\1" + bytes(LENGTHS)  # block 0, coded, lengths below 128
    crc = zlib.crc32(about + payload + b"".join(SAMPLES))
    assert CODED[start : start + 5] == b"\1" + crc.to_bytes(4, "little")


@pytest.mark.parametrize("case", CASES)
def test_no_flipped_bit_passes(case):
    code, lengths = CASES[case]
    for bit in range(8 * len(code)):
        flipped = bytearray(code)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(REFUSED):
            decode(bytes(flipped), lengths)


@pytest.mark.parametrize("case", CASES)
def test_no_truncated_or_extended_container_passes(case):
    code, lengths = CASES[case]
    for n in range(len(code)):
        with pytest.raises(REFUSED):
            decode(code[:n], lengths)
    for tail in (b"\0", b"\1" * 4, code):
        with pytest.raises(REFUSED):
            decode(code + tail, lengths)


@settings(max_examples=150, deadline=None)
@given(
    case=st.sampled_from(sorted(CASES)),
    start=st.integers(0, 200),
    stop=st.integers(0, 200),
    new=st.binary(max_size=12),
)
def test_no_splice_passes(case, start, stop, new):
    code, lengths = CASES[case]
    spliced = code[:start] + new + code[max(start, stop) :]
    if spliced == code:
        return
    with pytest.raises(REFUSED):
        decode(spliced, lengths)


@settings(max_examples=60, deadline=None)
@given(junk=st.binary(max_size=60))
def test_no_random_bytes_pass_behind_a_good_head(junk):
    with pytest.raises(REFUSED):
        decode(CODED[: body_of(CODED)] + junk, LENGTHS)


@pytest.mark.parametrize("filling", [b"ab", b"\xff\x80"], ids=["coded", "stored"])
def test_blocks_in_another_order_are_refused(monkeypatch, filling):
    monkeypatch.setattr(coding, "MAX_STREAMS", 2)
    samples = [filling * 20, filling * 9, filling[::-1] * 20, filling[::-1] * 9]
    lengths = [len(sample) for sample in samples]
    code = coding.encode(MODEL, samples, artifact=ARTIFACT)
    assert decode(code, lengths) == samples
    head, first = body_of(code), code[body_of(code) :]
    size, at = read_varint(first, 5)
    first, second = first[: at + size], first[at + size :]
    assert code == code[:head] + first + second
    for blocks in (second + first, first + first, second + second, first, second):
        with pytest.raises(REFUSED):
            decode(code[:head] + blocks, lengths)


@pytest.mark.parametrize("case", CASES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_lengths_that_lie_are_refused(case, data):
    code, lengths = CASES[case]
    told = data.draw(
        st.permutations(lengths)
        | st.lists(st.integers(0, 70), max_size=6)
        | st.tuples(st.integers(0, len(lengths) - 1), st.integers(-3, 3)).map(
            lambda change: [
                n + change[1] * (i == change[0]) for i, n in enumerate(lengths)
            ]
        )
    )
    if told == lengths:
        return
    with pytest.raises(REFUSED):
        decode(code, told)


def test_a_stored_block_of_one_sample_is_refused_under_another_length():
    code = coding.encode(MODEL, [b"\xffabcdef"])
    for length in (0, 5, 6, 8):
        with pytest.raises(REFUSED):
            coding.decode(MODEL, code, [length])


def test_another_artifact_context_or_version_is_refused(monkeypatch):
    for other in (bytes(8), b"artifacT"):
        with pytest.raises(ContainerError, match="another artifact"):
            coding.decode(MODEL, CODED, LENGTHS, artifact=other)
    with pytest.raises(ContainerError):
        coding.decode(MODEL, CODED, LENGTHS, context=b"zzzz", artifact=ARTIFACT)
    with pytest.raises(ContainerError, match="format 3 is not 2"):
        decode(CODED[:3] + b"\3" + CODED[4:], LENGTHS)
    monkeypatch.setattr(coding, "_CODER_VERSION", b"0.999")
    with pytest.raises(ContainerError, match="install that version"):
        decode(CODED, LENGTHS)
    with pytest.raises(ContainerError):
        coding.decode(MODEL, coding.encode(MODEL, SAMPLES)[:9], LENGTHS)


def test_the_container_of_another_model_is_refused():
    uneven = dataclasses.replace(MODEL, size=127)
    with pytest.raises(REFUSED):
        coding.decode(uneven, CODED, LENGTHS, artifact=ARTIFACT)


@pytest.mark.parametrize("size", [2**20, 2**31, 2**32 + 1, 2**40, 2**62])
@pytest.mark.parametrize("kind", [0, 1, 2, 255])
def test_an_oversized_payload_length_is_refused_at_once(size, kind):
    code = CODED[: body_of(CODED)] + bytes([kind]) + b"crc!" + varint(size) + b"abcd"
    peak, seconds = cost_of_refusal(code, LENGTHS)
    assert peak < 1 << 20
    assert seconds < 1


@pytest.mark.parametrize("groups", [b"\xff" * 8, b"\xff" * 9, b"\xff" * 200, b"\x80"])
def test_an_integer_that_does_not_end_is_refused(groups):
    code = CODED[: body_of(CODED)] + b"\1crc!" + groups
    with pytest.raises(ContainerError):
        decode(code, LENGTHS)


def test_memory_goes_with_the_bytes_decoded_not_with_longest_times_streams():
    samples = [bytes([1, 2] * 2000), *[b"\1"] * 4000]  # 16 MB as a table
    tiny = Skewed(size=3)
    code = coding.encode(tiny, samples)
    assert len(code) < 4000
    tracemalloc.start()
    try:
        assert coding.decode(tiny, code, list(map(len, samples))) == samples
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_every_message_is_one_line():
    wrong = [CODED[:n] for n in (0, 4, 9, 20, 40)] + [CODED + b"x", b"PK\x03\x04" * 9]
    wrong += [a + b for a, b in pairwise([CODED[:30], STORED[4:], CODED[6:]])]
    for code in wrong:
        with pytest.raises(ContainerError) as caught:
            decode(code, LENGTHS)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def cost_of_refusal(code: bytes, lengths: list[int]) -> tuple[int, float]:
    """Return peak bytes and seconds until the container is refused."""
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with pytest.raises(REFUSED):
            decode(code, lengths)
        return tracemalloc.get_traced_memory()[1], time.perf_counter() - begun
    finally:
        tracemalloc.stop()
