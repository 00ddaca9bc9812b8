"""Random configurations of a suite: specs drawn from the ranges that compressors declare."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.contract.compressor import spec_of
from harness.contract.ranges import random_values
from harness.contract.registry import Registry
from harness.errors import SpecError
from harness.planning.specs import FAMILY, registered

MAX_ATTEMPTS = 1000
"""Draws in a row that may repeat a configuration before the ranges count as exhausted."""


class Configurations(BaseModel):
    """A number of random configurations of one compressor on each data set.

    They are drawn anew for each data set, so that what is particular to a few configurations
    does not repeat on all data sets.

    Attributes:
        family: name of the compressor, or a family that has one compressor with ranges.
        n: configurations per data set, all different.
        seed: of the draw; name and data set enter it too.
        fields: values that all of them have, such as `{ steps = 300 }`.
        datasets: names of the data sets; empty takes all of the suite.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    family: str
    n: int = Field(ge=1, le=1000)
    seed: int = Field(default=0, ge=0)
    fields: dict[str, Any] = {}
    datasets: list[str] = []

    def specs(self, dataset: str, registry: Registry) -> list[str]:
        """Return the specs that are drawn for a data set, in the order of drawing.

        Raises:
            SpecError: no compressor with ranges has this name, a field is unknown, or the
                ranges hold fewer than n configurations.
            UnavailableError: the plugin cannot be loaded here.
        """
        if self.datasets and dataset not in self.datasets:
            return []
        name = self._name(registry)
        kind = registry.find(name).kind
        ranges = {
            field: values
            for field, values in (kind.ranges if kind else {}).items()
            if field not in self.fields
        }
        rng = np.random.default_rng([self.seed, *_entropy(name, dataset)])
        specs: dict[str, None] = {}
        n_attempts = 0
        while len(specs) < self.n:
            values = {**random_values(ranges, rng), **self.fields}
            specs[spec_of(registry.make(name, values))] = None
            n_attempts += 1
            if n_attempts > self.n + MAX_ATTEMPTS:
                raise SpecError(
                    f"configurations of {self.family}: the ranges gave {len(specs)} "
                    f"different ones, not {self.n}; ask for fewer"
                )
        return list(specs)

    def _name(self, registry: Registry) -> str:
        """Return the name of the compressor that `family` stands for."""
        names = [self.family]
        if self.family not in registry.entries:
            names = [
                name
                for name in registered(FAMILY + self.family, registry)
                if getattr(registry.entries[name].kind, "ranges", None)
            ]
        if len(names) != 1:
            listed = ", ".join(names) or "none"
            raise SpecError(
                f"configurations: {self.family!r} is no name of a compressor, and the "
                f"compressors with ranges of such a family are: {listed}; give one name"
            )
        kind = registry.find(names[0]).kind
        if kind is not None and not kind.ranges:
            raise SpecError(
                f"configurations: {names[0]} declares no ranges to draw from; list its specs"
            )
        return names[0]


def _entropy(*names: str) -> list[int]:
    """Return numbers for a seed sequence that differ from name to name."""
    # Not `hash`, which differs from process to process.
    digest = hashlib.sha256("\0".join(names).encode()).digest()
    return [int.from_bytes(digest[i : i + 4], "big") for i in range(0, 16, 4)]
