"""Parsed data sets in the cache: arrays that a job reads in milliseconds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.atomic import write_atomic
from harness.data.card import Card
from harness.data.dataset import Dataset, Split
from harness.data.fetch import cache_folder
from harness.data.source import described
from harness.errors import DatasetError

VERSION = 2  # of the layout


def cached_path(card: Card) -> Path:
    """Return where the parsed arrays of a card stand in the cache.

    The content is not hashed again when it is read, which every job does: a file of this
    name is written whole, once the content had the hash that its name says, and zip's own
    CRC-32 of each array finds damage since.
    """
    rule = card.duplicates
    how = f"{rule.rule}-{rule.below}" if rule.below else rule.rule
    return cache_folder() / "parsed" / f"{card.identity}.{how}.v{VERSION}.npz"


def write_cached(path: Path, dataset: Dataset) -> None:
    """Write the arrays of a verified data set.

    Raises:
        DatasetError: the cache cannot be written.
    """
    arrays: dict[str, NDArray[Any]] = {
        "classes": np.array(dataset.classes, np.str_),
        "names": np.array(dataset.names, np.str_),
    }
    if dataset.duplicated is not None:
        arrays["duplicated"] = dataset.duplicated
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        arrays[f"{name}_bytes"] = np.frombuffer(b"".join(split.samples), np.uint8)
        arrays[f"{name}_lengths"] = lengths_of(split.samples)
        arrays[f"{name}_labels"] = split.labels
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, buffer.getvalue())
    except OSError as error:
        raise DatasetError(
            f"cannot write {path}: {error}; set BITPROBE_CACHE"
        ) from error


def read_cached(path: Path, card: Card) -> Dataset | None:
    """Return the data set that stands at `path`; None if it does not, or is damaged."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            train, test = (_read_split(arrays, name) for name in ("train", "test"))
            classes, names = (
                tuple(arrays[name].tolist()) for name in ("classes", "names")
            )
            found = arrays.get("duplicated")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # the caller makes it again
    dataset = described(card, train, test, classes=classes, names=names)
    return replace(dataset, duplicated=found)


def lengths_of(samples: Sequence[bytes]) -> NDArray[np.int64]:
    """Return the number of bytes of each sample."""
    return np.fromiter(map(len, samples), np.int64, len(samples))


def _read_split(arrays: Any, name: str) -> Split:
    data = arrays[f"{name}_bytes"].tobytes()
    ends = np.cumsum(arrays[f"{name}_lengths"]).tolist()
    starts = [0, *ends[:-1]] if ends else []
    samples = tuple(data[a:b] for a, b in zip(starts, ends, strict=True))
    return Split(samples=samples, labels=arrays[f"{name}_labels"])
