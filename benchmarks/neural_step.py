"""Symbols per CPU second of the neural models: integers against the float network.

Run: .venv/bin/python benchmarks/neural_step.py [NAME ...]

Both sides are measured in one run, by one thread, on the same symbols. "encode" and "decode"
are whole, with the range coder; "step" and "float" predict the next symbol of each stream
and nothing else, by integers and by the float network with its softmax. To add a model, add
a line to MODELS; a float step is optional.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # has no types
from torch.nn import functional

from harness import START, CodingError
from harness.contract import coding
from harness.contract.registry import load_plugin
from harness.data.load import load_dataset
from harness.folders import builtin_folder

STREAMS = {1: 300, 64: 60, 500: 30}
"""Streams, and symbols of each."""
N_REPEATS = 3

FloatStep = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model to be measured.

    Attributes:
        plugin: name of its folder.
        fields: of the model.
        data: "text" or "digits".
        float_step: makes the float step of m streams from (network, m); None has none.
    """

    plugin: str
    fields: dict[str, Any] = field(default_factory=dict)
    data: str = "text"
    float_step: Callable[[Any, int], FloatStep] | None = None


def gru_step(network: Any, n: int) -> FloatStep:
    """Return a step of n streams of gated recurrent units."""
    d = network.architecture.widths.hidden
    given = network.mixing_bias + network.spread
    inner = functional.pad(network.recurrent_bias, (2 * d, 0))
    weights = (network.mixing, network.recurrent, given, inner)
    inputs = Inputs(network, n)
    state = torch.zeros(1, n, d)

    def step(symbols: torch.Tensor) -> torch.Tensor:
        nonlocal state
        x = inputs.after(symbols)[:, None]
        shown, state = torch.gru(x, state, weights, True, 1, 0.0, False, False, True)
        logits = functional.linear(shown[:, 0], network.head, network.head_bias)
        return logits.softmax(-1)

    return step


def linear_step(network: Any, n: int) -> FloatStep:
    """Return a step of n streams of linear cells."""
    names = ("mixing", *network.architecture.upper)
    layers = [
        (network.get_parameter(name), network.get_parameter(f"{name}_bias"))
        for name in names
    ]
    biases = [bias + network.spread for _, bias in layers]
    inputs = Inputs(network, n)
    states = [torch.zeros(n, network.architecture.widths.hidden) for _ in names]

    def step(symbols: torch.Tensor) -> torch.Tensor:
        x = inputs.after(symbols)
        for i, (weight, _) in enumerate(layers):
            keep, new, output = functional.linear(x, weight, biases[i]).chunk(3, -1)
            new = new.tanh()
            states[i] = new + keep.sigmoid() * (states[i] - new)
            skip = x if i else new
            x = skip + output.sigmoid() * (states[i] - skip)
        logits = functional.linear(x, network.head, network.head_bias)
        return logits.softmax(-1)

    return step


class Inputs:
    """What the float step of a recurrent network is given, from a few last symbols."""

    def __init__(self, network: Any, n: int) -> None:
        self.network, self.n_read = network, 0
        a = network.architecture
        self.history = torch.full((n, a.distances[-1]), a.n_symbols)
        self.back = torch.tensor([-distance for distance in a.distances])

    def after(self, symbols: torch.Tensor) -> torch.Tensor:
        """Return the inputs (n, n_inputs) of the step that reads these symbols."""
        a, network = self.network.architecture, self.network
        self.history = torch.cat([self.history[:, 1:], symbols[:, None]], 1)
        seen = functional.embedding(self.history[:, self.back], network.embedding)
        parts = [seen.flatten(1)]
        if a.grid:
            row, column = divmod(self.n_read % a.n_places, a.grid[1])
            place = torch.cat([network.row[row], network.column[column]])
            parts.append(place.expand(len(symbols), -1))
        self.n_read += 1
        return torch.cat(parts, 1)


def mlp_step(network: Any, n: int) -> FloatStep:
    """Return a step of n streams of the neighbourhood MLP."""
    reach = network.neighbourhood.reach
    history = torch.full((n, reach), network.alphabet)
    where = torch.full((n, 1), reach)
    n_read = 0

    def step(symbols: torch.Tensor) -> torch.Tensor:
        nonlocal history, n_read
        history = torch.cat([history[:, 1:], symbols[:, None]], 1)
        place = torch.full((n, 1), n_read % network.neighbourhood.n_positions)
        n_read += 1
        logits = network.head(network.states(history, where, place)[1])
        probabilities: torch.Tensor = logits[:, 0].softmax(-1)
        return probabilities

    return step


def attention_step(network: Any, n: int) -> FloatStep:
    """Return a step of n streams of a transformer that keeps keys and values."""
    a, n_read = network.architecture, 0
    blocks = [network.layer(i) for i in range(a.n_layers)]
    shape = 2, n, a.n_heads, max(STREAMS.values()), a.head_width
    kept = [torch.zeros(shape) for _ in blocks]
    # By distance, the farthest first; without any, attention needs no mask.
    masks = [
        block.scores_by_distance(block.reach + 1)[:, -1:] if block.relative else None
        for block in blocks
    ]

    def attend(layer: int, x: torch.Tensor) -> torch.Tensor:
        block, memory, mask = blocks[layer], kept[layer], masks[layer]
        normal = block.norm_attention(x, ignore)
        query, *new = block.qkv(normal).view(n, 3, a.n_heads, 1, -1).unbind(1)
        memory[:, :, :, n_read : n_read + 1] = torch.stack(new)
        first = max(0, n_read - block.reach)
        keys, values = memory[:, :, :, first : n_read + 1]
        if mask is not None:
            mask = mask[..., first - n_read - 1 :]
        read = functional.scaled_dot_product_attention(query, keys, values, mask)
        changed: torch.Tensor = block.project(read.flatten(1))
        return changed

    def step(symbols: torch.Tensor) -> torch.Tensor:
        nonlocal n_read
        x = network.embed[symbols]
        if a.n_positions:
            x = x + network.position[n_read % a.n_positions]
        for layer, block in enumerate(blocks):
            x = x + attend(layer, x)
            hidden = block.expand(block.norm_mlp(x, ignore))
            x = x + block.contract(functional.gelu(hidden))
        n_read += 1
        logits: torch.Tensor = network.head(network.norm(x, ignore))
        return logits.softmax(-1)

    return step


