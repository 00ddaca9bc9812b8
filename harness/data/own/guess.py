"""Cards of own data, guessed: columns, kind and split; and everything a card counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.card import Card, Duplicates, dataset_of
from harness.data.dataset import Dataset, Kind, content_hash
from harness.data.own.arrays import array_raw, array_source, read_arrays
from harness.data.own.columns import Asked, guess_columns
from harness.data.own.folder import folder_raw, folder_source
from harness.data.own.names import ARRAY_SUFFIXES, HUB, TABLE_SUFFIXES, name_of
from harness.data.own.raw import Raw
from harness.data.own.read import sha256_of
from harness.data.own.source import (
    ArraysSource,
    MemorySource,
    OwnSource,
    TableSource,
)
from harness.data.own.table import read_frame, table_raw
from harness.data.reading import Quantise
from harness.data.splitting import classes_of, split_of
from harness.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

TEST_SHARE = 0.2
"""Share of the samples that is drawn as test where the data have no split."""
MANY_COLUMNS = 64
"""Above so many numbers a sample is a series with one range, not a row of measurements."""


@dataclass(frozen=True, kw_only=True)
class Guess:
    """Card of own data, the data themselves, and a line that says what was guessed."""

    card: Card
    dataset: Dataset
    words: str


def guess(path: str, asked: Asked | None = None, *, name: str = "") -> Guess:
    """Return the card of a file, folder or address, and its data.

    Args:
        path: of a file or folder, or hf:OWNER/NAME.
        asked: columns that need no guess, and the seed of the split.
        name: of the data set; empty for that of the file.

    Raises:
        DatasetError: it cannot be read, or no column is clearly the label or the sample.
        UnavailableError: a package that reads it is not installed.
    """
    asked, suffix = asked or Asked(), Path(path).suffix.lower()
    if not path.startswith(HUB):
        path = str(Path(path).resolve())
    name = name or name_of(path)
    if path.startswith(HUB) or (Path(path).is_file() and suffix in TABLE_SUFFIXES):
        guessed = _of_frame(read_frame(path), path, name, asked)
    elif Path(path).is_dir():
        folder = folder_source(Path(path), seed=asked.seed)
        guessed = _complete(folder, folder_raw(Path(path), folder, name), name)
    elif not Path(path).is_file():
        raise DatasetError(f"there is no file or folder {path}")
    elif suffix in ARRAY_SUFFIXES:
        arrays = read_arrays(Path(path))
        source = array_source(path, arrays, seed=asked.seed)
        guessed = _complete(source, array_raw(arrays, source, name), name)
    else:
        known = ", ".join([*TABLE_SUFFIXES, *ARRAY_SUFFIXES])
        raise DatasetError(f"{path}: expected a folder, or a file of {known}")
    return _with_hash(guessed, path)


def guess_frame(frame: pd.DataFrame, name: str, asked: Asked | None = None) -> Guess:
    """Return the card of a table in memory, and its data; raises as `guess` does."""
    guessed = _of_frame(frame.rename(columns=str), name, name, asked or Asked())
    return _without_file(guessed)


def guess_arrays(samples: Any, labels: Any, name: str, *, seed: int = 0) -> Guess:
    """Return the card of samples and labels in memory; raises as `guess` does.

    Args:
        samples: an array with samples along its first axis, or bytes or texts.
        labels: of the same length.
        name: of the data set.
        seed: of the split.
    """
    if not isinstance(samples, np.ndarray):
        import pandas as pd

        columns = {"sample": list(samples), "label": list(labels)}
        frame = pd.DataFrame(columns, dtype=object)
        asked = Asked(label="label", sample=("sample",), seed=seed)
        return guess_frame(frame, name, asked)
    source = ArraysSource(
        type="arrays", path=name, seed=seed, samples="samples", labels="labels"
    )
    arrays = {"samples": samples, "labels": np.asarray(labels)}
    return _without_file(_complete(source, array_raw(arrays, source, name), name))


def _of_frame(frame: pd.DataFrame, path: str, name: str, asked: Asked) -> Guess:
    columns = guess_columns(frame, name, asked)
    source = TableSource(
        type="table",
        path=path,
        seed=asked.seed,
        label=columns.label,
        sample=list(columns.sample),
        split=columns.split,
    )
    raw = table_raw(frame, source, name, is_numeric=columns.is_numeric)
    return _complete(source, raw, name, columns.words)


def _complete(source: OwnSource, raw: Raw, name: str, words: str = "") -> Guess:
    """Choose what follows from the data, and count what a card states."""
    split = {
        "n_test": max(1, round(TEST_SHARE * len(raw.samples))),
        "seed": source.seed,
    }
    if len(raw.samples) < 2:
        raise DatasetError(
            f"{name}: too few samples to split into train and test: {len(raw.samples)}"
        )
    rule = None
    if not isinstance(raw.samples[0], bytes):
        rule = _range_of(raw.train_numbers(**split))
        source = source.model_copy(update={"quantise": rule})
    train_rows, test_rows = raw.rows(rule, **split)
    classes = classes_of(train_rows + test_rows)
    train, test = split_of(train_rows, classes), split_of(test_rows, classes)
    joined = b"".join((*train.samples, *test.samples))
    if not joined:
        raise DatasetError(f"{name}: all samples are empty")
    kind = _kind_of(source, raw, joined)
    card = Card(
        name=name,
        title=f"{name}, of the user's own",
        kind=kind,
        licence="not stated",
        citation="not stated",
        separator="" if kind in ("image", "series") else "\n",
        shape=raw.shape,
        levels=max(joined) + 1 if kind == "image" else None,
        pooling="grid2x2" if kind == "image" else "mean",
        duplicates=Duplicates(rule="text13" if kind == "text" else "exact"),
        n_train=len(train_rows),
        n_test=len(test_rows),
        # The hash of a data set, which a card describes, follows below.
        content_sha256="0" * 64,
        source=source,
    )
    dataset = dataset_of(card, train, test, classes=classes)
    card = card.model_copy(update={"content_sha256": content_hash(dataset)})
    return Guess(card=card, dataset=dataset, words=_words(card, raw, classes, words))


def _kind_of(source: OwnSource, raw: Raw, joined: bytes) -> Kind:
    if raw.shape is not None:
        return "image"
    if not isinstance(raw.samples[0], bytes):
        return "series"
    try:
        joined.decode()
    except UnicodeDecodeError:
        return "symbols"
    # Small numbers are legal text too, so that an array of bytes is not asked.
    is_numeric = isinstance(source, ArraysSource) and min(joined) < ord("\t")
    return "symbols" if is_numeric else "text"


def _range_of(rows: Sequence[NDArray[np.float64]]) -> Quantise:
    """Return the rule that maps the range of train to 0 to 255, of each column or of all."""
    values = np.concatenate(rows)
    if (values == np.rint(values)).all() and values.min() >= 0 and values.max() <= 255:
        # They are bytes already, and this rule changes none.
        return Quantise(rule="linear", low=0.0, high=255.0)
    is_table = len({len(row) for row in rows}) == 1 and len(rows[0]) <= MANY_COLUMNS
    low, high = (
        (np.min(rows, axis=0), np.max(rows, axis=0))
        if is_table
        else (values.min(), values.max())
    )
    # A constant column needs some range.
    high = np.where(high > low, high, low + 1)
    return Quantise(
        rule="linear",
        low=tuple(map(float, low)) if is_table else float(low),
        high=tuple(map(float, high)) if is_table else float(high),
    )


def _words(card: Card, raw: Raw, classes: Sequence[str], columns: str) -> str:
    labels = f"{len(classes):,} classes" if classes else "no labels"
    shape = "x".join(map(str, raw.shape)) if raw.shape else ""
    how = "" if raw.splits else ", drawn by class"
    return (
        f"{card.name}: {' '.join(filter(None, [card.kind, shape]))}"
        f"{f', {columns}' if columns else ''}; {labels}; "
        f"{card.n_train:,} train and {card.n_test:,} test samples{how}"
    )


def _with_hash(guessed: Guess, path: str) -> Guess:
    source = guessed.card.source
    if not isinstance(source, OwnSource):
        return guessed
    source = source.model_copy(update={"sha256": sha256_of(path)})
    return replace(guessed, card=guessed.card.model_copy(update={"source": source}))


def _without_file(guessed: Guess) -> Guess:
    source = MemorySource(type="memory")
    return replace(guessed, card=guessed.card.model_copy(update={"source": source}))
