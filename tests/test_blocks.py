"""Codes by blocks come back, cost what their models say, and refuse another training."""

import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import Stepwise, Trains
from harness.contract.coding import code_after, decode_after, encode
from harness.contract.compressor import TOTAL_FREQUENCY
from harness.contract.online_code import (
    CACHE_SIZE,
    Learner,
    Schedule,
    Uniform,
    byte_spans,
    decode_blocks,
    encode_blocks,
    learner_of,
    needs_blocks,
    online,
    sample_spans,
)
from harness.contract.registry import load_registry
from harness.errors import CodingError, ContainerError, NotApplicableError
from harness.records.store import Store

BITPROBE = Path(sys.executable).parent / "bitprobe"
LEVELS = 16
CALLS: list[tuple[bytes, ...]] = []


@dataclass(frozen=True, kw_only=True)
class Counting(Stepwise, Trains):
    """Symbols are as likely as they were often; steps weigh, and the seed breaks, counts."""

    name = "counting"
    family = "counting"
    needs = frozenset({"fit"})
    steps: int = 1000
    seconds: float | None = None
    reversed_pairs: bool = False

    @property
    def alphabet(self) -> int:
        return LEVELS

    def fit(self, corpus: Sequence[bytes], *, seed: int) -> Self:
        CALLS.append(tuple(corpus))
        before = np.zeros(LEVELS) if self.learned is None else self.learned["counts"]
        symbols = np.frombuffer(b"".join(corpus), np.uint8)
        counts = np.bincount(np.minimum(symbols, LEVELS - 1), minlength=LEVELS)
        noise = np.random.default_rng(seed).random(LEVELS)
        return replace(
            self, learned={"counts": before + self.steps * counts + 0.01 * noise}
        )

    def budgeted(self, steps: int) -> Self:
        return replace(self, steps=steps, seconds=None)

    def trained(
        self,
        corpus: Sequence[bytes],
        values: Sequence[int] | None = None,
        *,
        seed: int,
        watch: Any = None,
    ) -> Iterator[Self]:
        raise NotImplementedError

    def arrange(self, samples: Sequence[bytes]) -> list[bytes]:
        return [_swapped(one) if self.reversed_pairs else one for one in samples]

    def rearrange(self, arranged: Sequence[bytes]) -> list[bytes]:
        return self.arrange(arranged)

    def start(self, n: int, *, context: bytes = b"") -> None:
        pass

    def step(self, state: None, symbols: Any) -> tuple[None, Any]:
        counts = self.learned["counts"] + 1.0
        row = 1 + np.floor(counts / counts.sum() * (TOTAL_FREQUENCY - LEVELS))
        row[0] += TOTAL_FREQUENCY - row.sum()
        return state, np.tile(row.astype(np.int64), (len(symbols), 1))


def _swapped(sample: bytes) -> bytes:
    """Exchange the symbols of whole pairs; done twice it is undone."""
    whole = len(sample) // 2 * 2
    pairs = np.frombuffer(sample[:whole], np.uint8).reshape(-1, 2)
    return pairs[:, ::-1].tobytes() + sample[whole:]


def learner(*, budget: int | None = 5, seed: int = 0, **fields: Any) -> Learner:
    return learner_of(Counting(**fields), Schedule(budget=budget, seed=seed))


def bits(data: bytes, context: bytes = b"", **how: Any) -> int:
    one = learner(**how)
    return 8 * len(code_after(online(one.model, one, len(data)), data, context))


def decoded(code: bytes, n: int, context: bytes = b"", **how: Any) -> bytes:
    one = learner(**how)
    return decode_after(online(one.model, one, n), code, n, context)


octets = st.binary(max_size=300)
symbols = st.lists(st.integers(0, LEVELS - 1), max_size=300).map(bytes)


@given(lengths=st.lists(st.integers(0, 50), max_size=40))
def test_blocks_of_samples_cover_them_once_in_order(lengths: list[int]):
    spans = sample_spans(lengths)
    assert [spans[0][0], spans[-1][1]] == [0, len(lengths)]
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert len(spans) <= 7
    # Whoever is fitted on the first block has something to be fitted on.
    assert sum(lengths[slice(*spans[0])]) > 0 or sum(lengths) == 0


def test_the_first_64th_is_a_block_and_the_others_double():
    ends = [2, 4, 8, 16, 32, 64, 128]
    assert byte_spans(128) == list(zip([0, *ends[:-1]], ends, strict=True))
    assert sample_spans([1] * 128) == byte_spans(128)
    # 640 bytes in samples of 30: 10, 20, 40, 80, 160, 320 are nearest to 30, .., 330.
    assert [stop for _, stop in sample_spans([30] * 21 + [10])] == [1, 3, 5, 11, 22]
    assert byte_spans(0) == [(0, 0)]
    assert byte_spans(1) == [(0, 1)]
    assert byte_spans(3) == [(0, 1), (1, 2), (2, 3)]


