"""The integer transformer gives the same frequencies however and wherever it is computed.

Run as a script it prints, as one line of JSON, the digests of one process: a test starts it
under other CPU kernels and thread counts, which a process chooses once.
"""

import hashlib
import importlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from harness.contract import coding
from harness.contract.registry import load_plugin
from harness.folders import builtin_folder

SIDE, LEVELS, N_IMAGES = 6, 5, 70
LOWEST = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "MKL_CBWR": "COMPATIBLE",
}
BATCHES = (1, 7, 64, N_IMAGES)


def part(name):
    package = pixel().__class__.__module__.split(".", maxsplit=1)[0]
    return importlib.import_module(f"{package}.{name}")


def kind(name):
    (entry,) = load_plugin(builtin_folder("plugins") / name)
    return entry.kind


def pixel(**fields):
    make = kind("pixel_transformer")
    return make(size="10k", steps=60, shape=(SIDE, SIDE), levels=LEVELS, **fields)


def images():
    rng = np.random.Generator(np.random.Philox(key=7))
    y, x = np.mgrid[:SIDE, :SIDE]
    found = []
    for cy, cx in rng.uniform(0, SIDE, (N_IMAGES, 2)):
        bump = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 4) * LEVELS
        noisy = np.clip(bump + rng.normal(0, 0.3, bump.shape), 0, LEVELS - 1)
        found.append(noisy.astype(np.uint8))
    return np.stack(found).reshape(N_IMAGES, -1).astype(np.int64)


@pytest.fixture(scope="module")
def fitted():
    corpus = [row.astype(np.uint8).tobytes() for row in images()]
    return pixel().fit(corpus, seed=1)


@pytest.fixture(scope="module")
def model(fitted):
    return part("_transformer.integers").derive(fitted.architecture, fitted.learned)


def engine(model, carrier="float32", form=None):
    import torch

    make = part("_transformer.engine").TransformerEngine
    return make(model, carrier=getattr(torch, carrier), form=form)


def frequencies(engine, batch, *, steps_at_once):
    """Return rows (n, T, V), `batch` streams at a time, so many steps to a call."""
    symbols = np.concatenate([np.full((1, N_IMAGES), -1), images().T[:-1]])
    found = []
    for first in range(0, N_IMAGES, batch):
        streams = symbols[:, first : first + batch]
        state, rows = engine.repeat(engine.start(), streams.shape[1]), []
        for step in range(0, len(streams), steps_at_once):
            piece = streams[step : step + steps_at_once]
            state, more = engine.advance(state, piece)
            rows.append(more)
        found.append(np.concatenate(rows).swapaxes(0, 1))
    return np.concatenate(found)


def digest(rows):
    return hashlib.sha256(np.ascontiguousarray(rows).tobytes()).hexdigest()


def reference(model):
    """Return the same by numpy alone: int64 sums, exact roots, true integer division."""
    shape = model.architecture
    symbols = np.concatenate([np.full((N_IMAGES, 1), LEVELS), images()[:, :-1]], axis=1)
    states = model.embed[symbols].astype(np.int64) + model.position
    for layer in model.layers:
        normal = norm(model, states, layer.norm_scales[0], layer.norm_limits[0])
        limit = layer.qkv_limit.astype(np.int64)
        qkv = np.clip(affine(normal, layer.qkv), -limit, limit)
        parts = qkv.reshape(N_IMAGES, -1, 3, shape.n_heads, shape.head_width)
        read = attention(model, layer, *parts.transpose(2, 0, 3, 1, 4))
        states = add(model, states, affine(read, layer.project))
        normal = norm(model, states, layer.norm_scales[1], layer.norm_limits[1])
        middle = len(layer.gelu) // 2
        inputs = np.clip(affine(normal, layer.expand), -middle, middle)
        active = layer.gelu[inputs + middle].astype(np.int64)
        states = add(model, states, affine(active, layer.contract))
    normal = norm(model, states, model.head_norm_scale, model.head_norm_limit)
    logits = affine(normal, model.head)
    assert logits.dtype == np.int64
    return counts(logits)


def affine(x, matrix):
    sums = np.einsum("...i,oi->...o", x, matrix.weight.astype(np.int64))
    assert np.abs(sums).max() < 1 << 24
    product = sums.astype(np.float32) * matrix.scale
    return np.rint(product + matrix.shift).astype(np.int64)


def add(model, states, change):
    return np.clip(states + change, -model.residual_limit, model.residual_limit)


