"""What exactness costs: bits under the float network, and under the integers it became.

Run: .venv/bin/python benchmarks/integer_cost.py [NAME ...] [--steps N] [--seeds 0 1]

The float network is what training gave (the average of its weights), caught just before it
is converted; its logits become lengths in float64. The integer model is what is shipped
and codes. Both read the same test data: whole images, or pieces of a text that no model
has seen. The project wants at most 0.1 %. All is seeded: two runs on one machine print the
same table.
"""

import argparse
import copy
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from harness.contract.compressor import hyperparameters
from harness.contract.registry import Registry, load_registry
from harness.data.dataset import subset
from harness.data.load import load_dataset

GOAL_PERCENT = 0.1
PIECE_BYTES = 256
FLOAT_BATCH = 16

PIXELS = (
    "pixel_transformer(size='10k')",
    "pixel_transformer(size='50k')",
    "pixel_transformer(size='200k')",
    "pixel_mlp(size='10k')",
    "pixel_mlp(size='50k')",
    "pixel_gru(size='10k')",
    "pixel_gru(size='50k')",
    "pixel_conv(size='10k')",
    "pixel_conv(size='50k')",
)
TEXTS = (
    "byte_recurrence(size='10k')",
    "byte_recurrence(size='100k')",
    "byte_linear_attention(size='10k')",
    "byte_linear_attention(size='100k')",
    "byte_gru(size='10k')",
    "byte_gru(size='100k')",
    "byte_mlp(size='10k')",
    "byte_mlp(size='100k')",
    "byte_conv(size='10k')",
    "byte_conv(size='100k')",
    "byte_transformer(size='10k')",
    "byte_transformer(size='50k')",
    "byte_hybrid(size='10k')",
    "byte_hybrid(size='50k')",
)


@dataclass(frozen=True, kw_only=True)
class Material:
    """What models are trained on, what they code, and the fields its card fills in."""

    name: str
    train: Sequence[bytes]
    test: Sequence[bytes]
    fields: str = ""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bits of the test data under both forms of one model."""

    float_bits: float
    integer_bits: float
    n_symbols: int

    @property
    def percent(self) -> float:
        """By how much the integers need more, in percent."""
        return 100 * (self.integer_bits / self.float_bits - 1)


def main() -> None:
    """Print a line for each model and seed, and the largest cost."""
    asked = arguments()
    registry = load_registry()
    pixels, texts = images(asked), text(asked)
    cases = [(spec, pixels) for spec in PIXELS] + [(spec, texts) for spec in TEXTS]
    print(f"{asked.steps} steps; bits per symbol of the test data")
    print(f"{'model':<33}{'data':<10}{'seed':>5}", end="")
    print(f"{'symbols':>9}{'float':>10}{'integers':>10}{'cost in %':>11}")
    costs = []
    for spec, material in cases:
        if asked.name and spec.partition("(")[0] not in asked.name:
            continue
        for seed in asked.seeds:
            found = cost(registry, spec, material, steps=asked.steps, seed=seed)
            costs.append(found.percent)
            rates = (found.float_bits, found.integer_bits)
            print(
                f"{spec:<33}{material.name:<10}{seed:>5}{found.n_symbols:>9,}", end=""
            )
            print("".join(f"{bits / found.n_symbols:>10.5f}" for bits in rates), end="")
            print(f"{found.percent:>+11.4f}")
            sys.stdout.flush()
    met = sum(percent <= GOAL_PERCENT for percent in costs)
    print(f"from {min(costs):+.4f} to {max(costs):+.4f} %;", end=" ")
    print(f"{met} of {len(costs)} within {GOAL_PERCENT} %")


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = sorted({spec.partition("(")[0] for spec in (*PIXELS, *TEXTS)})
    parser.add_argument("name", nargs="*", help=f"of {', '.join(names)}; all if none")
    parser.add_argument("--steps", type=int, default=150, help="of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--pixels", default="digits", help="data set of images")
    parser.add_argument("--text", help="data set of text; Python's argparse if none")
    parser.add_argument("--n-test", type=int, default=200, help="images, text pieces")
    asked = parser.parse_args()
    if unknown := set(asked.name) - set(names):
        parser.error(f"no model {min(unknown)!r}; there are {', '.join(names)}")
    if asked.steps < 0 or asked.n_test < 1:
        parser.error("give 0 or more steps, and 1 or more test samples")
    return asked


def images(asked: argparse.Namespace) -> Material:
    """Return a data set of images."""
    data = subset(load_dataset(asked.pixels), n_train=None, n_test=asked.n_test, seed=0)
    return Material(
        name=asked.pixels,
        train=data.train.samples,
        test=data.test.samples,
        fields=f"shape={data.shape}, levels={data.levels}",
    )


def text(asked: argparse.Namespace) -> Material:
    """Return text cut into pieces; the tests are whole pieces from its other end."""
    if asked.text:
        data = load_dataset(asked.text)
        joined = [b"\n".join(split.samples) for split in (data.train, data.test)]
    else:
        source = Path(argparse.__file__).read_bytes()
        cut = len(source) * 4 // 5
        joined = [source[:cut], source[cut:]]
    train, test = (
        [part[i : i + PIECE_BYTES] for i in range(0, len(part), PIECE_BYTES)]
        for part in joined
    )
    return Material(
        name=asked.text or "argparse", train=train, test=test[:-1][: asked.n_test]
    )


def cost(
    registry: Registry, spec: str, material: Material, *, steps: int, seed: int
) -> Cost:
    """Train one model and return the bits of the test data under both of its forms."""
    fields = f", {material.fields}" if material.fields else ""
    plain: Any = registry.parse(spec.removesuffix(")") + f", steps={steps}{fields})")
    caught: list[torch.nn.Module] = []
    fitted = watched(plain, caught.append).fit(material.train, seed=seed)
    (network,) = caught
    return Cost(
        float_bits=float_bits(network, material.test),
        integer_bits=float(fitted.code_lengths(material.test).sum()),
        n_symbols=sum(map(len, material.test)),
    )


def watched(model: Any, catch: Callable[[torch.nn.Module], None]) -> Any:
    """Return the same model, which shows a copy of the network that it converts."""
    kind = type(model)

    def convert(self: Any, network: torch.nn.Module, *about: Any) -> Any:
        catch(copy.deepcopy(network))
        return kind.convert(self, network, *about)

    # A class made here keeps name and fields: all that a seed leads to is the same.
    return type(kind.__name__, (kind,), {"convert": convert})(**hyperparameters(model))


def float_bits(network: torch.nn.Module, samples: Sequence[bytes]) -> float:
    """Return the code length of equally long samples by the network's float logits."""
    table = np.stack([np.frombuffer(sample, np.uint8) for sample in samples])
    symbols = torch.from_numpy(table.astype(np.int64))  # (n, T)
    nats = 0.0
    with torch.inference_mode():
        for start in range(0, len(symbols), FLOAT_BATCH):
            part = symbols[start : start + FLOAT_BATCH]
            logits = network(part).double()  # (B, T, A)
            found = functional.cross_entropy(
                logits.flatten(0, 1), part.flatten(), reduction="sum"
            )
            nats += float(found)
    return nats / math.log(2)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
