"""Codes of sources whose probabilities are known (SCIENCE: sources with a known answer)."""

from dataclasses import replace
from functools import cache

import pytest

from harness.contract.artifact import identity
from harness.contract.coding import code_stream
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


@pytest.mark.parametrize("name", SOURCES)
def test_a_capable_model_comes_within_2_percent_or_a_hundredth_of_a_bit(name: str):
    dataset = source(name)
    true, n = float(dataset.true_bits.sum()), dataset.test.n_bytes
    excess = coded_bits(CAPABLE[name], dataset) - true
    assert excess < max(0.02 * true, 0.01 * n)


def test_a_code_that_knows_the_test_split_is_caught():
    known = source("iid")
    cheat = replace(
        known, train=Split(samples=known.test.samples, labels=known.test.labels)
    )
    bits = coded_bits("zstd(level=19)", cheat)
    assert bits < known.true_bits.sum() - SLACK_BITS
