"""Cache of parsed data sets: arrays that a job reads in milliseconds."""

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
from harness.data.card import Card, dataset_of
from harness.data.dataset import Dataset, Split
from harness.data.fetch import cache_folder
from harness.errors import DatasetError

VERSION = 2
"""Version of the layout of these files."""


def cached_path(card: Card) -> Path:
    """Return the path of a card's parsed arrays in the cache.

    Every job reads this file, so that its content is not hashed again: a file of this name
    is written whole, after its content had the hash in its name, and zip's own CRC-32 of
    each array detects later damage.
    """
    rule = card.duplicates
    duplicates = f"{rule.rule}-{rule.below}" if rule.below else rule.rule
    return cache_folder() / "parsed" / f"{card.identity}.{duplicates}.v{VERSION}.npz"


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
        # One array of bytes per split: thousands of small arrays would be slow to read.
        arrays[f"{name}_bytes"] = np.frombuffer(b"".join(split.samples), np.uint8)
        arrays[f"{name}_lengths"] = lengths_of(split.samples)
        arrays[f"{name}_labels"] = split.labels
    # In memory first: the file must appear whole, which np.savez does not promise.
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
    """Return the data set in the file `path`; None if it is missing or damaged."""
    if not path.is_file():
        return None
    try:
        # Without pickle, a damaged or forged cache file cannot run code.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            train, test = (_read_split(arrays, name) for name in ("train", "test"))
            classes, names = (
                tuple(arrays[name].tolist()) for name in ("classes", "names")
            )
            duplicated = arrays.get("duplicated")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        # The caller parses the source again and overwrites the file.
        return None
    dataset = dataset_of(card, train, test, classes=classes, names=names)
    return replace(dataset, duplicated=duplicated)


def lengths_of(samples: Sequence[bytes]) -> NDArray[np.int64]:
    """Return the number of bytes of each sample."""
    return np.fromiter(map(len, samples), np.int64, len(samples))


def _read_split(arrays: Any, name: str) -> Split:
    data = arrays[f"{name}_bytes"].tobytes()
    ends = np.cumsum(arrays[f"{name}_lengths"]).tolist()
    starts = [0, *ends[:-1]] if ends else []
    samples = tuple(data[a:b] for a, b in zip(starts, ends, strict=True))
    return Split(samples=samples, labels=arrays[f"{name}_labels"])
