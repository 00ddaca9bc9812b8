"""Definition of a task: a name, a version, parameters, and two pure functions.

`measure` runs with the plugin in its process and never sees a label of the test split.
`judge` turns measurements into scores where no plugin is loaded, so that a plugin cannot
write its own score and a new metric can be computed for old runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from harness.contract.compressor import Compressor
from harness.data.dataset import Dataset
from harness.errors import SuiteError
from harness.records.job import Subject
from harness.suggest import fault_of
from harness.tasks.column import Column
from harness.tasks.outcome import Arrays, CodeFile, Judgement, Measured

Samples = tuple[bytes, ...]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """Everything that `measure` may see.

    Attributes:
        unfitted: the compressor with the fields of its spec.
        fitted: the same after fit(train); `unfitted` again where the task reads no fit.
        dataset: the subset that the suite asks for, both splits in their seeded order,
            the test split without its labels.
        seed: of every random choice.
        prepared: result of `Task.prepare`.
    """

    unfitted: Compressor
    fitted: Compressor
    dataset: Dataset
    seed: int
    prepared: Any = None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that `prepare` and `judge` may see; the former has no measurements yet.

    Attributes:
        subject: the compressor as the plan describes it.
        dataset: the same subset as in `Inputs`, with all labels.
        seed: of every random choice.
        artifact_bits: size of the artifact from which a receiver gets the fitted compressor.
        arrays, facts: measurements.
        codes: files that a fresh process decoded, by the name of the rate.
        foreign: data sets that the parameter `others` names, by name, with the same caps.
    """

    subject: Subject
    dataset: Dataset
    seed: int
    artifact_bits: float = 0.0
    arrays: Arrays = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    codes: Mapping[str, CodeFile] = field(default_factory=dict)
    foreign: Mapping[str, Dataset] = field(default_factory=dict)


def without_test_labels(dataset: Dataset) -> Dataset:
    """Return the data set without everything that a compressor's process may not see."""
    # Empty rather than zeros: code that reads labels fails instead of misleading.
    test = replace(dataset.test, labels=np.zeros(0, np.int64))
    # The true code lengths belong to the test split, too.
    return replace(dataset, test=test, true_bits=None)


def no_originals(_evidence: Evidence, _parameters: Any) -> Mapping[str, Samples]:
    """Return nothing: the task writes no codes."""
    return {}


def nothing(_evidence: Evidence, _parameters: Any) -> Any:
    """Return None: the task prepares nothing."""
    return None


@dataclass(frozen=True, kw_only=True)
class NoParameters:
    """Parameters of a task that has none."""


def check_budget(task: str, budget: int | None) -> None:
    """Raise SuiteError for a number of training steps below 1."""
    if budget is not None and budget < 1:
        raise SuiteError(f"{task}: budget is {budget}; give 1 training step or more")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One readout.

    Attributes:
        name: as suites and records call it.
        version: rises whenever measurements change; part of the key.
        prepare: draws texts by labels, before the plugin is loaded; may hold no label of
            the test split.
        measure: returns measurements, in the plugin's process; raises NotApplicableError where
            the readout has no meaning.
        judge: measurements to scores, where no plugin is loaded.
        originals: the samples that each code must decode to, by the name of the rate.
        judge_version: rises whenever scores change while measurements do not.
        parameters: a frozen dataclass, every field with a default.
        columns: of leaderboards.
        reads_fit: whether it reads the state after fit(train), a job of its own.
        alone: whether it measures time, so that no other job may run at the same time.
        weight: rough cost of a byte of data, to start long jobs first.
        title: one line for `bitprobe list tasks`.
    """

    name: str
    version: int
    measure: Callable[[Inputs, Any], Measured]
    judge: Callable[[Evidence, Any], Judgement]
    originals: Callable[[Evidence, Any], Mapping[str, Samples]] = no_originals
    prepare: Callable[[Evidence, Any], Any] = nothing
    judge_version: int = 1
    parameters: type[Any] = NoParameters
    columns: tuple[Column, ...] = ()
    reads_fit: bool = False
    alone: bool = False
    weight: float = 1.0
    title: str = ""

    def make_parameters(self, given: Mapping[str, Any]) -> Any:
        """Return the parameters, checked, defaults filled in.

        Raises:
            SuiteError: a parameter is not one of this task's, or its value is not legal.
        """
        names = [f.name for f in fields(self.parameters)]
        for name in given:
            if name not in names:
                listed = ", ".join(names) or "none"
                raise SuiteError(
                    f"{self.name} has no parameter {name!r}; it has: {listed}"
                )
        try:
            # Checked when a suite is read, not hours later in a job.
            return TypeAdapter(self.parameters).validate_python(dict(given))
        except ValidationError as error:
            raise SuiteError(f"{self.name}: {fault_of(error)}") from error

    def complete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters as plain values, for the key and the record."""
        return asdict(self.make_parameters(given))
