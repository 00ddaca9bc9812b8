import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.compressor import Codec
from harness.registry import load_registry

REGISTRY = load_registry()
SPECS = ["store", "gzip", "deflate", "zstd", "zstd(level=19)", "ppmd", "ppmd(order=2)"]
PREFIX = b"the quick brown fox jumps over the lazy dog\n" * 30


def codec(spec: str) -> Codec:
    made = REGISTRY.parse(spec)
    assert isinstance(made, Codec)
    return made


def test_every_built_in_plugin_loads():
    assert {
        e.name: e.unavailable for e in REGISTRY.entries.values() if e.unavailable
    } == {}


@pytest.mark.parametrize("spec", SPECS)
@given(data=st.binary(max_size=2048), context=st.binary(max_size=512))
@settings(max_examples=25, deadline=None)
def test_every_codec_gives_back_its_input(spec: str, data: bytes, context: bytes):
    plain = codec(spec)
    fitted = plain.fit([PREFIX], seed=0)
    for one, known in (
        (plain, b""),
        (plain, context),
        (fitted, b""),
        (fitted, context),
    ):
        code = one.compress(data, context=known)
        assert one.decompress(code, length=len(data), context=known) == data
        assert one.code_lengths([data], context=known)[0] == 8 * len(code)


@pytest.mark.parametrize("spec", ["deflate", "zstd", "ppmd"])
def test_a_known_prefix_makes_the_code_shorter(spec: str):
    one = codec(spec)
    assert len(one.compress(PREFIX[:440], context=PREFIX)) < len(
        one.compress(PREFIX[:440])
    )


def test_an_empty_message_costs_what_the_anchors_say():
    assert len(codec("gzip").compress(b"")) == 20
    assert len(codec("zstd(frame=True)").compress(b"")) == 9
