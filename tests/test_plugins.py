"""Every built-in plugin keeps what every compressor promises, in each configuration below."""

import pydoc_data.topics
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.conformance import check_all
from harness.contract.codes import shared_length
from harness.contract.compressor import Codec, Compressor
from harness.contract.registry import load_registry, parse_spec

REGISTRY = load_registry()
UNNAMED = {"pretrained"}
"""It has no default: the user names a model; tests/plugins/test_pretrained.py makes one."""
DEFAULTS = [
    entry.name
    for entry in REGISTRY.entries.values()
    if entry.kind and entry.name not in UNNAMED
]
FURTHER = [
    "gzip(level=1)",
    "deflate(level=1)",
    "zstd(level=19)",
    "zstd(frame=True)",
    "ppmd(order=2)",
    "context_model(order=0)",
    "context_model(order=6)",
]
NETWORKS = [name for name in DEFAULTS if "fit" in REGISTRY.find(name).kind.needs] + [
    "online_gru"
]
# Seconds per call, or a training for each check: networks have tests of their own, too.
SLOW = {"zpaq", *NETWORKS}
CODECS = [
    name
    for name in DEFAULTS
    if issubclass(REGISTRY.find(name).kind, Codec)
    and "fit" not in REGISTRY.find(name).kind.needs
]
PREFIX = b"the quick brown fox jumps over the lazy dog\n" * 30


def codec(spec: str) -> Codec:
    made = REGISTRY.parse(spec)
    assert isinstance(made, Codec)
    return made


def test_every_built_in_plugin_loads_unless_its_package_is_optional():
    wrong = {
        entry.name: entry.unavailable
        for entry in REGISTRY.entries.values()
        if entry.unavailable and "is not installed" not in entry.unavailable
    }
    assert wrong == {}
    core = {"store", "gzip", "deflate", "zstd", "ppmd", "context_model"}
    assert core <= set(DEFAULTS)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(spec, marks=[pytest.mark.slow] if spec in SLOW else [])
        for spec in (*DEFAULTS, *FURTHER)
    ],
)
def test_every_plugin_keeps_its_promises(spec: str):
    made: Compressor = REGISTRY.parse(spec)
    if spec in NETWORKS and spec != "online_gru":
        made = replace(made, size="10k", steps=3)
    check_all(made, long_bytes=100_000 if isinstance(made, Codec) else 20_000)


def test_every_configuration_is_of_a_plugin_at_hand():
    assert {parse_spec(spec)[0] for spec in FURTHER} <= set(DEFAULTS)


@pytest.mark.parametrize("spec", CODECS)
@given(data=st.binary(max_size=2048), context=st.binary(max_size=512))
@settings(max_examples=10, deadline=None)
def test_every_codec_gives_back_any_input(spec: str, data: bytes, context: bytes):
    one = codec(spec)
    for known in (b"", context):
        code = one.compress(data, context=known)
        assert one.decompress(code, length=len(data), context=known) == data
        assert one.code_lengths([data], context=known)[0] == 8 * len(code)


@pytest.mark.parametrize("spec", ["deflate", "zstd", "ppmd"])
def test_a_known_prefix_makes_the_code_shorter(spec: str):
    one = codec(spec)
    assert len(one.compress(PREFIX[:440], context=PREFIX)) < len(
        one.compress(PREFIX[:440])
    )


def test_every_family_has_one_superfamily_in_the_document():
    document = Path(__file__).parent.parent / "docs" / "plugins.md"
    row = re.compile(r"^\| [^|`]+ \| `([^|`]+)` \| ([^|`]+) \|$", re.MULTILINE)
    rows = row.findall(document.read_text())
    listed = {(family, name) for family, names in rows for name in names.split(", ")}
    kinds = [entry.kind for entry in REGISTRY.entries.values() if entry.kind]
    registered = {(kind.family, kind.name) for kind in kinds}
    names = {kind.name for kind in kinds}
    # Where an optional package is missing, its rows stay unchecked.
    assert registered == {pair for pair in listed if pair[1] in names}
    assert len({family for family, _ in rows}) == len(rows)


@pytest.mark.parametrize(("spec", "n_shared"), [("bz2", 10), ("bzip3", 9)])
def test_codes_of_a_block_sort_share_nothing_after_a_prefix(spec: str, n_shared: int):
    text = Path(pydoc_data.topics.__file__).read_bytes()
    prefix, sample, one = text[:32768], text[400_000:400_500], codec(spec)
    head, whole = one.pack(prefix), one.pack(prefix + sample)
    assert shared_length(head, whole) == n_shared
    # By the suffix route the sample would cost more than 40 times its own code.
    assert len(whole) - n_shared > 40 * len(one.pack(sample))


def test_an_empty_message_costs_what_the_anchors_say():
    assert len(codec("gzip").compress(b"")) == 20
    assert len(codec("zstd(frame=True)").compress(b"")) == 9
