import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.contract.artifact import identity
from harness.contract.coding import decode_each, decode_stream
from harness.contract.registry import load_plugin, load_registry
from harness.data.dataset import Dataset, Split, subset
from harness.data.load import load_dataset
from harness.tasks import rates
from harness.tasks.evaluate import Evaluation, evaluate
from harness.tasks.task import Inputs, NoParameters

REGISTRY = load_registry()
SPECS = ["store", "deflate", "zstd(level=9)", "ppmd(order=3)", "bz2", "context_model"]


def text(n: int, start: int) -> Split:
    samples = tuple(f"the {i} cats sat on mat {i * i}".encode() for i in range(n))
    return Split(samples=samples[start:], labels=np.zeros(n - start, np.int64))


def data(*, duplicated: tuple[int, ...] = ()) -> Dataset:
    mask = np.zeros(40, bool)
    mask[list(duplicated)] = True
    return Dataset(
        name="cats",
        kind="text",
        classes=("a", "b"),
        train=text(60, 0),
        test=text(100, 60),
        separator=b"\n",
        duplicated=mask,
    )


def rate(spec: str, dataset: Dataset) -> Evaluation:
    plain = REGISTRY.parse(spec)
    corpus = [sample + dataset.separator for sample in dataset.train.samples]
    inputs = Inputs(
        unfitted=plain,
        fitted=plain.fit(corpus, seed=0),
        dataset=dataset,
        seed=0,
    )
    return evaluate(rates.TASK, inputs, NoParameters(), artifact_bits=800.0)


def named(outcome: Evaluation) -> dict[str, float]:
    return {score.name: score.value for score in outcome.scores}


@pytest.mark.parametrize("spec", SPECS)
def test_every_code_decodes_to_the_samples_it_stands_for(spec: str):
    dataset = data(duplicated=(3, 7))
    outcome, plain = rate(spec, dataset), REGISTRY.parse(spec)
    fitted = plain.fit([s + b"\n" for s in dataset.train.samples], seed=0)
    names = [one.name for one in outcome.coded]
    assert len(set(names)) == len(names) == 5
    for one in outcome.coded:
        compressor = fitted if one.fitted else plain
        held = identity(fitted) if one.fitted else bytes(8)
        lengths = [len(sample) for sample in one.samples]
        if one.stream:
            back = decode_stream(
                compressor, one.codes[0], lengths, one.separator, artifact=held
            )
        else:
            back = decode_each(compressor, one.codes, lengths, artifact=held)
        assert tuple(back) == one.samples


@pytest.mark.parametrize("spec", SPECS)
def test_a_rate_is_the_bits_of_its_codes_over_the_original_bytes(spec: str):
    dataset = data()
    outcome = rate(spec, dataset)
    for one in outcome.coded:
        if len(one.samples) == len(dataset.test.samples):
            bits = 8 * sum(map(len, one.codes))
            assert named(outcome)[f"{one.name}_bpb"] == bits / dataset.test.n_bytes


@pytest.mark.parametrize("spec", ["deflate", "ppmd(order=3)", "context_model"])
def test_rates_without_duplicates_are_those_of_a_split_that_never_had_them(spec: str):
    with_them = named(rate(spec, data(duplicated=(0, 5, 39))))
    kept = [i for i in range(40) if i not in (0, 5, 39)]
    clean = data()
    clean = replace(clean, test=clean.test.take(kept), duplicated=None)
    without = named(rate(spec, clean))
    assert with_them["heldout_bpb_dedup"] == without["heldout_bpb"]
    if spec != "context_model":  # whose container has a head of its own
        assert with_them["isolated_bpb_dedup"] == without["isolated_bpb"]


def test_two_part_adds_the_weight_of_the_artifact():
    dataset = data()
    found = named(rate("zstd(level=9)", dataset))
    extra = 800 / dataset.test.n_bytes
    assert found["two_part_bpb"] == pytest.approx(found["heldout_bpb"] + extra)


