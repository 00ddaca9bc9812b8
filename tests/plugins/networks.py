"""Material and claims that tests of several networks share; loaded by `run_path`."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from harness import START, Stepwise, hyperparameters

# A text that every machine has.
TEXT = Path(argparse.__file__).read_bytes()
TRAIN = [TEXT[i : i + 200] for i in range(0, 60_000, 200)]
UNSEEN = [TEXT[i : i + 200] for i in range(60_000, 80_000, 200)]


def images(n: int, *, seed: int = 0) -> list[bytes]:
    """Return 7x6 images of 5 levels whose rows repeat with a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.tile(rng.integers(0, 5, (n, 1, 6)), (1, 7, 1))
    noisy = np.where(rng.random(rows.shape) < 0.1, rng.integers(0, 5, rows.shape), rows)
    return [image.astype(np.uint8).tobytes() for image in noisy]


def trained(model: Any, corpus: list[bytes]) -> tuple[Any, Any]:
    """Return the fitted model, and the float network that became its integers."""
    networks: list[Any] = []
    kind = type(model)

    class Spy(kind):  # type: ignore[misc]  # the class of a plugin is known when it runs
        def convert(self, network: Any, *about: Any) -> Any:
            networks.append(network)
            return super().convert(network, *about)

    fields = hyperparameters(model)
    fitted = Spy(**fields).fit(corpus, seed=0)
    return kind(**fields, learned=fitted.learned), networks[0]


def rows_of(model: Any, samples: list[bytes], **how: Any) -> np.ndarray:
    """Return the frequencies of all symbols, in coding order."""
    return np.concatenate(list(model.frequencies(samples, **how)))


def symbols_of(samples: list[bytes]) -> Any:
    """Return equally long samples as a tensor (n, T)."""
    torch = import_module("torch")
    symbols = np.frombuffer(b"".join(samples), np.uint8).astype(np.int64)
    return torch.from_numpy(symbols).view(len(samples), -1)


def bits_of_floats(network: Any, samples: list[bytes]) -> float:
    """Return the bits of equally long samples by the logits of a float network."""
    torch = import_module("torch")
    symbols = symbols_of(samples)
    with torch.inference_mode():
        nats = torch.nn.functional.cross_entropy(
            network(symbols).flatten(0, 1), symbols.flatten(), reduction="sum"
        )
    return float(nats) / np.log(2)


def check_engine_gives_the_rows_of(engine: Any, model: Any, samples: list[bytes]):
    """Check one engine, all steps at once, against the frequencies of equal samples."""
    table = symbols_of(samples).numpy().T
    start = np.full((1, len(samples)), START)
    table = np.concatenate([start, table[:-1]])
    _, rows = engine.advance(engine.repeat(engine.start(), len(samples)), table)
    assert (rows.reshape(-1, model.alphabet) == rows_of(model, samples)).all()


def check_parallel_rows_are_those_of_steps(
    model: Any, samples: list[bytes], context: bytes
):
    """Check whole samples at once against a symbol of each at a time."""
    stepped = Stepwise.frequencies(model, samples, context=context)
    rows = rows_of(model, samples, context=context)
    assert (rows == np.concatenate(list(stepped))).all()


def check_last_states_predict_the_next_symbol(
    model: Any, samples: list[bytes], shapes: dict[str, tuple[int, ...]]
):
    """Check shapes of hidden states, and the logits that the last layer leads to."""
    torch = import_module("torch")
    states = model.hidden_states(samples)
    assert {name: layer.shape for name, layer in states.items()} == shapes
    network = model.restore(model.learned)
    with torch.inference_mode():
        logits = network(symbols_of(samples))[:, 1:]
        last = torch.from_numpy(states[f"layer{len(states)}"])
        by_states = last @ network.head.T + network.head_bias
    assert torch.allclose(logits, by_states[:, :-1], atol=1e-4)


def frequencies_of(logits: np.ndarray) -> np.ndarray:
    """Return the frequencies (n, A) of whole logits (n, A) in 1/1024 nat."""
    total, alphabet = 1 << 24, logits.shape[1]
    exponentials = np.rint(2**22 * np.exp(-np.arange(16385) / 1024)).astype(np.int64)
    e = exponentials[np.minimum(logits.max(1, keepdims=True) - logits, 16384)]
    rows = e * (total - alphabet) // e.sum(1, keepdims=True) + 1
    rows[range(len(rows)), logits.argmax(1)] += total - rows.sum(1)
    return rows
