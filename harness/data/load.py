"""Loading of data sets by name, with verified content."""

from __future__ import annotations

from harness.data.card import Card, GeneratorSource
from harness.data.dataset import Dataset, content_hash
from harness.data.duplicates import with_duplicates
from harness.data.fetch import cache_folder
from harness.data.own.read import check_unchanged
from harness.data.own.source import OwnFile
from harness.data.parsed import cached_path, read_cached, write_cached
from harness.data.shelf import load_card
from harness.data.source import read_source
from harness.errors import DatasetError


def load_dataset(data: str | Card) -> Dataset:
    """Return a data set with the counts and the content that its card states.

    The first call fetches, verifies and parses it, and searches its duplicates; later calls
    read the parsed arrays from the cache.

    Args:
        data: a card, or the name of an installed one.

    Raises:
        DatasetError: it is unknown, cannot be fetched, or differs from its card.
        UnavailableError: a package that reads it is not installed.
    """
    card = load_card(data) if isinstance(data, str) else data
    if isinstance(card.source, GeneratorSource):
        # Quicker to draw than to read from the cache.
        return check_content(read_source(card), card)
    path = cached_path(card)
    if (cached := read_cached(path, card)) is not None:
        return _check_counts(cached, card)
    # Verified before it is cached: a cached file is trusted later.
    dataset = with_duplicates(check_content(read_source(card), card), card)
    write_cached(path, dataset)
    return dataset


def load_anew(card: Card) -> Dataset:
    """Return a data set as `load_dataset` does; a file of the user's must be unchanged.

    A command calls it once for each data set: hashing a file for every job would cost time.

    Raises:
        DatasetError, UnavailableError: as `load_dataset` raises, or the file has changed.
    """
    if isinstance(card.source, OwnFile):
        check_unchanged(card.source, card.name)
    return load_dataset(card)


def check_content(dataset: Dataset, card: Card) -> Dataset:
    """Return the data set, verified against its card.

    Raises:
        DatasetError: its counts or its content hash differ from the card.
    """
    _check_counts(dataset, card)
    # Without a content hash, every file or member had its own checksum.
    if not card.content_sha256:
        return dataset
    if (digest := content_hash(dataset)) != card.content_sha256:
        raise DatasetError(
            f"{card.name}: content_sha256 is {digest}, the card says "
            f"{card.content_sha256}; delete {cache_folder()} and retry"
        )
    return dataset


def _check_counts(dataset: Dataset, card: Card) -> Dataset:
    counts = (len(dataset.train.samples), len(dataset.test.samples))
    if counts != (card.n_train, card.n_test):
        raise DatasetError(
            f"{card.name}: {counts} train and test samples, the card says "
            f"{(card.n_train, card.n_test)}; correct the card, or delete {cache_folder()}"
        )
    return dataset