def ignore(*_: object) -> None:
    """Take no note of an activation."""


MODELS = [
    Case(plugin="byte_gru", float_step=gru_step),
    Case(plugin="byte_recurrence", float_step=linear_step),
    Case(plugin="byte_mlp"),
    Case(plugin="byte_conv"),
    Case(plugin="pixel_conv", data="digits"),
    Case(plugin="pixel_gru", data="digits", float_step=gru_step),
    Case(plugin="pixel_mlp", data="digits", float_step=mlp_step),
    Case(plugin="pixel_transformer", data="digits", float_step=attention_step),
    Case(
        plugin="pixel_transformer",
        fields={"size": "200k"},
        data="digits",
        float_step=attention_step,
    ),
    Case(plugin="byte_transformer", float_step=attention_step),
    Case(plugin="byte_hybrid"),
]


def main() -> None:
    """Measure the models that are named, or all, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(dict.fromkeys(case.plugin for case in MODELS))
    parser.add_argument("name", nargs="*", help=f"of {', '.join(names)}")
    chosen = parser.parse_args().name or names
    if unknown := set(chosen) - set(names):
        parser.error(f"no model {min(unknown)!r}; there are {', '.join(names)}")
    columns = ("encode", "decode", "step", "float", "step/float")
    print(f"{'thousand symbols per CPU second':<34}{'streams':>8}", end="")
    print("".join(f"{column:>11}" for column in columns))
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for case in MODELS:
            if case.plugin in chosen:
                measure(case)


def measure(case: Case) -> None:
    """Print a line for each number of streams."""
    corpus, fields = corpus_of(case)
    kind: Any = load_plugin(builtin_folder("plugins") / case.plugin)[0].kind
    # A few steps of training, so that the code is shorter than what it codes.
    model = kind(**{"steps": 40, **fields, **case.fields}).fit(corpus, seed=0)
    text = b"".join(corpus)
    for n, length in STREAMS.items():
        end = min(length, len(corpus[0]))
        samples = [text[i * 64 :][:end] for i in range(n)]
        rates = rates_of(model, samples)
        rates["float"] = float("nan")
        if case.float_step is not None:
            network = model.restore(model.learned).eval()
            rates["float"] = float_rate(case.float_step, network, samples)
        ratio = rates["step"] / rates["float"]
        print(f"{case.plugin + ' ' + model.size:<34}{n:>8}", end="")
        print("".join(f"{rate:>11.1f}" for rate in rates.values()), end="")
        print(f"{ratio:>11.2f}")
        sys.stdout.flush()


def corpus_of(case: Case) -> tuple[list[bytes], dict[str, Any]]:
    """Return samples that any machine has, and what their card says of them."""
    if case.data == "text":
        text = Path(argparse.__file__).read_bytes()
        return [text[i : i + 512] for i in range(0, len(text), 512)], {}
    digits = load_dataset(case.data)
    return list(digits.train.samples), {"shape": digits.shape, "levels": digits.levels}


def rates_of(model: Any, samples: list[bytes]) -> dict[str, float]:
    """Return thousand symbols per CPU second of coding, and of steps alone."""
    lengths = [len(sample) for sample in samples]
    code = coding.encode(model, samples)
    if coding.decode(model, code, lengths) != samples:
        raise CodingError(f"{model.name} decodes other samples; it has no rate")
    symbols = columns_of(samples)

    def steps() -> None:
        state = model.start(len(samples))
        for column in symbols:
            state, _ = model.step(state, column)

    return {
        "encode": rate(lambda: coding.encode(model, samples), sum(lengths)),
        "decode": rate(lambda: coding.decode(model, code, lengths), sum(lengths)),
        "step": rate(steps, sum(lengths)),
    }


def float_rate(
    make: Callable[[Any, int], FloatStep], network: Any, samples: list[bytes]
) -> float:
    """Return thousand symbols per CPU second of the float network's steps."""
    columns = torch.from_numpy(columns_of(samples))

    def steps() -> None:
        step = make(network, len(samples))
        for column in columns.clamp(min=0):
            step(column)

    with torch.inference_mode():
        return rate(steps, columns.numel())


def columns_of(samples: list[bytes]) -> Any:
    """Return what each step reads, (T, n): START first, the last symbol never."""
    table = np.stack([np.frombuffer(sample, np.uint8) for sample in samples], axis=1)
    start = np.full((1, len(samples)), START)
    return np.concatenate([start, table[:-1].astype(np.int64)])


def rate(run: Callable[[], Any], n_symbols: int) -> float:
    """Return thousand symbols per CPU second, the best of a few runs after a warm-up."""
    run()
    seconds = []
    for _ in range(N_REPEATS):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return n_symbols / min(seconds) / 1000


if __name__ == "__main__":
    main()
