"""The mixer against round trips, its own probabilities, a known source and PPMd."""

import lzma
import os
import pydoc_data.topics
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyppmd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Codec, SpecError
from harness.contract.registry import load_plugin
from harness.data.generators import generate

PATH = Path(__file__).parents[2] / "plugins" / "mix"
TEXT = Path(pydoc_data.topics.__file__).read_bytes()
CORPUS = [b"the cat sat on the mat. ", b"the dog sat on the log. "]
TEXTS = [b"the hog sat", b"", b"abracadabra abracadabra", b"\x00\xff\x00" * 30, b"mat"]


# By the registry: numba finds its cache by the name under which a plugin was imported.
Mix = load_plugin(PATH)[0].kind


def module(name: str):
    return __import__(f"{Mix.__module__}.{name}", fromlist=["_"])


def small(**fields) -> Codec:
    return Mix(table_bits=16, **fields)


def machine(prefix: bytes = b"", **fields):
    return module("machine").Machine(small(**fields)._dimensions, prefix)


data_of_few_symbols = st.lists(st.sampled_from(b"ab \xff"), max_size=60).map(bytes)
any_data = st.one_of(st.binary(max_size=300), data_of_few_symbols)


@settings(max_examples=25, deadline=None)
@given(data=any_data, context=st.binary(max_size=20), order=st.integers(0, 6))
def test_data_comes_back_from_its_code(data: bytes, context: bytes, order: int) -> None:
    new = small(order=order, words=order > 2, shape=(3, 4) if order % 2 else None)
    for codec in (new, new.fit(CORPUS, seed=0)):
        code = codec.compress(data, context=context)
        assert codec.decompress(code, length=len(data), context=context) == data


@pytest.mark.parametrize("table_bits", [16, 24])
def test_a_text_that_overfills_the_table_comes_back(table_bits: int) -> None:
    codec = Mix(table_bits=table_bits)
    text = TEXT[:40000]
    assert codec.unpack(codec.pack(text), len(text)) == text


def test_damaged_code_decodes_to_something_of_the_right_length() -> None:
    assert len(small().unpack(b"\xff" * 7, 500)) == 500


@pytest.mark.parametrize("prefix", [b"", b"".join(CORPUS), TEXT[:5000]])
def test_lengths_are_those_of_the_codes(prefix: bytes) -> None:
    samples = [*TEXTS, TEXT[5000:9000], TEXT[100:400], b""]
    got = small().packed_lengths_after(samples, prefix)
    want = [8 * len(small().pack_after(sample, prefix)) for sample in samples]
    assert got.tolist() == want


def test_a_prefix_counts_like_bytes_that_were_fitted() -> None:
    fitted = small().fit([TEXT[:3000]], seed=0)
    assert fitted.compress(TEXT[3000:4000]) == small().pack_after(
        TEXT[3000:4000], TEXT[:3000]
    )


@pytest.mark.parametrize("fitted", [False, True])
def test_pair_lengths_are_those_of_concatenations(fitted: bool) -> None:  # noqa: FBT001  (a parameter of the test)
    codec = small().fit(CORPUS, seed=0) if fitted else small()
    xs, ys = [*TEXTS, TEXT[:2000]], [TEXT[2000:3000], *TEXTS]
    got = codec.pair_code_lengths(xs, ys)
    want = [[8 * len(codec.compress(x + y)) for y in ys] for x in xs]
    assert got.tolist() == want


def everything_in(model) -> dict[str, bytes]:
    """The state that decides what comes next; scratch and journal do not."""
    names = ("memory", "stamps", "small", "registers", "setup")
    return {name: getattr(model, name).tobytes() for name in names}


@settings(max_examples=15, deadline=None)
@given(x=any_data, ys=st.lists(any_data, max_size=3))
def test_undo_restores_every_bit_of_the_state(x: bytes, ys: list[bytes]) -> None:
    primed = machine(TEXT[:2000])
    before = everything_in(primed._model)
    primed.n_pair_bytes(x, ys)
    assert everything_in(primed._model) == before
    primed.n_code_bytes([x, *ys])
    assert everything_in(primed._model) == before
    primed.decode(primed.encode(x), len(x))
    assert everything_in(primed._model) == before


def test_coding_without_undo_changes_the_state() -> None:
    primed = machine(TEXT[:2000])
    before = everything_in(primed._model)
    module("coder").learn_bytes(primed._model, np.frombuffer(b"a new word", np.uint8))
    after = everything_in(primed._model)
    assert after["memory"] != before["memory"]
    assert after["small"] != before["small"]
    assert after["registers"] != before["registers"]


