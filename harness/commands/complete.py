"""`bitprobe complete`: completions of held-out samples by a fitted model, and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.atomic import write_atomic
from harness.commands.progress import bar
from harness.contract.compressor import Compressor
from harness.data.card import Card
from harness.data.dataset import subset
from harness.data.load import load_anew
from harness.errors import DatasetError, StoreError
from harness.report.gallery import continuation_table, gallery_caption, gallery_png
from harness.tasks import completion
from harness.tasks.evaluate import evaluate
from harness.tasks.task import Inputs


@dataclass(frozen=True, kw_only=True)
class Completions:
    """Scores as (name, value, unit), and a table of continuations or a caption."""

    scores: tuple[tuple[str, float, str], ...]
    text: str


def complete(
    compressor: Compressor,
    card: Card,
    *,
    output: Path,
    parameters: completion.Parameters,
    seed: int,
) -> Completions:
    """Complete test samples of a data set; write a gallery of images, or a table of texts.

    Raises:
        DatasetError: the data set is unknown, or has no test samples.
        StoreError: the output cannot be written.
        NotApplicableError: the compressor cannot draw samples.
    """
    # All samples, in seeded order: the first prefixes are a random subset.
    dataset = subset(load_anew(card), n_train=None, n_test=None, seed=seed)
    if not dataset.test.samples:
        raise DatasetError(
            f"{card.name} has no test samples to complete; choose another"
        )
    # The artifact is fitted already, and the task reads no other state.
    inputs = Inputs(unfitted=compressor, fitted=compressor, dataset=dataset, seed=seed)
    with bar(f"completing {card.name}"):
        outcome = evaluate(completion.TASK, inputs, parameters)
    if dataset.shape is not None:
        text, content = gallery_caption(outcome.arrays), gallery_png(outcome.arrays)
    else:
        text = continuation_table(outcome.arrays)
        content = text.encode()
    try:
        write_atomic(output, content)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror}") from error
    scores = tuple((score.name, score.value, score.unit) for score in outcome.scores)
    return Completions(scores=scores, text=text)
