"""Gated recurrent units: the same whole numbers however and wherever they are computed."""

import argparse
import hashlib
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import START, SpecError, Stepwise
from harness.conformance import check_all, run_checks
from harness.contract import artifact, coding
from harness.contract.registry import load_plugin
from harness.data.load import load_dataset
from harness.folders import builtin_folder

TOTAL = 1 << 24
BYTE: Any = load_plugin(builtin_folder("plugins") / "byte_gru")[0].kind
PIXEL: Any = load_plugin(builtin_folder("plugins") / "pixel_gru")[0].kind
ENGINE = import_module(f"{PIXEL.__module__.split('.')[0]}._recurrent.engine")
TEXT = Path(argparse.__file__).read_bytes()
SHAPE, N_PIXELS = (7, 6), 42


def images(n: int, *, seed: int = 0) -> list[bytes]:
    """Return 7x6 images of 5 levels whose rows repeat with a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.tile(rng.integers(0, 5, (n, 1, 6)), (1, 7, 1))
    noisy = np.where(rng.random(rows.shape) < 0.1, rng.integers(0, 5, rows.shape), rows)
    return [image.astype(np.uint8).tobytes() for image in noisy]


@pytest.fixture(scope="module")
def pixel() -> Any:
    model = PIXEL(size="10k", shape=SHAPE, levels=5, steps=150)
    return model.fit(images(100), seed=0)


@pytest.fixture(scope="module")
def byte() -> Any:
    corpus = [TEXT[i : i + 100] for i in range(0, 40_000, 100)]
    return BYTE(size="10k", steps=60).fit(corpus, seed=0)


def rows_of(model: Any, samples: list[bytes], **how: Any) -> np.ndarray:
    return np.concatenate(list(model.frequencies(samples, **how)))


class WholeNumbers:
    """The model by Python's integers and single numpy scalars, symbol by symbol."""

    def __init__(self, model: Any) -> None:
        self.k = {name: array.tolist() for name, array in model.learned.items()}
        a = model.architecture
        self.distances, self.grid = a.distances, a.grid
        self.n_symbols, self.d = a.n_symbols, a.widths.hidden
        x = np.arange(-12288, 12289) / 1024
        sigmoid, tanh = 2**15 / (1 + np.exp(-x)), (2**15 - 1) * np.tanh(x)
        self.curves = [
            dict(enumerate(np.rint(curve).astype(int).tolist(), start=-12288))
            for curve in (sigmoid, tanh)
        ]
        self.exponentials = np.rint(2**22 * np.exp(-np.arange(16385) / 1024))
        self.exponentials = self.exponentials.astype(int).tolist()

    def given(self, symbols: list[int], place: int) -> list[int]:
        """Return what goes into reset gate, keep gate and candidate from outside."""
        e = len(self.k["embedding"][0])
        found = []
        for i, weights in enumerate(self.k["mixing"]):
            unit = np.float64(np.float32(self.k["mixing_scale"][i])) * 1024
            total = int(np.rint(np.float32(self.k["mixing_bias"][i]) * 1024))
            for j, distance in enumerate(self.distances):
                symbol = symbols[-distance] if distance <= place else self.n_symbols
                part = weights[j * e : j * e + e]
                total += self.product("embedding", symbol, part, unit)
            if self.grid:
                rest = weights[len(self.distances) * e :]
                half = len(rest) // 2
                y, x = divmod(place, self.grid[1])
                total += self.product("row", y, rest[:half], unit)
                total += self.product("column", x, rest[half:], unit)
            found.append(total)
        return found

    def product(self, name: str, at: int, part: list[int], unit: Any) -> int:
        whole = sum(a * b for a, b in zip(self.k[name][at], part, strict=True))
        scale = np.float64(np.float32(self.k[f"{name}_scale"][at]))
        return int(np.rint(np.float64(whole) * scale * unit))

    def matmul(self, name: str, state: list[int], units: int) -> list[Any]:
        """Return float32 sums times their factors, not yet rounded."""
        weights = self.k[name]
        limit = (TOTAL - 1) // max(sum(map(abs, row)) for row in weights)
        read = min(limit, 4096)
        values = [(s * read + 2**14) >> 15 for s in state]
        found = []
        for row, scale in zip(weights, self.k[f"{name}_scale"], strict=True):
            total = sum(w * v for w, v in zip(row, values, strict=True))
            assert abs(total) < TOTAL
            factor = np.float32(scale) * (np.float32(units) / np.float32(read))
            found.append(np.float32(total) * factor)
        return found

    def rows(self, sample: bytes) -> list[list[int]]:
        d, (sigmoid, tanh) = self.d, self.curves
        state, symbols, rows = [0] * d, [], []
        for t, symbol in enumerate(sample):
            place = t % (self.grid[0] * self.grid[1]) if self.grid else t
            state = state if place else [0] * d
            own = self.given(symbols, place)
            inner = [int(np.rint(s)) for s in self.matmul("recurrent", state, 1024)]
            for i in range(d):
                reset = sigmoid[clip(own[i] + inner[i], 12288)]
                keep = sigmoid[clip(own[d + i] + inner[d + i], 12288)]
                bias = int(np.rint(np.float32(self.k["recurrent_bias"][i]) * 1024))
                gated = (reset * (inner[2 * d + i] + bias) + 2**14) >> 15
                new = tanh[clip(own[2 * d + i] + gated, 12288)]
                state[i] = (keep * state[i] + (2**15 - keep) * new + 2**14) >> 15
            rows.append(self.frequencies(state))
            symbols.append(symbol)
        return rows

    def frequencies(self, state: list[int]) -> list[int]:
        products = self.matmul("head", state, 1024)
        biases = [np.float32(b) * np.float32(1024) for b in self.k["head_bias"]]
        logits = [int(np.rint(p + b)) for p, b in zip(products, biases, strict=True)]
        e = [self.exponentials[min(max(logits) - one, 16384)] for one in logits]
        row = [one * (TOTAL - len(e)) // sum(e) + 1 for one in e]
        row[logits.index(max(logits))] += TOTAL - sum(row)
        return row


def clip(value: int, top: int) -> int:
    return max(-top, min(top, value))


@pytest.mark.parametrize("kind", ["pixel", "byte"])
def test_the_engine_is_python_whole_numbers(kind: str, request: Any):
    model = request.getfixturevalue(kind)
    one, two = images(2, seed=5)
    sample = one + two[:3] if kind == "pixel" else TEXT[50_000:50_025]
    assert rows_of(model, [sample]).tolist() == WholeNumbers(model).rows(sample)


@pytest.mark.parametrize("few", [0, 1000])
@pytest.mark.parametrize("carrier", [np.float32, np.float64, np.int64])
def test_every_carrier_and_the_compiled_steps_give_the_same_rows(
    pixel: Any, few: int, carrier: Any
):
    symbols = np.frombuffer(b"".join(images(30, seed=6)), np.uint8)
    table = symbols.reshape(30, -1).T.astype(np.int64)
    table = np.concatenate([np.full((1, 30), START), table[:-1]])
    learned, shape = pixel.learned, pixel.architecture
    engine = ENGINE.GRUEngine(shape, learned, carrier=carrier, few=few)
    _, rows = engine.advance(engine.repeat(engine.start(), 30), table)
    want = rows_of(pixel, images(30, seed=6)).reshape(rows.shape)
    assert (rows == want).all()


@pytest.mark.parametrize(("loosened", "exact"), [(1, True), (64, False)])
def test_sums_are_exact_within_the_limit_and_not_beyond(*, loosened: int, exact: bool):
    rng = np.random.default_rng(0)
    learned = {
        "w": rng.integers(-127, 128, (300, 500), np.int8),
        "w_scale": np.ones(300, np.float32),
    }
    narrow, wide = (ENGINE.Dense(learned, "w", 1, t) for t in (np.float32, np.int64))
    # All activations at the limit, with the signs of a row: the largest sums there are.
    shown = np.sign(learned["w"][:50].astype(np.int64)) * (2**15 - 1)
    units = min(narrow.matmul.units * loosened, 2**15 - 1)
    found = []
    for dense in (narrow, wide):
        dense.matmul = dense.matmul._replace(units=units)
        found.append(dense.sums(shown.astype(np.int16), 0))
    whole = (shown * units + 2**14 >> 15) @ learned["w"].T.astype(np.int64)
    assert np.abs(whole).max() > 0.98 * TOTAL
    assert (found[0] == whole).all() == exact


@pytest.mark.parametrize("n_batch", [1, 7, 64])
def test_rows_do_not_depend_on_neighbouring_streams(pixel: Any, n_batch: int):
    samples = images(64, seed=7)
    whole = rows_of(pixel, samples).reshape(N_PIXELS, 64, 5).swapaxes(0, 1)
    parts = [
        rows_of(pixel, samples[i : i + n_batch]).reshape(N_PIXELS, -1, 5).swapaxes(0, 1)
        for i in range(0, 64, n_batch)
    ]
    assert (np.concatenate(parts) == whole).all()


@pytest.mark.parametrize("kind", ["pixel", "byte"])
def test_parallel_rows_are_those_of_steps_for_unequal_lengths(kind: str, request: Any):
    model = request.getfixturevalue(kind)
    a, b, c = images(3, seed=8)
    samples = [a[:20], a + b + c[:5], b"", c, b[:1], *images(12, seed=9)]
    for context in (b"", b[:9], a + b[:3]):
        stepped = Stepwise.frequencies(model, samples, context=context)
        got = rows_of(model, samples, context=context)
        assert (got == np.concatenate(list(stepped))).all()


def test_a_context_is_what_came_before(pixel: Any, byte: Any):
    a, b = images(2, seed=9)
    both = rows_of(pixel, [a + b])
    assert (rows_of(pixel, [b[:20]], context=a) == both[42:62]).all()
    assert (rows_of(pixel, [a[10:]], context=a[:10]) == both[10:42]).all()
    text = TEXT[60_000:60_200]
    after = rows_of(byte, [text[150:]], context=text[:150])
    assert (after == rows_of(byte, [text])[150:]).all()


def test_every_image_of_a_stream_starts_anew(pixel: Any):
    a, b = images(2, seed=10)
    assert (rows_of(pixel, [a + b])[42:] == rows_of(pixel, [b])).all()


@pytest.mark.parametrize("kind", ["pixel", "byte"])
def test_the_float_network_sees_the_past_alone(kind: str, request: Any):
    torch = import_module("torch")
    model = request.getfixturevalue(kind)
    network = model.restore(model.learned)
    base = torch.full((1, 12), 2)
    changed = base.repeat(12, 1)
    changed[range(12), range(12)] = 4
    with torch.inference_mode():
        moved = (network(changed) - network(base)).abs().amax(-1) > 1e-6
    assert (moved == torch.ones(12, 12).triu(1).bool()).all()


def test_integers_cost_less_than_a_thousandth_on_real_images():
    torch = import_module("torch")
    trained: list[Any] = []

    class Spy(PIXEL):
        def convert(self, network: Any, *about: Any) -> Any:
            trained.append(network)
            return super().convert(network, *about)

    digits = load_dataset("digits")
    samples = digits.test.samples[:300]
    spy = Spy(shape=digits.shape, levels=digits.levels, steps=150)
    bits = spy.fit(digits.train.samples, seed=0).code_lengths(samples).sum()
    symbols = torch.from_numpy(np.frombuffer(b"".join(samples), np.uint8).copy())
    symbols = symbols.long().view(len(samples), -1)
    with torch.inference_mode():
        nats = torch.nn.functional.cross_entropy(
            trained[0](symbols).flatten(0, 1), symbols.flatten(), reduction="sum"
        )
    assert bits == pytest.approx(float(nats) / np.log(2), rel=1e-3)
    assert bits / symbols.numel() < 2.2  # a transformer reaches 1.9 (FINDINGS)


CHILD = """
import hashlib, sys, numpy as np
from pathlib import Path
from harness.contract import artifact, coding
from harness.contract.registry import load_plugin
kind = load_plugin(Path(sys.argv[1]))[0].kind
model = artifact.load(Path(sys.argv[2]), lambda _, fields: kind(**fields | {"shape": (7, 6)}))
lengths = [42] * 40
code = Path(sys.argv[2], "code").read_bytes()
samples = coding.decode(model, code, lengths, artifact=artifact.identity(model))
rows = [np.concatenate(list(model.frequencies(samples[i : i + n])))
        .reshape(42, -1, 5).swapaxes(0, 1)
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
    pixel: Any, tmp_path: Path, kernels: dict[str, str], n_threads: str
):
    samples = images(40, seed=10)
    artifact.save(pixel, tmp_path)
    code = coding.encode(pixel, samples, artifact=artifact.identity(pixel))
    assert len(code) < 0.6 * 40 * N_PIXELS * np.log2(5) / 8
    (tmp_path / "code").write_bytes(code)
    threads = {f"{name}_NUM_THREADS": n_threads for name in ("OMP", "OPENBLAS")}
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            CHILD,
            str(builtin_folder("plugins") / "pixel_gru"),
            tmp_path,
        ],
        env={**os.environ, **threads, **kernels},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    rows = rows_of(pixel, samples).reshape(N_PIXELS, 40, 5).swapaxes(0, 1)
    want = np.concatenate([rows] * 3)
    assert answer[0] == hashlib.sha256(b"".join(samples)).hexdigest()
    assert answer[1] == hashlib.sha256(want.tobytes()).hexdigest()


def test_hidden_states_are_what_the_next_symbol_is_predicted_from(pixel: Any):
    torch = import_module("torch")
    samples = images(5, seed=11)
    states = pixel.hidden_states(samples)["layer1"]
    assert states.shape == (5, N_PIXELS, 24)
    network = pixel.restore(pixel.learned)
    symbols = torch.from_numpy(np.frombuffer(b"".join(samples), np.uint8).copy())
    with torch.inference_mode():
        logits = network(symbols.long().view(5, N_PIXELS))[:, 1:]
        by_states = torch.from_numpy(states) @ network.head.T + network.head_bias
    assert torch.allclose(logits, by_states[:, :-1], atol=1e-4)
    assert np.abs(states[:, -1]).max() > 0.1  # the last pixel is read too


def test_adapting_lowers_the_bits_of_what_it_is_adapted_to(byte: Any):
    other = [bytes(reversed(TEXT[i : i + 100])) for i in range(0, 20_000, 100)]
    adapted = byte.fit(other[:150], seed=1)
    unseen = other[150:]
    assert adapted.code_lengths(unseen).sum() < byte.code_lengths(unseen).sum()


def test_no_adaptation_gives_the_same_integers(pixel: Any):
    same = pixel.restore(pixel.learned).requires_grad_(requires_grad=False)
    learned = pixel.convert(same, None, None)
    assert all(
        (learned[name] == pixel.learned[name]).all()
        for name in pixel.architecture.matrices
    )


def test_a_wrong_number_of_taps_is_refused():
    with pytest.raises(SpecError, match="taps is 0; byte_gru has 1 to 16"):
        BYTE(taps=0)


@pytest.mark.parametrize(
    "model",
    [
        BYTE(size="10k", steps=5),
        PIXEL(size="10k", steps=5),
        PIXEL(size="10k", steps=5, shape=(3, 4, 3), levels=16),
    ],
)
def test_it_keeps_the_promises_of_every_compressor(model: Any):
    # `bitprobe check` runs all of them.
    only = ("declarations", "round_trip_fitted", "round_trip_context", "no_look_ahead")
    only += ("legal_frequencies", "parallel_is_stepwise", "hidden_states")
    check_all(model, only=(*only, "samples_continue"), long_bytes=1 << 12)


def test_a_check_trains_a_few_steps_whatever_the_spec_says():
    many = {"steps": 1_000_000_000, "adapt_steps": 1_000_000_000}
    model = PIXEL(size="10k", shape=SHAPE, levels=5, **many)
    for finding in run_checks(model, only=["fit_reproducible", "fit_returns_copy"]):
        assert finding.status == "passed"
        assert finding.message == "every fit took 3 steps, not the budget of the spec"
