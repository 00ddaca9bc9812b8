"""The gated linear recurrence: its scan, and that its integers are integers."""

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

from harness import SpecError
from harness.conformance import check_all
from harness.contract import artifact, coding
from harness.contract.registry import load_plugin
from harness.folders import builtin_folder

TOTAL, ONE = 1 << 24, 1 << 15
PATH = builtin_folder("plugins") / "byte_recurrence"
KIND: Any = load_plugin(PATH)[0].kind
BASE = f"{KIND.__module__.split('.')[0]}._recurrent"
ENGINE = import_module(f"{BASE}.engine")
NETS = SimpleNamespace(**run_path(str(Path(__file__).with_name("networks.py"))))
TEXT, UNSEEN, rows_of = NETS.TEXT, NETS.UNSEEN, NETS.rows_of


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any]:
    """Return a fitted model and its float network."""
    pair: tuple[Any, Any] = NETS.trained(KIND(size="10k", steps=150), NETS.TRAIN)
    return pair


@pytest.fixture(scope="module")
def fitted(trained: tuple[Any, Any]) -> Any:
    return trained[0]


class PlainInt64:
    """The model by numpy's int64 and single float operations, a whole sample at a time."""

    def __init__(self, model: Any) -> None:
        self.k, self.shape = model.learned, model.architecture
        x = np.arange(-12288, 12289) / 1024
        self.sigmoid = np.rint(ONE / (1 + np.exp(-x))).astype(np.int64)
        self.tanh = np.rint((ONE - 1) * np.tanh(x)).astype(np.int64)

    def rows(self, sample: bytes) -> np.ndarray:
        """Return the frequencies of a sample."""
        shown = self.layer(self.inputs(sample), None)
        for layer in range(1, self.shape.n_layers):
            name = f"upper{layer}"
            gates = np.rint(self.scaled(name, shown)).astype(np.int64)
            bias = np.rint(self.k[f"{name}_bias"] * np.float32(1024)).astype(np.int64)
            shown = self.layer(gates + bias, shown)
        logits = self.scaled("head", shown) + self.k["head_bias"] * np.float32(1024)
        return NETS.frequencies_of(np.rint(logits).astype(np.int64))

    def inputs(self, sample: bytes) -> np.ndarray:
        """Return the gates of the first layer, (T, 3 d)."""
        k, padded = self.k, np.array([256] * 3 + list(sample))
        embedding = k["embedding"].astype(np.int64)
        width, scales = embedding.shape[1], k["embedding_scale"].astype(float)
        gates = np.rint(k["mixing_bias"] * np.float32(1024)).astype(np.int64)[None]
        for j, distance in enumerate(self.shape.distances):
            symbols = padded[3 - distance :][: len(sample)]
            part = k["mixing"][:, j * width : (j + 1) * width].astype(np.int64)
            rows = (embedding[symbols] @ part.T) * scales[symbols, None]
            rows = np.rint(rows * (k["mixing_scale"].astype(float) * 1024))
            gates = gates + rows.astype(np.int64)
        return gates

    def layer(self, gates: np.ndarray, skip: np.ndarray | None) -> np.ndarray:
        """Return what a layer shows, (T, d); without a skip it passes its candidate."""
        d = self.shape.widths.hidden
        at = gates.clip(-12288, 12288) + 12288
        keep, out = self.sigmoid[at[:, :d]], self.sigmoid[at[:, -d:]]
        new = self.tanh[at[:, d : 2 * d]]
        state, states = np.zeros(d, np.int64), []
        for kept, candidate in zip(keep, new, strict=True):
            state = (kept * state + (ONE - kept) * candidate * 32 + 2**14) >> 15
            states.append(state >> 5)
        passed = new if skip is None else skip
        return (out * np.array(states) + (ONE - out) * passed + 2**14) >> 15

    def scaled(self, name: str, shown: np.ndarray) -> np.ndarray:
        """Return float32 sums times their factors, not yet rounded."""
        weights = self.k[name].astype(np.int64)
        read = min((TOTAL - 1) // np.abs(weights).sum(axis=1).max(), 4096)
        sums = (shown * read + 2**14 >> 15) @ weights.T
        factor = np.float32(1024) / np.float32(read)
        return sums.astype(np.float32) * (self.k[f"{name}_scale"] * factor)


def test_the_engine_is_plain_int64(fitted: Any):
    by_hand = PlainInt64(fitted)
    for sample in UNSEEN[:3]:
        assert (rows_of(fitted, [sample]) == by_hand.rows(sample)).all()


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("carrier", [np.float32, np.float64, np.int64])
def test_every_carrier_and_the_compiled_sums_give_the_same_rows(
    fitted: Any, few: int, carrier: Any
):
    make = ENGINE.LinearEngine
    engine = make(fitted.architecture, fitted.learned, carrier=carrier, few=few)
    NETS.check_engine_gives_the_rows_of(engine, fitted, UNSEEN[:20])


@pytest.mark.parametrize("context", [b"", b"de", TEXT[:20_000]])
def test_parallel_rows_are_those_of_steps_for_unequal_lengths(
    fitted: Any, context: bytes
):
    samples = [UNSEEN[0], b"", UNSEEN[1][:70], b"x", *UNSEEN[2:17]]
    NETS.check_parallel_rows_are_those_of_steps(fitted, samples, context)


def test_a_context_is_what_came_before(fitted: Any):
    text = TEXT[61_000:61_300]
    after = rows_of(fitted, [text[250:]], context=text[:250])
    assert (after == rows_of(fitted, [text])[250:]).all()


def test_integers_cost_less_than_a_thousandth(trained: tuple[Any, Any]):
    model, network = trained
    bits = model.code_lengths(UNSEEN).sum()
    assert bits == pytest.approx(NETS.bits_of_floats(network, UNSEEN), rel=1e-3)
    # Less than the bytes cost by their own frequencies, even if those were known.
    counts = np.bincount(np.frombuffer(b"".join(UNSEEN), np.uint8))
    shares = counts[counts > 0] / counts.sum()
    assert bits / counts.sum() < 0.8 * -(shares * np.log2(shares)).sum()


def test_the_scan_and_its_gradient_are_those_of_a_plain_loop():
    torch = import_module("torch")
    scan = import_module(f"{BASE}.scan")
    rng = np.random.default_rng(0)
    draws = [rng.random((3, 37, 5), np.float32) for _ in range(3)]
    (a, b), weight = (torch.tensor(x) for x in draws[:2]), torch.tensor(draws[2])
    found = []
    for fast in (True, False):
        keep, new = a.clone().requires_grad_(), b.clone().requires_grad_()
        if fast:
            states = scan.linear_scan(keep, new)
        else:
            rows = [new[:, 0]]
            for t in range(1, new.shape[1]):
                rows.append(keep[:, t] * rows[-1] + new[:, t])
            states = torch.stack(rows, 1)
        (states * weight).sum().backward()
        found.append((states.detach(), keep.grad, new.grad))
    for got, want in zip(*found, strict=True):
        assert torch.allclose(got, want, rtol=1e-5, atol=1e-6)
    # What a GPU does.
    assert torch.allclose(scan._doubled(a, b), found[1][0], rtol=1e-5, atol=1e-6)


def test_the_float_network_sees_the_past_alone(fitted: Any):
    torch = import_module("torch")
    network = fitted.restore(fitted.learned)
    base = torch.full((1, 12), 101)
    changed = base.repeat(12, 1)
    changed[range(12), range(12)] = 40
    with torch.inference_mode():
        moved = (network(changed) - network(base)).abs().amax(-1) > 1e-6
    assert (moved == torch.ones(12, 12).triu(1).bool()).all()


CHILD = """
import hashlib, sys, numpy as np
from pathlib import Path
from harness.contract import artifact, coding
from harness.contract.registry import load_plugin
kind = load_plugin(Path(sys.argv[1]))[0].kind
model = artifact.load(Path(sys.argv[2]), lambda _, fields: kind(**fields))
code = Path(sys.argv[2], "code").read_bytes()
samples = coding.decode(model, code, [200] * 40, artifact=artifact.identity(model))
rows = [np.concatenate(list(model.frequencies(samples[i : i + n])))
        .reshape(200, -1, 256).swapaxes(0, 1)
        for n in (1, 7, 64) for i in range(0, 40, n)]
print(hashlib.sha256(b"".join(samples)).hexdigest())
print(hashlib.sha256(np.concatenate(rows).tobytes()).hexdigest())
"""
LOWEST = {
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F",
    "NUMBA_CPU_NAME": "generic",
}


@pytest.mark.parametrize(("kernels", "n_threads"), [({}, "2"), (LOWEST, "1")])
def test_fresh_processes_decode_by_the_same_rows(
    fitted: Any, tmp_path: Path, kernels: dict[str, str], n_threads: str
):
    samples = UNSEEN[:40]
    artifact.save(fitted, tmp_path)
    code = coding.encode(fitted, samples, artifact=artifact.identity(fitted))
    assert len(code) < 0.6 * 40 * 200
    (tmp_path / "code").write_bytes(code)
    threads = {f"{name}_NUM_THREADS": n_threads for name in ("OMP", "OPENBLAS")}
    answer = subprocess.run(
        [sys.executable, "-c", CHILD, str(PATH), tmp_path],
        env={**os.environ, **threads, **kernels},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    rows = rows_of(fitted, samples).reshape(200, 40, 256).swapaxes(0, 1)
    want = np.concatenate([rows] * 3)
    assert answer[0] == hashlib.sha256(b"".join(samples)).hexdigest()
    assert answer[1] == hashlib.sha256(want.tobytes()).hexdigest()


def test_hidden_states_are_what_the_next_byte_is_predicted_from(fitted: Any):
    shapes = {"layer1": (5, 200, 24), "layer2": (5, 200, 24)}
    NETS.check_last_states_predict_the_next_symbol(fitted, UNSEEN[:5], shapes)


def test_no_layer_is_refused():
    with pytest.raises(SpecError, match="layers is 0"):
        KIND(layers=0)


@pytest.mark.parametrize("fields", [{}, {"layers": 3, "taps": 1}])
def test_it_keeps_the_promises_of_every_compressor(fields: dict[str, Any]):
    only = ("round_trip_fitted", "parallel_is_stepwise", "no_look_ahead")
    model = KIND(size="10k", steps=5, **fields)
    check_all(model, only=only if fields else (), long_bytes=1 << 12)
