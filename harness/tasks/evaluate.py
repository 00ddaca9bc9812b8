"""Evaluation of a task in this process, for debugging and tests; a run isolates each stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.data.dataset import Dataset
from harness.records.job import subject_of
from harness.records.score import Score
from harness.tasks.outcome import Arrays, Coded, CodeFile
from harness.tasks.task import Evidence, Inputs, Task, without_test_labels


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Outcome of both halves of a task.

    Attributes:
        scores: of the judge.
        arrays: of the judge.
        coded: codes that the scores count; nothing here has decoded them.
    """

    scores: tuple[Score, ...]
    arrays: Arrays = field(default_factory=dict)
    coded: tuple[Coded, ...] = ()

    @property
    def values(self) -> dict[str, float]:
        """Values of the scores by name."""
        return {score.name: score.value for score in self.scores}


def evaluate(
    task: Task,
    inputs: Inputs,
    parameters: Any,
    *,
    artifact_bits: float = 0.0,
    foreign: Mapping[str, Dataset] | None = None,
) -> Evaluation:
    """Return the scores of a compressor; codes are counted, but not decoded.

    Args:
        task: the readout.
        inputs: compressor and data, the test split with its labels.
        parameters: of the task.
        artifact_bits: size of the artifact from which a receiver gets the fitted compressor.
        foreign: data sets that the parameters name.

    Raises:
        NotApplicableError: the readout has no meaning here.
    """
    evidence = Evidence(
        subject=subject_of(inputs.unfitted),
        dataset=inputs.dataset,
        seed=inputs.seed,
        artifact_bits=artifact_bits,
        foreign=foreign or {},
    )
    prepared = task.prepare(evidence, parameters)
    # As in a run, so that a task that needs a label too many fails here too.
    hidden = without_test_labels(inputs.dataset)
    measured = task.measure(
        replace(inputs, dataset=hidden, prepared=prepared), parameters
    )
    codes = {
        # Nothing is decoded here, so that there is no hash.
        rate.name: CodeFile(lengths=tuple(map(len, rate.codes)), sha256="")
        for rate in measured.coded
    }
    evidence = replace(
        evidence, arrays=measured.arrays, facts=measured.facts, codes=codes
    )
    judgement = task.judge(evidence, parameters)
    return Evaluation(
        scores=judgement.scores, arrays=judgement.arrays, coded=measured.coded
    )
