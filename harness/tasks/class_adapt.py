"""Classification by the class that, after all of train, codes a sample best.

docs/method.md, class_adapt. For a codec with a window, fit(train) then fit(class) keeps the
last window of both: the class follows train in the prefix, and drives it out where the
class fills the window.
"""

from __future__ import annotations

from harness.contract.training import with_budget
from harness.tasks.class_code import (
    Parameters,
    class_judgement,
    measured_codes,
    require_route,
    text_lengths,
)
from harness.tasks.class_text import class_texts
from harness.tasks.column import Column
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, Inputs, Task


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return the code lengths after adapting to each class, and before adapting.

    Raises:
        NotApplicableError: there are no labels, or the compressor has no route.
    """
    fitted, dataset, seed = inputs.fitted, inputs.dataset, inputs.seed
    require_route(fitted, dataset)
    texts = class_texts(dataset, seed=seed, equal_bytes=parameters.equal_bytes)
    # Training goes on from the state after fit(train), by a registered number of steps.
    start = with_budget(fitted, parameters.budget)
    return measured_codes(
        text_lengths(start, texts, dataset.test.samples, seed=seed),
        # The reference of the class gain: the state before it saw any class.
        fitted.code_lengths(dataset.test.samples),
    )


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return class scores and the class gain of the state fit(train)+fit(class)."""
    return class_judgement(evidence, parameters, state="fit(train)+fit(class)")


TASK = Task(
    name="class_adapt",
    version=2,
    judge_version=2,
    measure=measure,
    judge=judge,
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
