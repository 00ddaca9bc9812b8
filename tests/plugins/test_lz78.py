"""LZ78 against a parse with dictionaries, its formula in fractions, and known sources."""

import math
import pydoc_data.topics
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import SpecError
from harness.contract.registry import load_plugin
from harness.data.generators import generate

PATH = Path(__file__).parents[2] / "plugins" / "lz78"
TEXT = Path(pydoc_data.topics.__file__).read_bytes()

# By the registry: numba finds its cache by the name under which a plugin was imported.
Lz78 = load_plugin(PATH)[0].kind


def by_dictionaries(data: bytes, gamma: float) -> tuple[set[bytes], float]:
    """Phrases of the incremental parse, and the code length of the formula, in bits."""
    phrases, counts, phrase, bits = {b""}, defaultdict(Counter), b"", 0.0
    for i in range(len(data)):
        symbol, node = data[i : i + 1], counts[phrase]
        bits -= math.log2((node[symbol] + gamma) / (node.total() + 256 * gamma))
        node[symbol] += 1
        phrase += symbol
        if phrase not in phrases:
            phrases.add(phrase)
            phrase = b""
    return phrases, bits


def phrases_of(codec, data: bytes) -> set[bytes]:
    machine = codec.machine()
    machine.prime(data)
    model = machine.model
    compiled = __import__(f"{Lz78.__module__}.compiled", fromlist=["_"])
    paths, stack = set(), [(0, b"")]
    while stack:
        node, path = stack.pop()
        paths.add(path)
        child = model.nodes[node, compiled.FIRST]
        while child != compiled.EMPTY:
            stack.append((child, path + bytes([model.nodes[child, compiled.SYMBOL]])))
            child = model.nodes[child, compiled.NEXT]
    return paths


few = st.lists(st.sampled_from(b"ab \xff"), max_size=60).map(bytes)
any_data = st.one_of(st.binary(max_size=300), few)


@settings(max_examples=25, deadline=None)
@given(data=any_data)
def test_the_tree_holds_the_phrases_of_the_parse(data: bytes):
    assert phrases_of(Lz78(), data) == by_dictionaries(data, 1)[0]


@pytest.mark.parametrize("inverse", [1, 2, 256])
@pytest.mark.parametrize(
    "data",
    [TEXT[:20000], bytes(20000), b"\xff" * 20000, bytes(range(256)) * 9],
    ids=["text", "zeros", "ones", "all"],
)
def test_codes_have_the_length_of_the_formula(data: bytes, inverse: int):
    want = by_dictionaries(data, 1 / inverse)[1]
    coded = 8 * len(Lz78(inverse_gamma=inverse).pack(data))
    assert want - 9 < coded < 1.0001 * want + 9


def test_a_full_tree_learns_no_phrase_and_still_codes():
    codec, text = Lz78(max_nodes=100), TEXT[:20000]
    assert len(phrases_of(codec, text)) == 101
    code = codec.pack(text)
    assert codec.unpack(code, len(text)) == text
    assert len(code) > len(Lz78().pack(text))


@pytest.mark.parametrize(
    ("process", "parameters"),
    [
        ("iid", {"probabilities": [0.5, 0.25, 0.2, 0.05]}),
        ("markov2", {"ones": [0.9, 0.3, 0.6, 0.05]}),
    ],
)
def test_no_code_is_shorter_than_the_source_allows(process, parameters):
    symbols, ideal = generate(process, parameters, (4, 20000), seed=3)
    got = Lz78().code_lengths([row.tobytes() for row in symbols])
    assert (got > ideal - 30).all()
    # LZ78 comes near the entropy slowly: the first excess is over log n.
    assert (got < 8 * 20000 / 2).all()


def test_the_second_of_two_equal_blocks_costs_over_half_of_the_first():
    block = np.random.default_rng(7).bytes(1024)
    (alone,) = Lz78().code_lengths([block])
    (second,) = Lz78().code_lengths([block], context=block)
    # The reason for which the check `window` is waived: .83 of the first.
    assert 0.8 * alone < second < 0.86 * alone


@pytest.mark.parametrize("fields", [{"inverse_gamma": 0}, {"max_nodes": 0}])
def test_illegal_fields_are_refused(fields: dict[str, int]):
    with pytest.raises(SpecError, match=next(iter(fields))):
        Lz78(**fields)
