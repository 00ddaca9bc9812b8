"""`bitprobe fit`: fit a compressor on a file or a data set, and save the artifact."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import isnan, prod
from pathlib import Path

from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

from harness.atomic import atomic_folder
from harness.commands.files import file_errors
from harness.commands.progress import bar, say, transient_bar
from harness.contract import artifact
from harness.contract.compressor import Compressor, hyperparameters, spec_of
from harness.contract.registry import load_registry
from harness.contract.training import Trains, Watch
from harness.data.dataset import subset
from harness.data.load import load_anew
from harness.data.shelf import Shelf, load_shelf
from harness.errors import DatasetError, StoppedError, StoreError
from harness.planning.subject import with_card_fields


def fit_and_report(  # noqa: PLR0913  (the options of the command)
    spec: str,
    data: str,
    folder: Path,
    *,
    seed: int,
    plugins_dir: Path | None = None,
    cards_dir: Path | None = None,
) -> None:
    """Fit the compressor of a spec into a new folder; show progress and the result.

    Raises:
        UsageError: as `fit_to` raises.
        StoppedError: the user stopped a training that the same command resumes.
    """
    compressor = load_registry(plugins_dir).parse(spec)
    shelf = load_shelf(cards_dir)
    if not isinstance(compressor, Trains):
        with bar(f"fitting {spec}"):
            fitted = fit_to(folder, compressor, data, seed=seed, shelf=shelf)
    else:
        try:
            with _training_watch(compressor.name) as watch:
                fitted = fit_to(
                    folder, compressor, data, seed=seed, watch=watch, shelf=shelf
                )
        except KeyboardInterrupt as error:
            checkpoint = checkpoint_of(folder)
            # Stopped before the first checkpoint: there is nothing to resume.
            if not checkpoint.exists():
                raise
            raise StoppedError(
                f"stopped; {checkpoint} is kept, run the same command to resume"
            ) from error
    # The same weight as `two_part_bpb` counts.
    weight = artifact.weigh(folder)
    say(f"wrote {folder}: {spec_of(fitted)}, {weight:,.0f} bits after xz -9e")


def checkpoint_of(folder: Path) -> Path:
    """Return the path of the checkpoint of an unfinished training of this artifact."""
    return folder.with_name(f"{folder.name}.training")


def fit_to(  # noqa: PLR0913  (what a fit depends on)
    folder: Path,
    compressor: Compressor,
    data: str,
    *,
    seed: int,
    watch: Watch | None = None,
    shelf: Shelf | None = None,
) -> Compressor:
    """Fit on a file, or on the train split of a data set; save the artifact in a new folder.

    Shape and levels come from the card of the data set where the compressor has none. A
    training in steps resumes from its checkpoint beside the folder, if there is one. The
    checkpoint survives an interruption, and is deleted once the artifact is written.

    Args:
        folder: new, of the artifact.
        compressor: fitted or not.
        data: path of a file, or name of a data set.
        seed: of the order of samples, and of training.
        watch: callbacks during a training in steps; its checkpoint is replaced by that of
            the folder.
        shelf: of the cards; None for those that are installed.

    Raises:
        StoreError: the folder exists, or its parent does not.
        DatasetError: there is neither such a file nor such a data set.
        SpecError: the checkpoint belongs to another training.
        UsageError: the file cannot be read, or the folder cannot be written.
    """
    if folder.exists():
        raise StoreError(f"{folder} exists; give the artifact a new folder")
    if not folder.parent.is_dir():
        raise StoreError(f"there is no folder {folder.parent}; create it first")
    compressor, corpus = _corpus(compressor, data, seed, shelf or load_shelf())
    checkpoint = checkpoint_of(folder)
    fitted: Compressor
    if isinstance(compressor, Trains):
        watch = replace(watch or Watch(), checkpoint=checkpoint)
        with file_errors():  # a checkpoint that cannot be written
            (fitted,) = compressor.trained(corpus, seed=seed, watch=watch)
    else:
        fitted = compressor.fit(corpus, seed=seed)
    with file_errors():
        with atomic_folder(folder) as part:
            artifact.save(fitted, part)
        # Only now: until the artifact is whole, the training exists in the checkpoint alone.
        if isinstance(compressor, Trains):
            checkpoint.unlink(missing_ok=True)
    return fitted


def _corpus(
    compressor: Compressor, data: str, seed: int, shelf: Shelf
) -> tuple[Compressor, list[bytes]]:
    """Return the compressor with the shape of the data, and the samples to fit on."""
    if Path(data).is_file():
        with file_errors():
            content = Path(data).read_bytes()
        # A model of images takes images: the file is cut into samples of its shape.
        size = prod(hyperparameters(compressor).get("shape") or (len(content) or 1,))
        starts = range(0, len(content), size)
        return compressor, [content[i : i + size] for i in starts]
    if data not in shelf.names:
        raise DatasetError(
            f"{data!r} is neither a file nor a data set; see bitprobe list datasets"
        )
    # The seeded order of a run, so that the artifact is the one that a run would fit.
    card = shelf.card(data)
    whole = subset(load_anew(card), n_train=None, n_test=None, seed=seed)
    corpus = [sample + whole.separator for sample in whole.train.samples]
    return with_card_fields(compressor, card), corpus


@contextmanager
def _training_watch(name: str) -> Iterator[Watch]:
    """Show steps, bits per byte and time left; Ctrl-C ends training between two steps."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=12),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} steps{task.fields[bits]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with transient_bar(*columns) as progress, _deferred_interrupts() as interrupts:
        task = progress.add_task(name, total=None, visible=False, bits="")

        def advance(step: int, n_steps: int, bits: float) -> None:
            # A symbol is a byte.
            rate = "" if isnan(bits) else f", {bits:.3f} bits/byte"
            progress.update(
                task, completed=step, total=n_steps, visible=True, bits=rate
            )
            interrupts.raise_pending()

        def resumed(step: int, _seconds: float) -> None:
            # A reset, since the pace of the steps before the checkpoint is unknown.
            progress.reset(task, completed=step)
            say(f"resuming from step {step:,}, where an earlier run stopped")

        yield Watch(progress=advance, resumed=resumed)


class _Interrupts:
    """Presses of Ctrl-C since the last step."""

    def __init__(self) -> None:
        self.n_presses = 0

    def raise_pending(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed; defer later presses to here."""
        if self.n_presses:
            raise KeyboardInterrupt
        # Deferred from the first step on: before it, nothing would be lost by stopping.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._press)

    def _press(self, *_: object) -> None:
        if self.n_presses:  # a second press stops at once, without a checkpoint
            raise KeyboardInterrupt
        self.n_presses += 1


@contextmanager
def _deferred_interrupts() -> Iterator[_Interrupts]:
    """Yield a counter of Ctrl-C presses, and restore the signal handler afterwards."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield _Interrupts()
    finally:
        signal.signal(signal.SIGINT, handler)
