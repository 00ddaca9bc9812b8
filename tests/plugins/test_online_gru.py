"""The online network: its gradient, its determinism, and that it learns."""

import argparse
import math
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import START, SpecError
from harness.conformance import check_all
from harness.contract import artifact, coding
from harness.contract.registry import load_plugin
from harness.folders import builtin_folder

PATH = builtin_folder("plugins") / "online_gru"
KIND: Any = load_plugin(PATH)[0].kind
COMPILED = import_module(f"{KIND.__module__}.compiled")
LAYOUT = import_module(f"{KIND.__module__}.layout")
# A text that every machine has.
TEXT = Path(argparse.__file__).read_bytes()
SMALL = KIND(hidden=16)


def test_exponential_is_exp():
    x = np.concatenate([np.linspace(-40, 40, 20_001), [-700, 700, 0, 1e-12]])
    got = [COMPILED.exponential(value) for value in x]
    assert got == pytest.approx(np.exp(x), rel=1e-13)


def test_the_gradient_of_a_block_is_that_of_torch():
    torch = import_module("torch")
    model = SMALL.fit([TEXT[:3000]], seed=0)
    streams = model._fitted_streams()
    width, n_steps = model.hidden, COMPILED.BLOCK
    text = b"    return self"[:n_steps]
    flat = torch.tensor(streams.weights[0], dtype=torch.float64, requires_grad=True)
    parts, offset = [], 0
    for shape in LAYOUT.shapes_of(width):
        size = math.prod(shape)
        parts.append(flat[offset : offset + size].view(shape))
        offset += size
    assert offset == len(flat)
    embedding, mixing, mixing_bias, recurrent, inner_bias, head, head_bias = parts
    direct = torch.tensor(streams.direct[0], dtype=torch.float64)

    history = [COMPILED.N_SYMBOLS] * COMPILED.N_TAPS + list(text)
    hidden, nats = torch.zeros(width, dtype=torch.float64), 0
    cell = torch.nn.functional
    for t, symbol in enumerate(text):
        last = history[t : t + COMPILED.N_TAPS][::-1]
        given = embedding[last].reshape(-1) @ mixing + mixing_bias
        inner = hidden @ recurrent
        reset, keep = torch.sigmoid((given + inner)[: 2 * width]).chunk(2)
        own = inner[2 * width :] + inner_bias
        new = torch.tanh(given[2 * width :] + reset * own)
        hidden = (1 - keep) * new + keep * hidden
        logits = hidden @ head + head_bias + direct[last[0]]
        nats = nats + cell.cross_entropy(logits[None], torch.tensor([symbol]))
    (nats / n_steps).backward()
    want = flat.grad * min(1, COMPILED.CLIP / float(flat.grad.norm()))

    symbols = np.array([START, *text], np.int64)[:, None]
    COMPILED.advance(streams, symbols, np.empty((0, 1, 256), np.int64), (0.0, 0.0))
    got = streams.mean[0] / (1 - COMPILED.BETAS[0])
    assert got == pytest.approx(want.numpy(), rel=1e-3, abs=1e-6)
    assert np.abs(got).max() > 1e-2


def test_it_learns_while_it_codes():
    text = TEXT[:20_000]
    bits = KIND(hidden=32).code_lengths([text])[0]
    shares = np.bincount(np.frombuffer(text, np.uint8)) / len(text)
    shares = shares[shares > 0]
    own_frequencies = -(shares * np.log2(shares)).sum()
    assert bits / len(text) < 0.75 * own_frequencies


def test_what_was_fitted_makes_what_is_alike_shorter():
    later = TEXT[40_000:42_000]
    fitted = SMALL.fit([TEXT[:10_000], TEXT[10_000:20_000]], seed=0)
    assert fitted.code_lengths([later])[0] < 0.8 * SMALL.code_lengths([later])[0]


def test_a_context_is_what_came_before():
    whole = TEXT[5000:5300]
    for n in (1, 5, 6, 7, 200):
        before, after = whole[:n], whole[n:]
        parts = SMALL.code_lengths([before])[0]
        parts += SMALL.code_lengths([after], context=before)[0]
        assert parts == pytest.approx(SMALL.code_lengths([whole])[0], rel=1e-12)


def test_streams_do_not_teach_each_other():
    samples = [TEXT[i : i + 40] for i in range(0, 400, 40)]
    together = SMALL.code_lengths(samples)
    alone = [SMALL.code_lengths([sample])[0] for sample in samples]
    assert together.tolist() == alone


CHILD = """
import sys
from pathlib import Path
from harness.contract import artifact, coding
from harness.contract.registry import load_plugin
kind = load_plugin(Path(sys.argv[1]))[0].kind
model = artifact.load(Path(sys.argv[2]), lambda _, fields: kind(**fields))
code = Path(sys.argv[2], "code").read_bytes()
samples = coding.decode(model, code, [3000, 50], artifact=artifact.identity(model))
sys.stdout.buffer.write(b"".join(samples))
"""


def test_a_fresh_process_decodes_with_other_instructions(tmp_path: Path):
    model = SMALL.fit([TEXT[:3000]], seed=0)
    samples = [TEXT[3000:6000], TEXT[9000:9050]]
    artifact.save(model, tmp_path)
    code = coding.encode(model, samples, artifact=artifact.identity(model))
    assert len(code) < 0.6 * 3050
    (tmp_path / "code").write_bytes(code)
    decoded = subprocess.run(
        [sys.executable, "-c", CHILD, str(PATH), tmp_path],
        env={**os.environ, "NUMBA_CPU_NAME": "generic"},
        capture_output=True,
        check=True,
    ).stdout
    assert decoded == b"".join(samples)


def test_a_network_too_wide_is_refused():
    with pytest.raises(SpecError, match="hidden is 1000; online_gru has 16 to 512"):
        KIND(hidden=1000)


def test_it_keeps_the_promises_of_every_compressor():
    # `bitprobe check` runs all of them.
    only = ("declarations", "round_trip_fitted", "inputs_unchanged", "pair_lengths")
    only += ("legal_frequencies", "parallel_is_stepwise", "no_look_ahead")
    check_all(SMALL, only=only, long_bytes=1 << 12)
