"""Linear attention: its sums in float, and that its integers are integers."""

import hashlib
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import START, SpecError
from harness.conformance import check_all
from harness.contract import artifact, coding
from harness.contract.registry import load_plugin
from harness.folders import builtin_folder

PATH = builtin_folder("plugins") / "byte_linear_attention"
KIND: Any = load_plugin(PATH)[0].kind
BASE = f"{KIND.__module__.split('.')[0]}._linear_attention"
SCAN, ENGINE, INTEGERS, ARCHITECTURE = (
    import_module(f"{BASE}.{name}")
    for name in ("scan", "engine", "integers", "architecture")
)
NETS = SimpleNamespace(**run_path(str(Path(__file__).with_name("networks.py"))))
TEXT, UNSEEN, rows_of = NETS.TEXT, NETS.UNSEEN, NETS.rows_of
PlainIntegers = run_path(str(Path(__file__).with_name("linear_attention_integers.py")))[
    "PlainIntegers"
]
PARTS = 1 << 16


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any]:
    """Return a fitted model and its float network."""
    pair: tuple[Any, Any] = NETS.trained(KIND(size="10k", steps=150), NETS.TRAIN)
    return pair


@pytest.fixture(scope="module")
def fitted(trained: tuple[Any, Any]) -> Any:
    return trained[0]


def plain_attention(q: Any, k: Any, v: Any, decay: Any) -> Any:
    """Return the sums of linear attention by all pairs of steps; numpy or torch."""
    steps = np.arange(q.shape[1])
    distance = steps[:, None] - steps
    out = []
    for head in range(q.shape[2]):
        weights = np.where(distance >= 0, float(decay[head]) ** abs(distance), 0)
        scores = q[:, :, head] @ k[:, :, head].swapaxes(-1, -2)
        if not isinstance(q, np.ndarray):
            weights = import_module("torch").from_numpy(weights).to(q.dtype)
        out.append((scores * weights) @ v[:, :, head])
    stack = np.stack if isinstance(q, np.ndarray) else import_module("torch").stack
    return stack(out, 2)


def draws(rng: np.random.Generator, length: int) -> list[np.ndarray]:
    """Return queries, keys, values of 2 windows and 3 heads, and a weight of each sum."""
    widths = (4, 4, 5, 5)
    return [rng.normal(size=(2, length, 3, width)) for width in widths]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(1, 40), st.integers(0, 1 << 30))
