"""Every choice that a network declares for random configurations trains and codes."""

import numpy as np
import pytest

from harness.contract import coding
from harness.contract.artifact import identity
from harness.contract.ranges import Choice
from harness.contract.registry import load_registry

REGISTRY = load_registry()
DRAWN = [n for n, entry in REGISTRY.entries.items() if entry.kind and entry.kind.ranges]


def configurations(name: str) -> list[dict[str, object]]:
    """Return field values that hold each value of each choice at least once."""
    ranges = REGISTRY.find(name).kind.ranges
    choices = {k: r.values for k, r in ranges.items() if isinstance(r, Choice)}
    del choices["size"]  # every size is tested with its family
    n = max(map(len, choices.values()), default=1)
    return [{k: v[i % len(v)] for k, v in choices.items()} for i in range(n)]


@pytest.mark.parametrize("name", DRAWN)
def test_every_choice_trains_a_step_and_decodes(name: str):
    rng = np.random.default_rng(0)
    samples = [rng.integers(0, 17, 64, np.uint8).tobytes() for _ in range(4)]
    for values in configurations(name):
        own = {"size": "10k", "steps": 1} | values
        if name.startswith("pixel"):
            own |= {"shape": (8, 8), "levels": 17}
        model = REGISTRY.make(name, own).fit(samples, seed=0)
        codes = coding.code_each(model, samples[:1], artifact=identity(model))
        assert (
            coding.decode_each(model, codes, [64], artifact=identity(model))
            == samples[:1]
        )
