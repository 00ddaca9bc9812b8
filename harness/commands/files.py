"""Fit a compressor once; then files in, files out, whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import BinaryIO

from harness.contract import artifact
from harness.contract.coded_file import (
    Layout,
    Progress,
    Sizes,
    compress,
    decompress,
    default_layout,
)
from harness.contract.compressor import Compressor, hyperparameters
from harness.contract.registry import load_registry
from harness.contract.training import Trains, Watch
from harness.data.card import card_names, load_card
from harness.data.dataset import subset
from harness.data.load import load_dataset
from harness.errors import DatasetError, SpecError, StoreError, UsageError
from harness.planning.subject import with_card_fields

PIPE = Path("-")


@dataclass(frozen=True, kw_only=True)
class Files:
    """What to read and to write, "-" for a pipe, and whom to tell how far it is."""

    source: Path
    target: Path
    progress: Progress = lambda _: None


def held(
    folder: Path | None, spec: str | None, plugins_dir: Path | None = None
) -> Compressor:
    """Return the compressor of an artifact's folder, or of a spec.

    Raises:
        UsageError: not exactly one of the two is given, or it is unknown or needs a fit.
        ContainerError: the folder holds no artifact, or a damaged one.
    """
    registry = load_registry(plugins_dir)
    if folder is not None and spec is None:
        return artifact.load(folder, registry.make)
    if spec is None or folder is not None:
        raise UsageError("give either --artifact FOLDER or --with SPEC")
    compressor = registry.parse(spec)
    if "fit" in compressor.needs:
        raise SpecError(
            f"{compressor.name} knows nothing before it is fitted; first run: bitprobe "
            f"fit {spec!r} DATASET_OR_FILE -o ARTIFACT"
        )
    return compressor


def checkpoint_of(folder: Path) -> Path:
    """Return the file in which an unfinished training of this artifact is kept."""
    return folder.with_name(f"{folder.name}.training")


def fit_to(
    folder: Path,
    compressor: Compressor,
    data: str,
    *,
    seed: int,
    watch: Watch | None = None,
) -> Compressor:
    """Fit on a file, or on the train split of a data set; save the artifact in a new folder.

    Shape and levels come from the card of the data set, where the compressor has none. What
    is trained in steps goes on from its checkpoint beside the folder, if there is one. The
    checkpoint outlives an interruption; with the artifact whole, it goes.

    Args:
        folder: new, of the artifact.
        compressor: fitted or not.
        data: path of a file, or name of a data set.
        seed: of the order of samples, and of training.
        watch: who looks on while it is trained in steps; its checkpoint is ours.

    Raises:
        StoreError: the folder exists, or has nowhere to be.
        DatasetError: there is neither such a file nor such a data set.
        SpecError: the checkpoint is another training's.
        UsageError: the file cannot be read, or the folder not written.
    """
    if folder.exists():
        raise StoreError(f"{folder} exists; give the artifact a new folder")
    if not folder.parent.is_dir():
        raise StoreError(f"there is no folder {folder.parent}; make it first")
    compressor, corpus = _corpus(compressor, data, seed)
    checkpoint = checkpoint_of(folder)
    fitted: Compressor
    if isinstance(compressor, Trains):
        watch = replace(watch or Watch(), checkpoint=checkpoint)
        with _explained():  # a checkpoint that cannot be written
            (fitted,) = compressor.trained(corpus, seed=seed, watch=watch)
    else:
        fitted = compressor.fit(corpus, seed=seed)
    with _explained():
        _save_whole(fitted, folder)
        if isinstance(compressor, Trains):
            checkpoint.unlink(missing_ok=True)
    return fitted


def _save_whole(fitted: Compressor, folder: Path) -> None:
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    part.mkdir()
    try:
        artifact.save(fitted, part)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _corpus(
    compressor: Compressor, data: str, seed: int
) -> tuple[Compressor, list[bytes]]:
    if Path(data).is_file():
        with _explained():
            content = Path(data).read_bytes()
        size = prod(hyperparameters(compressor).get("shape") or (len(content) or 1,))
        starts = range(0, len(content), size)
        return compressor, [content[i : i + size] for i in starts]
    if data not in card_names():
        raise DatasetError(
            f"{data!r} is neither a file nor a data set; see bitprobe list datasets"
        )
    whole = subset(load_dataset(data), n_train=None, n_test=None, seed=seed)
    corpus = [sample + whole.separator for sample in whole.train.samples]
    return with_card_fields(compressor, load_card(data)), corpus


def compress_file(
    compressor: Compressor,
    files: Files,
    layout: Layout | None = None,
    *,
    verify: bool = False,
) -> Sizes:
    """Compress one file; the target appears whole or not at all.

    Args:
        compressor: fitted, or one that needs no fit.
        files: the original and where its code goes.
        layout: how to cut it; None for the compressor's default.
        verify: decode all of it before the target appears.

    Raises:
        NotApplicableError: the compressor gives likelihoods only.
        CodingError: the compressor fails.
        ContainerError: what was coded did not decode to the same.
        UsageError: a file cannot be read or written.
    """
    cut = layout or default_layout(compressor)
    with _explained(), _read(files.source) as source, _written(files.target) as target:
        sizes = compress(compressor, source, target, cut, files.progress)
        if verify:
            target.seek(0)
            with Path(os.devnull).open("wb") as nowhere:
                decompress(compressor, target, nowhere)
    return sizes


def decompress_file(compressor: Compressor, files: Files) -> Sizes:
    """Decompress one file; the target appears, whole and verified, or not at all.

    Raises:
        ContainerError: the file is damaged, or was made with another compressor or artifact.
        UsageError: a file cannot be read or written.
    """
    with _explained(), _read(files.source) as source, _written(files.target) as target:
        return decompress(compressor, source, target, files.progress)


@contextmanager
def _explained() -> Iterator[None]:
    """Turn an error of the file system into one line."""
    try:
        yield
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        named = f"{error.filename}: " if error.filename else ""
        raise UsageError(f"{named}{said}") from error


@contextmanager
def _read(path: Path) -> Iterator[BinaryIO]:
    if path == PIPE:
        yield sys.stdin.buffer
        return
    with path.open("rb") as stream:
        yield stream


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """Give a file that becomes `path` if all goes well, and else never was.

    A pipe gets its bytes at the end, so that it too gets nothing that was not verified.
    """
    if path == PIPE:
        with tempfile.TemporaryFile() as stream:
            yield stream
            stream.seek(0)
            shutil.copyfileobj(stream, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no file; give a file to write, or -")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}; make it first")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("x+b") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