def test_scan_and_chunks_of_any_size_are_all_pairs(length: int, size: int, seed: int):
    torch = import_module("torch")
    q, k, v, _ = draws(np.random.default_rng(seed), length)
    decay = np.array([0.5, 0.9, 0.998])
    want = plain_attention(q, k, v, decay)
    single = [torch.tensor(x, dtype=torch.float32) for x in (q, k, v, decay)]
    by_scan = SCAN.decayed_attention(*single)
    np.testing.assert_allclose(by_scan.numpy(), want, rtol=1e-4, atol=1e-4)
    # In float64, which no scan takes, and in which chunks may be held to more digits.
    double = [torch.tensor(x) for x in (q, k, v, decay)]
    np.testing.assert_allclose(
        SCAN.chunked(*double, size=size), want, rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("length", [1, 33])
def test_the_gradient_of_the_scan_is_that_of_all_pairs(length: int):
    torch = import_module("torch")
    *parts, weight = (
        torch.tensor(x, dtype=torch.float32)
        for x in draws(np.random.default_rng(1), length)
    )
    decay, gradients = torch.tensor([0.5, 0.9, 0.998]), []
    for attention in (SCAN.decayed_attention, plain_attention):
        leaves = [x.clone().requires_grad_() for x in parts]
        (attention(*leaves, decay) * weight).sum().backward()
        gradients.append([x.grad for x in leaves])
    for got, want in zip(*gradients, strict=True):
        assert torch.allclose(got, want, rtol=1e-3, atol=1e-4)


def test_the_float_network_is_its_formula_over_all_pairs_of_steps(fitted: Any):
    network = fitted.restore(fitted.learned)
    weights = {k: v.detach().double().numpy() for k, v in network.named_parameters()}
    a, sample = fitted.architecture, UNSEEN[0]
    padded = np.array([256] * a.taps + list(sample))

    def read(name: str, x: np.ndarray, *, gain: bool) -> np.ndarray:
        if gain:
            x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
            x = x * weights[f"{name}_gain_weight"]
        return x @ weights[name].T + weights[f"{name}_bias"]

    taps = [padded[a.taps - j : a.taps - j + len(sample)] for j in range(1, a.taps + 1)]
    stream = np.concatenate([weights["embedding"][i] for i in taps], -1)
    stream = stream @ weights["mixing"].T
    for layer in range(a.n_layers):
        qkv = read(f"qkv{layer}", stream, gain=True)
        q, k, v = np.split(qkv.reshape(1, len(sample), 3 * a.n_heads, -1), 3, axis=2)
        q, k = (np.where(x > 0, x + 1, np.exp(np.minimum(x, 0))) for x in (q, k))
        sums = plain_attention(q, k, v, a.decays)
        total = plain_attention(q, k, np.ones_like(v[..., :1]), a.decays)
        mean = (sums / total).reshape(len(sample), -1)
        stream = stream + read(f"project{layer}", mean, gain=False)
        active = np.maximum(read(f"expand{layer}", stream, gain=True), 0)
        stream = stream + read(f"contract{layer}", active, gain=False)
    want = read("head", stream, gain=True)
    logits = network(NETS.symbols_of([sample]))[0].detach().numpy()
    np.testing.assert_allclose(logits, want, rtol=1e-3, atol=1e-3)


def test_decays_are_a_series_of_memories_that_ends_with_the_longest():
    a = KIND(size="10k", heads=4, memory=128).architecture
    assert a.decays[0] == 0.5
    assert a.decays[-1] == 1 - 1 / 128
    memories = 1 / (1 - np.array(a.decays))
    np.testing.assert_allclose(memories[1:] / memories[:-1], 4, rtol=1e-2)
    assert KIND(size="10k", heads=1, memory=64).architecture.decays == (1 - 1 / 64,)


def test_the_engine_is_plain_python_integers(fitted: Any):
    by_hand = PlainIntegers(fitted)
    for sample in (*UNSEEN[:2], bytes(range(60))):
        assert (rows_of(fitted, [sample]) == by_hand.rows(sample)).all()


def test_whole_sequences_and_steps_give_the_same_rows_however_they_are_cut(fitted: Any):
    # Inside, since hypothesis would print all of a fixture.
    @settings(max_examples=25, deadline=None)
    @given(
        st.lists(st.integers(0, 120), min_size=1, max_size=80),
        st.lists(st.integers(1, 50), max_size=12),
        st.integers(0, 150),
    )
    def check(lengths: list[int], cuts: list[int], n_context: int) -> None:
        samples = [b"x", *(TEXT[50_000 + 97 * i :][:n] for i, n in enumerate(lengths))]
        context = TEXT[80_000 : 80_000 + n_context]
        NETS.check_parallel_rows_are_those_of_steps(fitted, samples, context)
        # One text alone, read in pieces of any size.
        symbols = np.array([START, *UNSEEN[0][:-1]], np.int64)[:, None]
        state, rows = fitted._engine.start(), []
        for piece in np.split(symbols, np.cumsum(cuts)):
            state, more = fitted._engine.advance(state, piece)
            rows.append(more)
        assert (np.concatenate(rows)[:, 0] == rows_of(fitted, UNSEEN[:1])).all()

    check()


def test_the_past_fades_but_a_context_is_what_came_before(fitted: Any):
    text = TEXT[61_000:61_300]
    after = rows_of(fitted, [text[250:]], context=text[:250])
    assert (after == rows_of(fitted, [text])[250:]).all()
    # A thousand bytes later, memories of up to 128 hold nothing of other beginnings.
    rows = [
        rows_of(fitted, [b"x"], context=start * 50 + text * 5)
        for start in (b"a", b"\n")
    ]
    assert np.abs(rows[0] - rows[1]).max() < 0.01 * (1 << 24)


def test_integers_cost_less_than_a_thousandth(trained: tuple[Any, Any]):
    model, network = trained
    bits = model.code_lengths(UNSEEN).sum()
    assert bits == pytest.approx(NETS.bits_of_floats(network, UNSEEN), rel=1e-3)
    # Less than the bytes cost by their own frequencies, even if those were known.
    counts = np.bincount(np.frombuffer(b"".join(UNSEEN), np.uint8))
    shares = counts[counts > 0] / counts.sum()
    assert bits / counts.sum() < 0.8 * -(shares * np.log2(shares)).sum()


@pytest.mark.parametrize("size", ["10k", "50k", "100k", "200k"])
@pytest.mark.parametrize("memory", [2, 128, 512])
@pytest.mark.parametrize("heads", [1, 4])
def test_no_sum_of_any_configuration_can_reach_what_a_float_rounds(
    size: str, memory: int, heads: int
):
    a = KIND(size=size, heads=heads, memory=memory).architecture
    feature, value = INTEGERS.feature_limit(a), INTEGERS.VALUE_LIMIT
    decay = max(a.decays)
    # The fixed point of the largest state: half a unit of rounding each step.
    state = (feature * value + 0.5) / (1 - decay)
    assert a.head_width * feature * state < 1 << 53
    assert state * PARTS < 1 << 53
    assert feature > 1 << 12


def test_a_state_of_the_largest_features_stays_whole_and_bounded(fitted: Any):
    a = fitted.architecture
    tables = fitted._engine.tables
    steps = import_module(f"{BASE}.compiled")._remember
    state, total = np.zeros((a.head_width, a.head_width + 1)), np.empty(5)
    qkv = np.full(3 * a.widths.stream, 1 << 20, np.float32)
    for _ in range(2_000):
        steps(state, total, qkv, a.n_heads - 1, tables)
    assert (state == np.rint(state)).all()
    assert total.max() < 1 << 53
    # It has come close to its bound, so that the bound is no idle one.
    assert state.max() > 0.99 * 128 * INTEGERS.feature_limit(a) * INTEGERS.VALUE_LIMIT


@pytest.mark.parametrize("at", [0, 7, 30])
def test_a_changed_byte_moves_the_logits_after_it_and_no_others(fitted: Any, at: int):
    sample, network = UNSEEN[0][:40], fitted.restore(fitted.learned)
    changed = sample[:at] + bytes([sample[at] ^ 8]) + sample[at + 1 :]
    one, other = network(NETS.symbols_of([sample, changed])).detach().numpy()
    moved = np.abs(one - other).max(axis=1) > 1e-6
    assert moved.tolist() == [t > at for t in range(40)]


def test_hidden_states_are_what_the_next_byte_is_predicted_from(fitted: Any):
    states = fitted.hidden_states(UNSEEN[:5])
    shapes = {name: layer.shape for name, layer in states.items()}
    assert shapes == dict.fromkeys(("layer1", "layer2", "norm"), (5, 200, 16))
    network = fitted.restore(fitted.learned)
    logits = network(NETS.symbols_of(UNSEEN[:5]))[:, 1:].detach().numpy()
    head, bias = (
        network.get_parameter(x).detach().numpy() for x in ("head", "head_bias")
    )
    by_states = states["norm"] * network.head_gain_weight.detach().numpy() @ head.T
    by_states += bias
    np.testing.assert_allclose(logits, by_states[:, :-1], rtol=1e-3, atol=1e-3)


CHILD = """
import hashlib, sys
from pathlib import Path
from harness.contract import artifact, coding, registry
kind = registry.load_plugin(Path(sys.argv[1]))[0].kind
folder, lengths = Path(sys.argv[2]), [200] * 30
model = artifact.load(folder, lambda _, fields: kind(**fields))
samples = coding.decode(model, sys.stdin.buffer.read(), lengths)
print(hashlib.sha256(b"".join(samples)).hexdigest())
"""


@pytest.mark.parametrize(
    "kernels", [{"NUMBA_NUM_THREADS": "2"}, {"NUMBA_CPU_NAME": "generic"}]
)
def test_a_fresh_process_decodes_with_other_kernels(
    fitted: Any, tmp_path: Path, kernels: dict[str, str]
):
    artifact.save(fitted, tmp_path)
    code = coding.encode(fitted, UNSEEN[:30])
    assert len(code) < 0.6 * 30 * 200
    answer = subprocess.run(
        [sys.executable, "-c", CHILD, str(PATH), str(tmp_path)],
        input=code,
        env={**os.environ, **kernels},
        capture_output=True,
        check=True,
    )
    digest = hashlib.sha256(b"".join(UNSEEN[:30])).hexdigest()
    assert answer.stdout.decode().strip() == digest


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": 0}, "layers is 0"),
        ({"taps": 17}, "taps is 17"),
        ({"heads": 3, "size": "10k"}, "heads is 3; give a divisor of 16"),
        ({"memory": 513}, "memory is 513; give 2 to 512"),
        ({"memory": 1}, "memory is 1"),
    ],
)
def test_shapes_that_are_none_are_refused(fields: dict[str, Any], message: str):
    with pytest.raises(SpecError, match=message):
        KIND(**fields)


def test_sizes_are_numbers_of_weights():
    for size in KIND.sizes:
        weights = sum(p.numel() for p in KIND(size=size).network().parameters())
        named = float(size.removesuffix("k")) * 1e3
        assert 0.95 * named < weights < 1.15 * named


@pytest.mark.parametrize("fields", [{}, {"layers": 1, "heads": 1, "taps": 1}])
def test_it_keeps_the_promises_of_every_compressor(fields: dict[str, Any]):
    only = ("round_trip_fitted", "parallel_is_stepwise", "no_look_ahead")
    model = KIND(size="10k", steps=5, **fields)
    check_all(model, only=only if fields else (), long_bytes=1 << 12)
