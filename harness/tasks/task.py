"""What a readout is: a name, a version, parameters with defaults, and a pure function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from harness.contract.compressor import Compressor
from harness.data.dataset import Dataset
from harness.errors import SuiteError
from harness.tasks.column import Column
from harness.tasks.outcome import Outcome


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a readout may see.

    Attributes:
        unfitted: the compressor as its spec says.
        fitted: the same after fit(train); `unfitted` again where the task reads no fit.
        artifact_bits: what a receiver needs to get `fitted`, weighed by the harness.
        dataset: the subset that the suite asks for, both splits in their seeded order.
        seed: of every draw and interval.
        others: data sets that the parameter `others` names, by name, with the same caps.
    """

    unfitted: Compressor
    fitted: Compressor
    artifact_bits: float
    dataset: Dataset
    seed: int
    others: Mapping[str, Dataset] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class NoParameters:
    """For readouts that have none."""


def check_budget(task: str, budget: int | None) -> None:
    """Raise SuiteError for a number of training steps that is none."""
    if budget is not None and budget < 1:
        raise SuiteError(f"{task}: budget is {budget}; give 1 training step or more")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One readout.

    Attributes:
        name: as suites and records call it.
        version: rises whenever its numbers change.
        run: values to values; raises NotApplicableError where it has no meaning.
        parameters: a frozen dataclass, every field with a default.
        reads_fit: whether it reads the state after fit(train), a job of its own.
        alone: whether it measures time, so that nothing else may run beside it.
        weight: rough cost of a byte of data, to start long jobs first.
        title: one line for `bitprobe list tasks`.
        columns: scores that leaderboards show; no other file need know of them.
    """

    name: str
    version: int
    run: Callable[[Inputs, Any], Outcome]
    parameters: type[Any] = NoParameters
    reads_fit: bool = False
    alone: bool = False
    weight: float = 1.0
    title: str = ""
    columns: tuple[Column, ...] = ()

    def make_parameters(self, given: Mapping[str, Any]) -> Any:
        """Return the parameters, checked, defaults filled in.

        Raises:
            SuiteError: a parameter is not one of this task's, or its value is not legal.
        """
        known = [f.name for f in fields(self.parameters)]
        for name in given:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise SuiteError(
                    f"{self.name} has no parameter {name!r}; it has: {listed}"
                )
        try:
            return TypeAdapter(self.parameters).validate_python(dict(given))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise SuiteError(f"{self.name}: {where}: {first['msg'].lower()}") from error

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters as plain values, for the key and the record."""
        return asdict(self.make_parameters(given))
