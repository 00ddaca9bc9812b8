"""Classification by the class whose own text codes a sample best.

docs/method.md, class_scratch.
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
from harness.tasks.class_text import class_texts, pooled_text
from harness.tasks.column import LABEL_READERS, Column
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, Inputs, Task


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return the code lengths of test samples given each class, and given all pooled.

    The pooled reference is one fit on the texts of all classes, in train's order.

    Raises:
        NotApplicableError: there are no labels, or the compressor has no route.
    """
    dataset, seed = inputs.dataset, inputs.seed
    compressor = with_budget(inputs.unfitted, parameters.budget)
    require_route(compressor, dataset)
    texts = class_texts(dataset, seed=seed, equal_bytes=parameters.equal_bytes)
    # The same samples without their classes: the gain is due to the labels alone.
    pooled = compressor.fit(pooled_text(texts), seed=seed)
    return measured_codes(
        text_lengths(compressor, texts, dataset.test.samples, seed=seed),
        pooled.code_lengths(dataset.test.samples),
    )


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return class scores and the class gain of the state fit(class)."""
    return class_judgement(evidence, parameters, state="fit(class)")


TASK = Task(
    name="class_scratch",
    version=3,
    judge_version=2,
    measure=measure,
    judge=judge,
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
        Column(
            header="class bytes spread",
            metric="class_bytes_spread",
            meaning="largest less smallest number of bytes of a class that was read, as a "
            "share of the largest",
            with_interval=False,
            higher_is_better=False,
            goes_without_saying=0.0,
        ),
    ),
)
