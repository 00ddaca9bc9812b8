"""What a fitted model draws after the first half of held-out samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.atomic import write_atomic
from harness.contract.compressor import Compressor
from harness.data.dataset import subset
from harness.data.load import load_dataset
from harness.errors import DatasetError, StoreError
from harness.report.gallery import continuation_table, gallery_caption, gallery_png
from harness.tasks import completion
from harness.tasks.evaluate import evaluate
from harness.tasks.task import Inputs


@dataclass(frozen=True, kw_only=True)
class Completed:
    """Scores as (name, value, unit), and a table of continuations or a caption."""

    scores: tuple[tuple[str, float, str], ...]
    words: str


def complete(
    compressor: Compressor,
    name: str,
    *,
    output: Path,
    parameters: completion.Parameters,
    seed: int,
) -> Completed:
    """Complete test samples of a data set; write a gallery of images, or a table of texts.

    Raises:
        DatasetError: the data set is unknown, or has no test samples.
        StoreError: the output cannot be written.
        NotApplicableError: the compressor draws nothing.
    """
    dataset = subset(load_dataset(name), n_train=None, n_test=None, seed=seed)
    if not dataset.test.samples:
        raise DatasetError(f"{name} has no test samples to complete")
    inputs = Inputs(unfitted=compressor, fitted=compressor, dataset=dataset, seed=seed)
    outcome = evaluate(completion.TASK, inputs, parameters)
    is_image = dataset.shape is not None
    words = gallery_caption if is_image else continuation_table
    made = (
        gallery_png(outcome.arrays)
        if is_image
        else continuation_table(outcome.arrays).encode()
    )
    try:
        write_atomic(output, made)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror}") from error
    scores = tuple((one.name, one.value, one.unit) for one in outcome.scores)
    return Completed(scores=scores, words=words(outcome.arrays))
