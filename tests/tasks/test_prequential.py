"""The prequential code decodes, and is as long as the bytes that were written."""

import gzip
from dataclasses import dataclass, replace

import numpy as np
import pytest

from harness import Codec, NotApplicableError, Stepwise
from harness.contract.coding import NO_ARTIFACT, code_stream, decode_stream
from harness.contract.online_code import (
    block_lengths,
    decode_blocks,
    learner_of,
    sample_spans,
)
from harness.contract.registry import load_registry
from harness.data.dataset import Dataset, Split
from harness.tasks.evaluate import evaluate
from harness.tasks.prequential import TASK, Parameters, bits_learned, require_adaptive
from harness.tasks.task import Inputs

REGISTRY = load_registry()
DATA = Dataset(
    name="lines",
    kind="text",
    classes=(),
    train=Split(samples=(b"the cat sat", b"the dog"), labels=np.empty(0, np.int64)),
    test=Split(samples=(b"", b"the cat sat on"), labels=np.empty(0, np.int64)),
    separator=b"\n",
)


def inputs(compressor: object) -> Inputs:
    return Inputs(
        unfitted=compressor,
        fitted=compressor,
        dataset=DATA,
        seed=0,
    )


def test_the_rate_is_that_of_gzip_on_the_joined_file_over_bytes_without_separators():
    joined = b"the cat sat\nthe dog\n\nthe cat sat on\n"
    score, _ = evaluate(TASK, inputs(REGISTRY.parse("gzip")), Parameters()).scores
    expected = 8 * len(gzip.compress(joined, 9)) / (11 + 7 + 0 + 14)
    assert (score.name, score.value) == ("prequential_bpb", pytest.approx(expected))
    assert (score.realised, score.state) == ("decoded", "unfitted")


@pytest.mark.parametrize("spec", ["zstd", "ppmd", "context_model(order=2)", "store"])
def test_train_and_test_come_back_from_the_code_with_nothing_known(spec: str):
    compressor = REGISTRY.parse(spec)
    outcome = evaluate(TASK, inputs(compressor), Parameters())
    (coded,) = outcome.coded
    assert coded.samples == DATA.train.samples + DATA.test.samples
    assert not coded.fitted
    back = decode_stream(
        compressor,
        coded.codes[0],
        [len(sample) for sample in coded.samples],
        coded.separator,
        artifact=NO_ARTIFACT,
    )
    assert tuple(back) == coded.samples
    assert outcome.scores[0].value * 32 == pytest.approx(8 * len(coded.codes[0]))


def test_a_network_goes_by_blocks_and_comes_back_from_what_the_decoder_is_told():
    network = REGISTRY.parse("byte_gru(size='10k')")
    outcome = evaluate(TASK, inputs(network), Parameters(budget=2))
    (score, learned), (coded,) = outcome.scores, outcome.coded
    assert coded.schedule is not None
    assert (coded.schedule.budget, coded.schedule.seed) == (2, 0)
    lengths = [len(sample) for sample in coded.samples]
    told = learner_of(network, coded.schedule)
    back = decode_blocks(told, coded.codes[0], lengths, coded.separator)
    assert tuple(back) == DATA.train.samples + DATA.test.samples
    assert score.value * 32 == pytest.approx(8 * len(coded.codes[0]))
    # Samples end at 11, 18, 18 and 32 bytes: nearest to 1/64 .. 1/4 of 32 (and to the
    # least, one sample) is 11, to 1/2 is 18, so that there are three blocks.
    assert score.note.endswith("by blocks, 2 fits of 2 steps")
    assert score.realised == "decoded"
    # The last of the blocks holds 14 bytes, and its bytes end the code.
    *earlier, final = block_lengths(coded.codes[0])
    assert sum(earlier) + final == len(coded.codes[0])
    area = 8 * sum(earlier) - 8 * final / 14 * 18
    assert learned.value == pytest.approx(area)


def test_the_bits_learned_along_a_power_law_are_its_integral_above_the_end():
    # Rate 2 + 3 / sqrt(n) after n bytes: the area above the rate at N is
    # 3 * integral of (1 / sqrt(n) - 1 / sqrt(N)) = 3 * sqrt(N).
    n_bytes = 1 << 20
    ends = np.arange(0, n_bytes + 1, 64)
    totals = 2 * ends + 6 * np.sqrt(ends)
    area = bits_learned(np.diff(totals), np.diff(ends))
    assert area == pytest.approx(3 * np.sqrt(n_bytes), rel=1e-3)


def test_the_bits_learned_are_worked_out_by_hand_and_never_clipped():
    sizes = np.array([10, 20, 40])
    assert bits_learned(np.array([80.0, 60.0, 40.0]), sizes) == 70 + 40
    assert bits_learned(np.array([10.0, 20.0, 80.0]), sizes) == -10 - 20
    assert bits_learned(np.array([80.0, 60.0, 40.0, 8.0]), np.append(sizes, 0)) == 110
    assert bits_learned(np.array([16.0]), np.array([0])) == 0


def test_a_stream_has_learned_what_it_pays_above_the_rate_of_its_last_block():
    lines = tuple(b"the %d cats sat on the mat" % i for i in range(64))
    empty = np.empty(0, np.int64)
    dataset = replace(
        DATA, train=Split(samples=lines, labels=empty), test=DATA.test.take(empty)
    )
    given = replace(inputs(REGISTRY.parse("zstd")), dataset=dataset)
    scores = {s.name: s.value for s in evaluate(TASK, given, Parameters()).scores}
    lengths = [len(line) for line in lines]
    start = sample_spans(lengths)[-1][0]
    whole, head = (
        8 * len(code_stream(given.unfitted, part, b"\n", artifact=NO_ARTIFACT))
        for part in (lines, lines[:start])
    )
    final = (whole - head) / sum(lengths[start:])
    assert scores["learned_bits"] == pytest.approx(whole - final * sum(lengths))
    assert scores["learned_bits"] > 0


def test_what_is_fitted_beforehand_or_stands_still_has_no_prequential_code():
    @dataclass(frozen=True, kw_only=True)
    class Still(type(REGISTRY.parse("context_model"))):
        name = "still"
        adapts = False

    @dataclass(frozen=True, kw_only=True)
    class Needy(type(REGISTRY.parse("store"))):
        name = "needy"
        needs = frozenset({"fit"})

    assert issubclass(Still, Stepwise)
    assert issubclass(Needy, Codec)
    with pytest.raises(NotApplicableError, match="still does not learn"):
        require_adaptive(Still())
    with pytest.raises(NotApplicableError, match="needy must be fitted"):
        evaluate(TASK, inputs(Needy()), Parameters())
    assert not TASK.reads_fit