def norm(model, states, scale, limit):
    width = states.shape[-1]
    mean = np.rint(states.sum(-1, keepdims=True) / width).astype(np.int64)
    centred = states - mean
    squares = 256 * (centred**2).sum(-1, keepdims=True) + model.norm_epsilon
    roots = np.vectorize(math.isqrt, otypes=[np.int64])(squares)
    factor = (scale / roots).astype(np.float32)
    values = np.rint(centred.astype(np.float32) * factor).astype(np.int64)
    return np.clip(values, -limit, limit)


def attention(model, layer, query, key, value):
    scores = np.einsum("bhtd,bhud->bhtu", query, key)
    assert np.abs(scores).max() < 1 << 24
    seen = np.tril(np.ones(scores.shape[-2:], bool))
    top = np.where(seen, scores, -(1 << 30)).max(-1, keepdims=True)
    gap = (top - scores).astype(np.float32) * layer.score_scale[:, None, None]
    last = len(model.exponentials) - 1
    below = np.where(seen, np.minimum(np.rint(gap), last), last).astype(np.int64)
    e = model.exponentials[below].astype(np.int64)
    share = (8192 / e.sum(-1, keepdims=True)).astype(np.float32)
    weights = np.floor(e.astype(np.float32) * share).astype(np.int64)
    assert weights.sum(-1).max() <= 8192
    sums = np.einsum("bhtu,bhud->bhtd", weights, value)
    assert np.abs(sums).max() < 1 << 24
    read = np.rint(sums.astype(np.float32) * layer.read_scale[:, None, None])
    read = np.clip(read, -layer.read_limit, layer.read_limit).astype(np.int64)
    return read.swapaxes(1, 2).reshape(N_IMAGES, SIDE * SIDE, -1)


def counts(logits):
    """Return floor(e (2**24 - V) / sum e) + 1, what is left to the first of the likeliest."""
    table = part("_torch.tables").logit_table().astype(np.int64)
    below = logits.max(-1, keepdims=True) - logits
    e = table[np.minimum(below, len(table) - 1)]
    rows = e * ((1 << 24) - logits.shape[-1]) // e.sum(-1, keepdims=True) + 1
    best = logits.argmax(-1)[..., None]
    left = (1 << 24) - rows.sum(-1, keepdims=True)
    np.put_along_axis(rows, best, np.take_along_axis(rows, best, -1) + left, -1)
    return rows


@pytest.fixture(scope="module")
def want(model):
    return reference(model)


@pytest.mark.parametrize("form", ["fused", "parallel"])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("steps_at_once", [1, 5, 36])
def test_both_forms_equal_plain_int64_whatever_is_read_at_once(
    model, want, form, batch, steps_at_once
):
    got = frequencies(engine(model, form=form), batch, steps_at_once=steps_at_once)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("carrier", ["float64", "int64"])
def test_wider_carriers_change_nothing(model, want, carrier):
    parallel = engine(model, carrier, "parallel")
    np.testing.assert_array_equal(frequencies(parallel, 64, steps_at_once=36), want)


@pytest.mark.parametrize("forms", [("fused", "parallel"), ("parallel", "fused")])
def test_one_form_goes_on_from_the_memory_of_the_other(model, want, forms):
    first, second = (engine(model, form=form) for form in forms)
    symbols = np.concatenate([np.full((1, N_IMAGES), -1), images().T[:-1]])
    state, rows = first.advance(first.repeat(first.start(), N_IMAGES), symbols[:17])
    _, more = second.advance(state, symbols[17:])
    np.testing.assert_array_equal(np.concatenate([rows, more]).swapaxes(0, 1), want)


def test_bounds_hold_for_the_largest_activations_there_can_be(model):
    matrices = [(model.head, model.head_norm_limit)]
    for layer in model.layers:
        matrices += [
            (layer.qkv, layer.norm_limits[0]),
            (layer.project, layer.read_limit),
            (layer.expand, layer.norm_limits[1]),
            (layer.contract, int(np.abs(layer.gelu).max())),
        ]
        query, value = int(layer.qkv_limit[0]), int(layer.qkv_limit[-1])
        assert query**2 * model.architecture.head_width < 1 << 24
        assert value * 8192 < 1 << 24
    for matrix, limit in matrices:
        rows = np.abs(matrix.weight.astype(np.int64)).sum(axis=1)
        assert limit * rows.max() < 1 << 24
    widest = 4 * model.residual_limit**2 * model.architecture.width * 256
    assert widest + model.norm_epsilon <= 1 << 53


