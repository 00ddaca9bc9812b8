"""Classify by the class that, after all of train, codes a sample best (SCIENCE: class_adapt).

For a codec with a window, fit(train) then fit(class) keeps the last window of both: the
class follows train in the prefix, and drives it out where the class fills the window.
"""

from __future__ import annotations

from harness.contract.training import with_budget
from harness.tasks.class_code import (
    ClassCodes,
    Parameters,
    class_lengths,
    class_members,
    class_outcome,
    require_route,
)
from harness.tasks.column import Column
from harness.tasks.outcome import Outcome
from harness.tasks.task import Inputs, Task


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return class scores and the class gain of the state fit(train)+fit(class).

    The gain's reference is the state fit(train), before adapting.

    Raises:
        NotApplicableError: there are no labels, or the compressor has no route.
    """
    fitted, dataset, seed = inputs.fitted, inputs.dataset, inputs.seed
    require_route(fitted, dataset)
    members = class_members(dataset, seed=seed, equal_bytes=parameters.equal_bytes)
    start = with_budget(fitted, parameters.budget)
    codes = ClassCodes(
        lengths=class_lengths(start, dataset, members, seed=seed),
        pooled=fitted.code_lengths(dataset.test.samples),
        state="fit(train)+fit(class)",
        compressor=fitted,
    )
    return class_outcome(codes, dataset, seed=seed)


TASK = Task(
    name="class_adapt",
    version=1,
    run=run,
    parameters=Parameters,
    reads_fit=True,
    title="the class that, fitted after all of train, makes a test sample shortest",
    columns=(
        Column(
            header="adapted bal. acc.",
            metric="balanced_accuracy",
            meaning="the same as class bal. acc. after fitting all of train first",
            is_readout=True,
        ),
    ),
)