def test_a_corpus_of_files_has_the_size_of_each_and_no_fitted_rates():
    files = Split(samples=(b"a" * 500, b"b" * 300), labels=np.zeros(0, np.int64))
    none = Split(samples=(), labels=np.zeros(0, np.int64))
    corpus = Dataset(
        name="c", kind="file", classes=(), train=none, test=files, names=("x", "y.txt")
    )
    found = named(rate("store", corpus))
    assert (found["coded_bytes:x"], found["coded_bytes:y.txt"]) == (500, 300)
    assert not {"heldout_bpb", "termination_bpb", "two_part_bpb"} & set(found)


def test_the_store_has_8_bits_per_byte_of_any_data():
    digits = subset(load_dataset("digits"), n_train=50, n_test=20, seed=0)
    found = named(rate("store", digits))
    assert found["cold_bpb"] == found["stream_bpb"] == found["heldout_bpb"] == 8


HERE = Path(__file__).parent.parent / "faulty_compressors.py"
KINDS = {entry.name: entry.kind for entry in load_plugin(HERE)}


def rated(model: Any, dataset: Dataset) -> Evaluation:
    corpus = [sample + dataset.separator for sample in dataset.train.samples]
    inputs = Inputs(
        unfitted=model,
        fitted=model.fit(corpus, seed=0) if corpus else model,
        dataset=dataset,
        seed=0,
    )
    return evaluate(rates.TASK, inputs, NoParameters())


def adaptive_bits(stream: bytes, history: bytes) -> float:
    """Return -log2 p of a stream by counts of all bytes before each, in plain Python."""
    counts, bits = Counter(history), 0.0
    for symbol in stream:
        n = max(counts.total(), 1)
        unit = (2**24 - 256) // n
        frequency = 1 + counts[symbol] * unit
        if symbol == 0:
            frequency += 2**24 - 256 - counts.total() * unit
        bits += 24 - math.log2(frequency)
        counts[symbol] += 1
    return bits


def test_a_model_that_writes_no_bytes_has_its_likelihood_as_its_only_rate():
    dataset = data(duplicated=(3, 7))
    outcome = rated(KINDS["likelihood_only"](), dataset)
    assert [s.name for s in outcome.scores] == [
        "likelihood_bpb",
        "likelihood_bpb_dedup",
    ]
    assert outcome.coded == ()
    score = outcome.scores[0]
    history = b"".join(s + b"\n" for s in dataset.train.samples)
    stream = b"".join(s + b"\n" for s in dataset.test.samples)
    expected = adaptive_bits(stream, history) / dataset.test.n_bytes
    assert score.value == pytest.approx(expected)
    assert score.ci_low < score.value < score.ci_high
    assert not score.is_ranked
    assert (score.realised, score.state) == ("likelihood", "fit(train)")


def test_the_likelihood_of_a_network_is_its_coded_rate_less_the_coder():
    dataset = data()
    spec = "byte_gru(size='10k', steps=3)"
    scores = named(rate(spec, dataset))
    excess = scores["heldout_bpb"] - scores["likelihood_bpb"]
    # Container and range coder cost some bytes, and nothing per symbol.
    assert 0 < excess * dataset.test.n_bytes < 8 * 64


@pytest.mark.parametrize("spec", ["deflate", "context_model"])
def test_what_adapts_and_writes_bytes_has_no_likelihood_beside_them(spec: str):
    assert "likelihood_bpb" not in named(rate(spec, data()))


def test_a_likelihood_without_train_is_that_of_the_unfitted_model():
    dataset = replace(data(), train=text(60, 60), duplicated=None)
    (score,) = rated(KINDS["likelihood_only"](), dataset).scores
    stream = b"".join(s + b"\n" for s in dataset.test.samples)
    assert score.value == pytest.approx(
        adaptive_bits(stream, b"") / dataset.test.n_bytes
    )
    assert score.state == "unfitted"
