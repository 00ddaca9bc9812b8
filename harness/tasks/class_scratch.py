"""Classify by the class whose own text codes a sample best (SCIENCE: class_scratch)."""

from __future__ import annotations

import numpy as np

from harness.contract.training import with_budget
from harness.tasks.class_code import (
    ClassCodes,
    Parameters,
    class_lengths,
    class_members,
    class_outcome,
    corpus_of,
    require_route,
)
from harness.tasks.column import LABEL_READERS, Column
from harness.tasks.outcome import Outcome
from harness.tasks.task import Inputs, Task


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return class scores and the class gain of the state fit(class).

    The gain's reference is one fit on the texts of all classes pooled, in train's order.

    Raises:
        NotApplicableError: there are no labels, or the compressor has no route.
    """
    dataset, seed = inputs.dataset, inputs.seed
    compressor = with_budget(inputs.unfitted, parameters.budget)
    require_route(compressor, dataset)
    members = class_members(dataset, seed=seed, equal_bytes=parameters.equal_bytes)
    everything = corpus_of(dataset, np.sort(np.concatenate(members)))
    pooled = compressor.fit(everything, seed=seed)
    codes = ClassCodes(
        lengths=class_lengths(compressor, dataset, members, seed=seed),
        pooled=pooled.code_lengths(dataset.test.samples),
        state="fit(class)",
        compressor=compressor,
    )
    return class_outcome(codes, dataset, seed=seed)


TASK = Task(
    name="class_scratch",
    version=2,
    run=run,
    parameters=Parameters,
    title="the class whose own text makes a test sample shortest",
    columns=(
        Column(
            header="class bal. acc.",
            metric="balanced_accuracy",
            meaning="balanced accuracy of answering with the class whose own text makes a "
            "sample shortest",
            baselines=LABEL_READERS,
            is_readout=True,
        ),
        Column(
            header="class acc.",
            metric="accuracy",
            meaning="plain accuracy of the same answers",
            baselines=LABEL_READERS,
        ),
    ),
)