@given(samples=st.lists(st.one_of(octets, symbols), max_size=30), end=octets)
def test_samples_come_back_from_their_blocks(samples: list[bytes], end: bytes):
    code = encode_blocks(learner(), samples, end)
    lengths = [len(sample) for sample in samples]
    assert decode_blocks(learner(), code, lengths, end) == samples


@pytest.mark.parametrize("swapped", [False, True])
@given(y=st.one_of(octets, symbols), x=symbols)
def test_a_stream_comes_back_from_its_blocks_and_its_context(
    y: bytes,
    x: bytes,
    *,
    swapped: bool,
):
    one = learner(reversed_pairs=swapped)
    code = code_after(online(one.model, one, len(y)), y, x)
    assert decoded(code, len(y), x, reversed_pairs=swapped) == y


def test_the_uniform_model_costs_log2_of_the_alphabet_per_symbol():
    for levels in (2, 17, 256):
        sample = bytes(i % levels for i in range(1000))
        (length,) = Uniform(levels=levels).code_lengths([sample])
        assert length == pytest.approx(1000 * math.log2(levels), rel=1e-4)
    code = encode(Uniform(levels=17), [bytes(i % 17 for i in range(8000))])
    assert len(code) == pytest.approx(8000 * math.log2(17) / 8, abs=40)


def test_a_stream_costs_the_sum_of_its_blocks_by_models_of_what_stands_before():
    y = bytes(np.random.default_rng(0).integers(0, 4, 640, np.uint8))
    one = learner()
    (length,) = online(one.model, one, 640).code_lengths([y])
    model, expected = one.model, 10 * math.log2(LEVELS)
    for start, stop in [(10, 20), (20, 40), (40, 80), (80, 160), (160, 320)]:
        fitted = model.fit([y[:start]], seed=0)
        expected += fitted.code_lengths([y[start:stop]]).sum()
    expected += model.fit([y[:320]], seed=0).code_lengths([y[320:]]).sum()
    assert length == pytest.approx(expected)
    assert expected <= bits(y) <= expected + 8 * 30  # one container, one coder


def test_given_x_the_first_block_is_coded_by_the_model_of_x_and_the_others_start_there():
    rng = np.random.default_rng(1)
    x, y = (bytes(rng.integers(0, 4, 128, np.uint8)) for _ in range(2))
    one = learner()
    (length,) = online(one.model, one, 128).code_lengths([y], context=x)
    of_x = one.model.fit([x], seed=0)
    expected = of_x.code_lengths([y[:2]]).sum()
    for start in (2, 4, 8, 16, 32, 64):
        fitted = of_x.fit([y[:start]], seed=0)
        expected += fitted.code_lengths([y[start : 2 * start]]).sum()
    assert length == pytest.approx(expected)


def test_samples_cost_the_sum_of_their_blocks_and_every_fit_sees_separators():
    rng = np.random.default_rng(2)
    samples = [bytes(rng.integers(0, 4, 40, np.uint8)) for _ in range(128)]
    CALLS.clear()
    code = encode_blocks(learner(), samples, b"\x0f")
    fits = [tuple(s + b"\x0f" for s in samples[: 1 << k]) for k in range(1, 7)]
    assert fits == CALLS
    model, expected = learner().model, 80 * math.log2(LEVELS)
    for fit in fits:
        later = samples[len(fit) : 2 * len(fit)]
        expected += model.fit(fit, seed=0).code_lengths(later).sum()
    assert expected <= 8 * len(code) <= expected + 8 * (30 + 7 * 15)


def test_a_text_costs_less_once_it_is_known_and_unlike_text_does_not_help():
    rng = np.random.default_rng(3)
    y = bytes(rng.integers(0, 3, 600, np.uint8))
    other = bytes(rng.integers(8, 16, 600, np.uint8))
    assert bits(y, y) < bits(y) < bits(y, other)


@pytest.mark.parametrize("wrong", [{"seed": 1}, {"budget": 6}])
def test_another_training_is_refused_and_gives_no_wrong_bytes(wrong: dict[str, int]):
    rng = np.random.default_rng(4)
    y = bytes(rng.integers(0, 3, 2000, np.uint8))
    one = learner()
    code = code_after(online(one.model, one, len(y)), y, b"")
    assert decoded(code, len(y)) == y
    with pytest.raises(ContainerError):
        decoded(code, len(y), **wrong)
    samples = [y[i : i + 100] for i in range(0, len(y), 100)]
    code = encode_blocks(one, samples, b"")
    with pytest.raises(ContainerError):
        decode_blocks(learner(**wrong), code, [100] * 20, b"")