def test_a_loosened_bound_breaks_it(fitted, monkeypatch):
    integers = part("_transformer.integers")
    tight = integers.activation_limit
    monkeypatch.setattr(integers, "activation_limit", lambda rows: tight(rows) << 4)
    monkeypatch.setattr(integers, "LARGEST_EXACT", (1 << 28) - 1)
    loose = integers.derive(fitted.architecture, fitted.learned)
    one = frequencies(engine(loose, "float32", "parallel"), 64, steps_at_once=36)
    other = frequencies(engine(loose, "float64", "parallel"), 64, steps_at_once=36)
    assert (one != other).any(axis=-1).mean() > 0.01


def test_the_float_network_does_depend_on_what_is_read_at_once(fitted):
    import torch

    network = fitted.restore(fitted.learned)
    symbols = torch.from_numpy(images())
    with torch.no_grad():
        whole = network(symbols)
        alone = torch.cat([network(symbols[i : i + 1, :20]) for i in range(N_IMAGES)])
    assert not torch.equal(whole[:, :20], alone)


def run(folder, learned, **environment):
    """Return the digests that a fresh process finds in this environment."""
    path = folder / "learned.npz"
    np.savez(path, **learned)
    result = subprocess.run(
        [sys.executable, __file__, str(path)],
        # Two threads that spin, waiting for each other, take a minute on busy cores.
        env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE", **environment},
        capture_output=True,
        text=True,
        check=True,
        cwd=builtin_folder("plugins").parent,
    )
    return json.loads(result.stdout)


def expected(fitted, want):
    symbols = [row.astype(np.uint8).tobytes() for row in images()]
    code = coding.encode(fitted, symbols)
    decoded = hashlib.sha256(b"".join(symbols)).hexdigest()
    return {"rows": [digest(want)], "code": code.hex(), "decoded": decoded}


def test_other_kernels_and_two_threads_change_neither_frequencies_nor_code(
    fitted, want, tmp_path
):
    settings = {"BITPROBE_TORCH_THREADS": "2", **LOWEST}
    assert run(tmp_path, fitted.learned, **settings) == expected(fitted, want)


@pytest.mark.slow
@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(
    "kernels",
    [
        {},
        LOWEST,
        {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
        {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "+sse2"},
        {"NUMBA_OPT": "0", "MKL_CBWR": "COMPATIBLE"},
    ],
)
def test_every_setting_of_kernels_and_threads_gives_one_digest(
    fitted, want, tmp_path, kernels, threads
):
    settings = {**kernels, "BITPROBE_TORCH_THREADS": threads}
    if "NUMBA_CPU_NAME" in kernels or "NUMBA_OPT" in kernels:
        settings["NUMBA_CACHE_DIR"] = str(tmp_path / "compiled")
    assert run(tmp_path, fitted.learned, **settings) == expected(fitted, want)


@pytest.mark.gpu
def test_a_gpu_reads_what_a_cpu_wrote_and_the_other_way_round(fitted, want):
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device is at hand")
    gpu = type(fitted)(
        **{
            name: getattr(fitted, name) for name in ("size", "steps", "shape", "levels")
        },
        device="cuda",
        learned=fitted.learned,
    )
    samples = [row.astype(np.uint8).tobytes() for row in images()]
    lengths = [len(sample) for sample in samples]
    assert coding.decode(gpu, coding.encode(fitted, samples), lengths) == samples
    assert coding.decode(fitted, coding.encode(gpu, samples), lengths) == samples
    rows = np.concatenate(list(gpu.frequencies(samples)))
    by_sample = rows.reshape(-1, N_IMAGES, LEVELS).swapaxes(0, 1)
    np.testing.assert_array_equal(by_sample, want)


def main(path):
    """Print the digests over carriers, forms, batches and chunks; code and decode."""
    with np.load(path) as saved:
        fitted = pixel(learned=dict(saved))
    model = part("_transformer.integers").derive(fitted.architecture, fitted.learned)
    engines = [engine(model, name, "parallel") for name in ("float32", "float64")]
    engines.append(engine(model, form="fused"))
    rows = {
        digest(frequencies(one, batch, steps_at_once=steps))
        for one in engines
        for batch, steps in ((1, 36), (7, 1), (64, 36), (N_IMAGES, 1))
    }
    samples = [row.astype(np.uint8).tobytes() for row in images()]
    code = coding.encode(fitted, samples)
    decoded = coding.decode(fitted, code, [len(sample) for sample in samples])
    found = {
        "rows": sorted(rows),
        "code": code.hex(),
        "decoded": hashlib.sha256(b"".join(decoded)).hexdigest(),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    main(Path(sys.argv[1]))
