"""From the name of a data set to its verified contents."""

from __future__ import annotations

from dataclasses import replace

from harness.data.card import Card, GeneratorSource, load_card
from harness.data.dataset import Dataset, content_hash
from harness.data.duplicates import near_duplicates
from harness.data.fetch import cache_folder
from harness.data.parsed import cached_path, read_cached, write_cached
from harness.data.source import read_source
from harness.errors import DatasetError


def load_dataset(name: str) -> Dataset:
    """Return a data set whose counts and content are what its card says.

    The first call fetches, verifies and parses it, and finds its duplicates; later calls
    read the parsed arrays from the cache.

    Raises:
        DatasetError: it is unknown, cannot be fetched, or is not what its card says.
    """
    card = load_card(name)
    if isinstance(card.source, GeneratorSource):  # quicker to make than to read
        return check_content(read_source(card), card)
    path = cached_path(card)
    if (cached := read_cached(path, card)) is not None:
        return cached
    dataset = with_duplicates(check_content(read_source(card), card), card)
    write_cached(path, dataset)
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
    if not card.content_sha256:  # then every file or member had its checksum
        return dataset
    if (digest := content_hash(dataset)) != card.content_sha256:
        raise DatasetError(
            f"{card.name}: content_sha256 is {digest}, the card says "
            f"{card.content_sha256}; delete {cache_folder()} and retry"
        )
    return dataset


def with_duplicates(dataset: Dataset, card: Card) -> Dataset:
    """Return the data set with the mask of its duplicated test samples, if looked for."""
    rule = card.duplicates
    if rule.rule == "none":
        return dataset
    mask = near_duplicates(dataset.train.samples, dataset.test.samples, rule)
    return replace(dataset, duplicated=mask)
