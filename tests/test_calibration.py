"""Codes of sources whose probabilities are known (SCIENCE: sources with a known answer)."""

from dataclasses import replace
from functools import cache

import pytest

from harness.contract.artifact import identity
from harness.contract.coding import code_stream, payload_of
from harness.contract.registry import load_registry
from harness.data.dataset import Dataset, Split
from harness.data.load import load_dataset

REGISTRY = load_registry()
SOURCES = ["iid", "markov2", "xor3", "hidden_markov"]
# Structure that no practical compressor finds: their bits are those of uniform symbols.
BEYOND = ["seeded_bytes", "pi_digits"]
SPECS = [
    "deflate",
    "zstd(level=19)",
    "brotli",
    "lzma",
    "bz2",
    "bzip3",
    "order0",
    "ppmd",
    "ppmd(order=2)",
    *(f"context_model(order={k})" for k in (0, 1, 2, 3, 6)),
    "mix",
    "ctw",
    "lz78",
    "lz78(inverse_gamma=4096)",
]
SLACK_BITS = 30
# The shortest description of each source among the models here; bits per symbol.
CAPABLE = {
    "iid": "context_model(order=0)",
    "markov2": "context_model(order=2)",
    "xor3": "context_model(order=3)",
    "hidden_markov": "context_model(order=6)",
}


@cache
def source(name: str) -> Dataset:
    return load_dataset(name)


def coded_bits(spec: str, dataset: Dataset) -> int:
    entry = REGISTRY.entries[spec.split("(", maxsplit=1)[0]]
    if entry.kind is None:
        pytest.skip(entry.unavailable)
    fitted = REGISTRY.parse(spec).fit(list(dataset.train.samples), seed=0)
    code = code_stream(fitted, dataset.test.samples, b"", artifact=identity(fitted))
    return 8 * len(code)


@pytest.mark.parametrize("name", [*SOURCES, *BEYOND])
@pytest.mark.parametrize("spec", SPECS)
def test_no_code_is_shorter_than_the_source_allows(spec: str, name: str):
    dataset = source(name)
    assert coded_bits(spec, dataset) > dataset.true_bits.sum() - SLACK_BITS


def excess_bits(spec: str, name: str) -> float:
    dataset = source(name)
    return coded_bits(spec, dataset) - float(dataset.true_bits.sum())


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("model", ["the source's own order", "ctw"])
def test_a_capable_model_comes_within_2_percent_or_a_hundredth_of_a_bit(
    model: str, name: str
):
    dataset = source(name)
    true, n = float(dataset.true_bits.sum()), dataset.test.n_bytes
    spec = "ctw" if model == "ctw" else CAPABLE[name]
    assert excess_bits(spec, name) < max(0.02 * true, 0.01 * n)


@pytest.mark.parametrize("name", ["iid", "markov2", "hidden_markov"])
def test_weighting_all_trees_costs_less_than_half_a_percent(name: str):
    # The order of the source is not among its fields: it weighs all up to its depth.
    assert excess_bits("ctw", name) < 0.005 * source(name).true_bits.sum()


@pytest.mark.parametrize("name", SOURCES)
def test_the_incremental_parse_comes_near_a_source_slowly(name: str):
    dataset = source(name)
    text, codec = b"".join(dataset.train.samples), REGISTRY.parse("lz78")
    # Bits per symbol of an eighth and of all: its redundancy falls as 1 / log n.
    short, long = codec.code_lengths([text[: len(text) // 8], text])
    per_symbol = float(dataset.true_bits.sum()) / dataset.test.n_bytes
    assert per_symbol < long / len(text) < 0.95 * short / (len(text) // 8)


@pytest.mark.parametrize("symbol", [0, 1, 255])
def test_a_run_of_one_symbol_is_no_cheaper_than_its_model_says(symbol: int):
    # Numbers of such codes may begin with settled zeros, which belong to them.
    run = bytes([symbol]) * 20_000
    for order in (0, 3):
        model = REGISTRY.parse(f"context_model(order={order})")
        (ideal,) = model.code_lengths([run])
        assert 8 * len(payload_of(model, [run], context=b"")) > ideal - SLACK_BITS


def test_a_code_that_knows_the_test_split_is_caught():
    known = source("iid")
    cheat = replace(
        known, train=Split(samples=known.test.samples, labels=known.test.labels)
    )
    bits = coded_bits("zstd(level=19)", cheat)
    assert bits < known.true_bits.sum() - SLACK_BITS
