"""The weight decay of the pixel models, chosen on training images alone.

Run: .venv/bin/python benchmarks/weight_decay.py [NAME ...] [--seeds 0 1]

Train is shuffled once and cut: a model learns from the first four fifths, and its bits are
those of images of the last fifth. The test split is not read at all. The recipes' values
came from bits of test images (docs/findings.md): this says what an honest choice would
have been, and what it would have gained. "gain" is bits per pixel of the recipe's value
less those of the best one, on the same images, with the standard error over images; where
its sign changes from seed to seed, it is no gain.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import hyperparameters
from harness.contract.registry import Registry, load_registry
from harness.data.load import load_dataset

CANDIDATES = (0.01, 0.03, 0.1, 0.3, 1.0)

Bits = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A model to be trained, and on how much.

    Attributes:
        spec: without what the card says.
        data: name of a data set.
        n_validation: at most so many images are coded.
    """

    spec: str
    data: str
    n_validation: int = 500


CASES = {
    "pixel_transformer": Case(
        spec="pixel_transformer(size='50k', steps=400", data="digits"
    ),
    "pixel_mlp": Case(
        spec="pixel_mlp(size='50k', steps=300", data="mnist_5k", n_validation=400
    ),
    "pixel_gru": Case(spec="pixel_gru(size='50k', steps=300", data="digits"),
}


def main() -> None:
    """Print validation bits of every candidate, and which is best."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="*", help=f"of {', '.join(CASES)}; all if none")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--decays", type=float, nargs="+", default=list(CANDIDATES))
    asked = parser.parse_args()
    if unknown := set(asked.name) - set(CASES):
        parser.error(f"no model {min(unknown)!r}; there are {', '.join(CASES)}")
    registry = load_registry()
    for name, case in CASES.items():
        if not asked.name or name in asked.name:
            choose(registry, case, asked.decays, asked.seeds)


def choose(
    registry: Registry, case: Case, decays: Sequence[float], seeds: Sequence[int]
) -> None:
    """Print the table of one model, and what an honest choice is."""
    data = load_dataset(case.data)
    shuffled = np.random.default_rng(0).permutation(len(data.train.samples))
    cut = len(shuffled) * 4 // 5
    learned = data.train.take(shuffled[:cut]).samples
    held_out = data.train.take(shuffled[cut:][: case.n_validation]).samples
    model = registry.parse(f"{case.spec}, shape={data.shape}, levels={data.levels})")
    now = float(type(model).recipe.weight_decay)  # type: ignore[attr-defined]  # a network
    print(
        f"\n{case.spec}) on {case.data}: {len(learned)} images to learn from,", end=""
    )
    print(f" {len(held_out)} to validate, bits per pixel")
    print(f"{'decay':<8}" + "".join(f"{f'seed {s}':>10}" for s in seeds), end="")
    print(f"{'mean':>10}")
    found = {}
    for decay in sorted({*decays, now}):
        rows = [rates(with_decay(model, decay), learned, held_out, s) for s in seeds]
        found[decay] = np.stack(rows)  # (seeds, images)
        print(f"{decay:<8}" + "".join(f"{row.mean():>10.4f}" for row in rows), end="")
        print(f"{found[decay].mean():>10.4f}{'  <- recipe' if decay == now else ''}")
        sys.stdout.flush()
    best = min(found, key=lambda decay: float(found[decay].mean()))
    by_seed = (found[now] - found[best]).mean(axis=1)
    gain = (found[now] - found[best]).mean(axis=0)
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    share = 100 * gain.mean() / found[now].mean()
    print(f"best by train alone: {best}; gain over {now}:", end=" ")
    print(f"{gain.mean():.4f} +- {error:.4f} bits per pixel ({share:.2f} %);", end=" ")
    print("by seed " + ", ".join(f"{one:+.4f}" for one in by_seed))


def with_decay(model: Any, decay: float) -> Any:
    """Return the same model with another weight decay; the recipe is the class's own."""
    kind = type(model)
    recipe = replace(kind.recipe, weight_decay=decay)
    changed = type(kind.__name__, (kind,), {"recipe": recipe})
    return changed(**hyperparameters(model))


def rates(
    model: Any, learned: Sequence[bytes], held_out: Sequence[bytes], seed: int
) -> Bits:
    """Return bits per pixel of each held-out image after training."""
    fitted = model.fit(learned, seed=seed)
    n_pixels = np.array([len(image) for image in held_out])
    found: Bits = fitted.code_lengths(held_out) / n_pixels
    return found


if __name__ == "__main__":
    main()
