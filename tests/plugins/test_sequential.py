"""Laws of the codecs whose model learns a prefix and is put back after every sample."""

import pydoc_data.topics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract.registry import load_plugin

PLUGINS = Path(__file__).parents[2] / "plugins"
TEXT = Path(pydoc_data.topics.__file__).read_bytes()

# By the registry: numba finds its cache by the name under which a plugin was imported.
Ctw, Lz78 = (load_plugin(PLUGINS / name)[0].kind for name in ("ctw", "lz78"))
CODECS = [
    Ctw(depth=3, table_bits=18),
    Ctw(depth=8, table_bits=16),
    Lz78(),
    Lz78(max_nodes=5),
]

few = st.lists(st.sampled_from(b"ab \xff"), max_size=60).map(bytes)
any_data = st.one_of(st.binary(max_size=300), few)


@pytest.mark.parametrize("new", CODECS, ids=str)
@settings(max_examples=25, deadline=None)
@given(data=any_data, context=st.binary(max_size=20))
def test_data_comes_back_from_its_code(new, data: bytes, context: bytes):
    for codec in (new, new.fit([TEXT[:200]], seed=0)):
        code = codec.compress(data, context=context)
        assert codec.decompress(code, length=len(data), context=context) == data


@pytest.mark.parametrize("codec", CODECS, ids=str)
def test_a_prefix_leaves_no_trace_in_codes_after_another(codec):
    samples, prefixes = (
        [TEXT[5000:5400], b"", bytes(30)],
        [TEXT[:3000], b"", b"ab" * 50],
    )
    lengths = [codec.packed_lengths_after(samples, p).tolist() for p in prefixes]
    of_new_models = []
    for prefix in prefixes:
        machine = codec.machine()
        machine.prime(prefix)
        of_new_models.append([8 * n for n in machine.n_code_bytes(samples)])
    assert lengths == of_new_models


@pytest.mark.parametrize("codec", CODECS, ids=str)
def test_code_lengths_keep_the_chain_rule(codec):
    x, y = TEXT[:3000], TEXT[3000:5000]
    parts = len(codec.pack(x)) + len(codec.pack_after(y, x))
    assert abs(parts - len(codec.pack(x + y))) <= 2


@pytest.mark.parametrize("new", CODECS, ids=str)
def test_pair_lengths_are_those_of_concatenations_and_leave_no_trace(new):
    codec = new.fit([TEXT[:2000]], seed=0)
    xs, ys = [b"", TEXT[2000:3000], bytes(50)], [b"abc", TEXT[3000:4000], b""]
    want = [[8 * len(codec.compress(x + y)) for y in ys] for x in xs]
    assert codec.pair_code_lengths(xs, ys).tolist() == want
    assert codec.pair_code_lengths(xs, ys).tolist() == want