def ideal_bits(data: bytes) -> float:
    """-log2 of the probabilities that the model gave, bit by bit."""
    contexts, prediction = module("contexts"), module("prediction")
    empty = machine()
    empty._reserve(len(data))
    model, bits = empty._model, 0.0
    for symbol in data:
        contexts.begin_byte(model)
        for shift in range(7, -1, -1):
            if shift == 3:
                contexts.find_blocks(model)
            p = prediction.predict(model) / 65536
            bit = symbol >> shift & 1
            bits -= np.log2(p if bit else 1 - p)
            prediction.learn(model, bit)
        contexts.end_byte(model)
    return bits


@pytest.mark.parametrize(
    "data", [TEXT[:8000], bytes(8000), b"\xff" * 8000], ids=["text", "zeros", "ones"]
)
def test_the_coder_adds_next_to_nothing_to_its_probabilities(data: bytes) -> None:
    ideal, coded = ideal_bits(data), 8 * len(small().pack(data))
    # An end that falls on zeros may save a byte, and no more.
    assert ideal - 8 < coded <= 1.0005 * ideal + 16


def test_a_markov_source_is_coded_near_its_entropy_and_never_below() -> None:
    ones = [0.9, 0.3, 0.6, 0.05]
    symbols, ideal = generate("markov2", {"ones": ones}, (4, 20000), seed=3)
    got = small().code_lengths([row.tobytes() for row in symbols])
    assert (got > ideal - 30).all()
    assert (got < 1.05 * ideal).all()


def test_noise_grows_by_less_than_two_percent() -> None:
    noise = np.random.default_rng(0).bytes(20000)
    assert 20000 - 4 <= len(small().pack(noise)) < 1.02 * 20000


def ppmd_bytes(data: bytes) -> int:
    encoder = pyppmd.Ppmd7Encoder(6, 16 << 20)
    return len(encoder.encode(data) + encoder.flush())


def test_it_beats_ppmd_of_order_6_on_documentation() -> None:
    text = TEXT[:150000]
    assert len(Mix().pack(text)) < 0.97 * ppmd_bytes(text)


def test_it_beats_ppmd_of_order_6_on_a_novel() -> None:
    mirror = os.environ.get("BITPROBE_DATA_MIRROR")
    if not mirror:
        pytest.skip("BITPROBE_DATA_MIRROR is not set")
    with lzma.open(Path(mirror) / "silesia" / "dickens.xz") as file:
        text = file.read(1 << 18)
    assert len(Mix().pack(text)) < 0.97 * ppmd_bytes(text)


def test_the_shape_of_images_helps() -> None:
    rng = np.random.default_rng(0)
    # Smooth random images: each pixel is near its neighbours.
    steps = rng.integers(-2, 3, (40, 16, 16)).cumsum(1).cumsum(2)
    data = (128 + steps).astype(np.uint8).tobytes()
    flat, shaped = Mix(words=False), Mix(words=False, shape=(16, 16))
    assert len(shaped.pack(data)) < 0.95 * len(flat.pack(data))


def test_logistic_tables_are_the_rounded_formulas() -> None:
    tables = module("tables").constants()
    x = np.arange(-2815, 2816)
    want = 65536 / (1 + np.exp(-x / 256))
    assert np.abs(tables.squash - want).max() <= 1.01
    assert (tables.squash + tables.squash[::-1] == 65536).all()
    p = (np.arange(4096) + 0.5) / 4096
    assert np.abs(tables.stretch - 256 * np.log(p / (1 - p))).max() <= 2
    assert tables.squash[2815 + 256] == int(65536 / (1 + Decimal(-1).exp()))


def test_bit_histories_count_what_came() -> None:
    tables = module("tables")
    states, following = tables.history_states(), tables.constants().following
    assert states[0] == (0, 0, 0)
    assert len(states) <= 256
    for bits in range(16):
        state, path = 0, [bits >> i & 1 for i in range(4)]
        for bit in path:
            state = following[state, bit]
        zeros, ones, last = states[state]
        assert (zeros, ones, last) == (4 - sum(path), sum(path), path[-1])


def test_a_long_run_against_it_makes_a_history_forget() -> None:
    tables = module("tables")
    state = 0
    for bit in [0] * 30 + [1] * 6:
        state = tables.constants().following[state, bit]
    zeros, ones, last = tables.history_states()[state]
    assert zeros <= ones
    assert last == 1


@pytest.mark.parametrize("fields", [{"order": 7}, {"order": -1}, {"table_bits": 8}])
def test_illegal_fields_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(SpecError, match=next(iter(fields))):
        Mix(**fields)


def test_a_shape_that_is_not_positive_is_refused() -> None:
    with pytest.raises(SpecError, match="shape"):
        Mix(shape=(0, 28))