def test_a_damaged_code_is_refused_wherever_it_is_cut_or_flipped():
    samples = [bytes([i % 3] * 20) for i in range(12)]
    code, lengths = encode_blocks(learner(), samples, b""), [20] * 12
    for cut in range(len(code)):
        with pytest.raises(ContainerError):
            decode_blocks(learner(), code[:cut], lengths, b"")
    with pytest.raises(ContainerError, match="after its last block"):
        decode_blocks(learner(), code + b"\0", lengths, b"")
    for place in range(len(code)):
        flipped = bytearray(code)
        flipped[place] ^= 0x10
        with pytest.raises(ContainerError):
            decode_blocks(learner(), bytes(flipped), lengths, b"")


def test_nothing_is_fitted_twice_and_c_of_xy_reuses_what_x_needed():
    rng = np.random.default_rng(5)
    x, y = (bytes(rng.integers(0, 4, 256, np.uint8)) for _ in range(2))
    one = learner()
    CALLS.clear()
    for data, known in ((x, b""), (y, b""), (y, x), (x + y, b""), (y, b"")):
        code_after(online(one.model, one, len(data)), data, known)
    # Six of X, six of Y, X itself, six of Y after X; those of XY are all prefixes of X.
    assert len(CALLS) == 6 + 6 + 1 + 6


def test_a_learner_holds_a_limited_number_of_models():
    one = learner()
    for i in range(CACHE_SIZE + 10):
        one.after((bytes([i % LEVELS, i // LEVELS]),))
    assert len(one.cache) == CACHE_SIZE


def test_what_stays_unfitted_or_cannot_repeat_its_training_has_no_blocks():
    registry = load_registry()
    assert needs_blocks(Counting())
    for spec in ("gzip", "online_gru", "context_model", "order0"):
        assert not needs_blocks(registry.parse(spec)), spec
    schedule = Schedule(budget=None, seed=0)
    with pytest.raises(NotApplicableError, match="has no blocks"):
        learner_of(registry.parse("gzip"), schedule)
    with pytest.raises(NotApplicableError, match="limit in seconds"):
        learner_of(Counting(seconds=1.0), schedule)
    learner(budget=3, seconds=1.0)  # a budget of steps takes the clock's place

    @dataclass(frozen=True, kw_only=True)
    class Vague(Counting):
        name = "vague"
        determinism = "likelihood"

    with pytest.raises(NotApplicableError, match="likelihoods only"):
        learner_of(Vague(), schedule)


def test_notes_say_how_long_each_fit_is():
    def told(spec: str, budget: int | None) -> list[str]:
        schedule = Schedule(budget=budget, seed=0)
        one = learner_of(load_registry().parse(spec), schedule)
        return [one.steps, one.steps_after_x]

    spec = "byte_gru(steps=500, adapt_steps=20)"
    assert told(spec, None) == ["500 steps", "500 steps, after X 20"]
    assert told(spec, 7) == ["7 steps", "7 steps"]
    assert told("byte_gru(passes=2.0)", None)[0] == "the budget of the spec"


def test_a_blockwise_model_reads_one_stream_inside_its_alphabet():
    one = learner()
    model = online(one.model, one, 10)
    assert isinstance(model, Stepwise)
    with pytest.raises(CodingError, match="one stream"):
        model.start(2)
    with pytest.raises(NotApplicableError, match="byte 200"):
        code_after(model, bytes(10), b"\xc8")
    with pytest.raises(NotApplicableError, match="is fitted on"):
        model.fit([b""], seed=0)


SUITE = """
name = "tiny"
title = "networks by blocks"
compressors = ["pixel_transformer(size='10k')"]
datasets = [{ name = "digits", train = 40, test = 20 }]
tasks = [
  { name = "prequential", budget = 3 },
  { name = "joint", budget = 3, n_bytes = 320, scales = [1.0], n_classes = 1 },
]
"""


def test_a_network_is_trained_again_and_decoded_in_a_fresh_process(tmp_path: Path):
    suite = tmp_path / "tiny.toml"
    suite.write_text(SUITE)
    folder = tmp_path / "run"
    command = [BITPROBE, "run", str(suite), "--output", str(folder), "-j", "1"]
    subprocess.run(command, capture_output=True, check=True)
    records = Store(folder).read_all()
    assert all(record.is_done for record in records), [r.reason for r in records]
    by_task = {record.job.task: record for record in records}
    prequential = {score.name: score for score in by_task["prequential"].scores}
    rate = prequential["prequential_bpb"]
    assert rate.realised == "decoded"
    assert rate.note.endswith("by blocks, 6 fits of 3 steps")
    assert 0 < rate.value < 5
    joint = {score.name: score for score in by_task["joint"].scores}
    assert "saved_bpb:same_data:x1" in joint
    # X is in the weights, which no window gates.
    assert not any(score.beyond_window for score in joint.values())
    for task in ("prequential", "joint"):
        assert by_task[task].cost.decode_cpu_seconds > 0
