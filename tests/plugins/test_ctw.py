"""Context tree weighting against its definition in fractions, its bound, known sources."""

import math
import pydoc_data.topics
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from harness import SpecError
from harness.contract.registry import load_plugin
from harness.data.generators import generate

PATH = Path(__file__).parents[2] / "plugins" / "ctw"
TEXT = Path(pydoc_data.topics.__file__).read_bytes()

# By the registry: numba finds its cache by the name under which a plugin was imported.
Ctw = load_plugin(PATH)[0].kind


def small(**fields):
    return Ctw(**{"depth": 3, "table_bits": 18, **fields})


def weighted(events, level: int, depth: int) -> Fraction:
    """P_w of the bits of a context, by the recursion of the paper."""
    estimate, counts = Fraction(1), [0, 0]
    for _, bit in events:
        estimate *= Fraction(2 * counts[bit] + 1, 2 * sum(counts) + 2)
        counts[bit] += 1
    # Zero redundancy: a quarter each for "always 0" and "always 1".
    estimate = estimate / 2 + Fraction((0 in counts) + (not any(counts)), 4)
    if level == depth:
        return estimate
    children = defaultdict(list)
    for context, bit in events:
        children[context[level]].append((context, bit))
    product = Fraction(1)
    for child in children.values():
        product *= weighted(child, level + 1, depth)
    return (estimate + product) / 2


def bits_by_definition(data: bytes, depth: int) -> float:
    events = defaultdict(list)
    padded = bytes(depth) + data
    for i, symbol in enumerate(data):
        context = padded[i : i + depth][::-1]
        for shift in range(7, -1, -1):
            node = (1 << (7 - shift)) | symbol >> (shift + 1)
            events[node].append((context, symbol >> shift & 1))
    bits = 0.0
    for of_node in events.values():
        p = weighted(of_node, 0, depth)
        bits += math.log2(p.denominator) - math.log2(p.numerator)
    return bits


def bits_predicted(data: bytes, depth: int) -> float:
    compiled = __import__(f"{Ctw.__module__}.compiled", fromlist=["_"])
    machine, bits = small(depth=depth, table_bits=22).machine(), 0.0
    machine.prime(b"")
    machine.reserve(len(data))
    model = machine.model
    for symbol in data:
        compiled._begin_byte(model)
        for shift in range(7, -1, -1):
            bit = symbol >> shift & 1
            p = compiled._predict(model) / 2**24
            bits -= math.log2(p if bit else 1 - p)
            compiled._learn_bit(model, bit)
        compiled._end_byte(model)
    return bits


@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize(
    "data",
    [b"abracadabra, abracadabra!", bytes(90), b"\xff" * 90, TEXT[:150]],
    ids=["repeats", "zeros", "ones", "text"],
)
def test_code_lengths_are_those_of_the_definition(data: bytes, depth: int):
    want = bits_by_definition(data, depth)
    assert bits_predicted(data, depth) == pytest.approx(want, abs=0.05)
    coded = 8 * len(small(depth=depth).pack(data))
    assert want - 9 < coded < want + 9


def test_a_tree_source_costs_no_more_than_the_bound_of_willems():
    # P(1) after ..1, 00 and 10; only the last bit of a byte is random.
    rng, ones = np.random.default_rng(1), {b"1": 0.9, b"00": 0.2, b"10": 0.6}
    data, ideal, uses = bytearray(), 0.0, dict.fromkeys(ones, 0)
    for draw in rng.random(20000):
        past = (b"00" + bytes(data[-2:]))[-2:]
        leaf = next(s for s in ones if past.endswith(s))
        bit = int(draw < ones[leaf])
        ideal -= math.log2(ones[leaf] if bit else 1 - ones[leaf])
        uses[leaf] += 1
        data.append(ord("0") + bit)
    # Of Krichevsky and Trofimov, whose share of the estimate is one half.
    estimates = sum(0.5 * math.log2(n) + 1 + 1 for n in uses.values())
    # Seven nodes of the tree, with those of the zeros before the start, two of them leaves.
    bound = 7 + estimates + 2
    # The other seven bits are constant: the root alone is a tree for each, and of its
    # estimate a quarter says "always".
    bound += 7 * (1 + 2)
    coded = 8 * len(small().pack(bytes(data)))
    assert ideal - 30 < coded < ideal + bound + 16


@pytest.mark.parametrize(
    ("process", "parameters"),
    [
        ("iid", {"probabilities": [0.5, 0.25, 0.2, 0.05]}),
        ("markov2", {"ones": [0.9, 0.3, 0.6, 0.05]}),
    ],
)
def test_a_source_is_coded_near_its_entropy_and_never_below(process, parameters):
    symbols, ideal = generate(process, parameters, (4, 20000), seed=3)
    got = small().code_lengths([row.tobytes() for row in symbols])
    assert (got > ideal - 30).all()
    assert (got < 1.02 * ideal + 200).all()


def test_a_full_table_still_codes_and_keeps_the_short_contexts():
    codec, text = small(table_bits=16), TEXT[:30000]
    code = codec.pack(text)
    assert codec.unpack(code, len(text)) == text
    assert len(code) < len(small(depth=0).pack(text))


def test_contexts_help_on_text():
    lengths = [len(Ctw(depth=d).pack(TEXT[:30000])) for d in (0, 1, 3)]
    assert lengths[2] < 0.8 * lengths[1] < 0.8 * 0.9 * lengths[0]


@pytest.mark.parametrize("fields", [{"depth": -1}, {"depth": 25}, {"table_bits": 8}])
def test_illegal_fields_are_refused(fields: dict[str, int]):
    with pytest.raises(SpecError, match=next(iter(fields))):
        Ctw(**fields)
