"""Loading of data sets by name, with verified content."""

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
    """Return a data set with the counts and the content that its card states.

    The first call fetches, verifies and parses it, and searches its duplicates; later calls
    read the parsed arrays from the cache.

    Raises:
        DatasetError: it is unknown, cannot be fetched, or differs from its card.
    """
    card = load_card(name)
    if isinstance(card.source, GeneratorSource):
        # Quicker to draw than to read from the cache.
        return check_content(read_source(card), card)
    path = cached_path(card)
    if (cached := read_cached(path, card)) is not None:
        return cached
    # Verified before it is cached: a cached file is trusted later.
    dataset = with_duplicates(check_content(read_source(card), card), card)
    write_cached(path, dataset)
    return dataset


def check_content(dataset: Dataset, card: Card) -> Dataset:
    """Return the data set, verified against its card.

    Raises:
        DatasetError: its counts or its content hash differ from the card.
    """
    counts = (len(dataset.train.samples), len(dataset.test.samples))
    if counts != (card.n_train, card.n_test):
        raise DatasetError(
            f"{card.name}: {counts} train and test samples, "
            f"the card says {(card.n_train, card.n_test)}; delete {cache_folder()} and retry"
        )
    # Without a content hash, every file or member had its own checksum.
    if not card.content_sha256:
        return dataset
    if (digest := content_hash(dataset)) != card.content_sha256:
        raise DatasetError(
            f"{card.name}: content_sha256 is {digest}, the card says "
            f"{card.content_sha256}; delete {cache_folder()} and retry"
        )
    return dataset


def with_duplicates(dataset: Dataset, card: Card) -> Dataset:
    """Return the data set with the mask of its duplicated test samples, unless rule is none."""
    rule = card.duplicates
    if rule.rule == "none":
        return dataset
    mask = near_duplicates(dataset.train.samples, dataset.test.samples, rule)
    return replace(dataset, duplicated=mask)
