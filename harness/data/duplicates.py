"""Duplicates: test samples that occur, whole or in large part, in train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from harness.data.card import Card, Duplicates
from harness.data.dataset import Dataset
from harness.errors import DatasetError

Mask = NDArray[np.bool_]
Hashes = NDArray[np.uint64]
Numbers = NDArray[np.int64]
GramsOf = Callable[[Sequence[bytes]], tuple[Hashes, Numbers]]

N_WORDS = 13
N_BYTES = 32  # a power of two: its hashes come from doubling
BLOCK_BYTES = 1 << 20
FILTER_BITS = 24
IS_SPACE = np.isin(np.arange(256), list(b" \t\n\r\v\f"))
MULTIPLIER = 0xD6E8FEB86659FD93  # odd, 64 bits
INVERSE = pow(MULTIPLIER, -1, 2**64)


def with_duplicates(dataset: Dataset, card: Card) -> Dataset:
    """Return the data set with the mask of its duplicated test samples, unless rule is none."""
    rule = card.duplicates
    if rule.rule == "none":
        return dataset
    mask = near_duplicates(dataset.train.samples, dataset.test.samples, rule)
    return replace(dataset, duplicated=mask)


def near_duplicates(
    train: Sequence[bytes], test: Sequence[bytes], rule: Duplicates
) -> Mask:
    """Return the mask of test samples that duplicate a train sample, shape (n_test,).

    The rules are those of `Duplicates`. 13-grams of words and 32-grams of bytes are
    compared by 64-bit hashes; two of 10 million collide with probability below 1e-5.

    Raises:
        DatasetError: the rule is "none".
    """
    train_samples = set(train)
    mask = np.fromiter((sample in train_samples for sample in test), bool, len(test))
    match rule.rule:
        case "exact":
            return mask
        case "text13":
            return mask | _shares_most_grams(train, test)
        case "distance":
            return mask | (nearest_distances(train, test) < (rule.below or 0.0))
        case "none":
            raise DatasetError(
                "the card's rule is none; give a rule to look for duplicates"
            )


def nearest_distances(
    train: Sequence[bytes], test: Sequence[bytes]
) -> NDArray[np.float64]:
    """Return the root mean squared difference to the nearest train sample of equal length.

    Returns:
        Shape (n_test,), in units of a byte's value; infinite where no train sample has the
        length.
    """
    # Imported here: it is slow, and few cards need it.
    from sklearn.metrics import pairwise_distances_argmin_min

    nearest = np.full(len(test), np.inf)
    for length in {len(sample) for sample in test} - {0}:
        rows = [i for i, sample in enumerate(test) if len(sample) == length]
        references = [sample for sample in train if len(sample) == length]
        if not references:
            continue
        # Sums of squared bytes are integers, and exact in float64.
        _, squared = pairwise_distances_argmin_min(
            _matrix([test[i] for i in rows], length),
            _matrix(references, length),
            metric="sqeuclidean",
        )
        nearest[rows] = np.sqrt(squared / length)
    return nearest


def _matrix(samples: Sequence[bytes], length: int) -> NDArray[np.float64]:
    joined = np.frombuffer(b"".join(samples), np.uint8)
    return joined.reshape(-1, length).astype(np.float64)


def _shares_most_grams(train: Sequence[bytes], test: Sequence[bytes]) -> Mask:
    _, n_words = _joined([_words(block) for block in _blocks(test)])
    mask = np.zeros(len(test), bool)
    for of_kind, grams_of in (
        (n_words >= N_WORDS, _word_grams),
        (n_words < N_WORDS, _byte_grams),
    ):
        rows = np.flatnonzero(of_kind)
        blocks = _blocks([test[i] for i in rows.tolist()])
        grams, n_grams = _joined([grams_of(block) for block in blocks])
        occurs = _occurring_in(grams, train, grams_of)
        owners = np.repeat(np.arange(len(rows)), n_grams)
        hits = np.bincount(owners[occurs], minlength=len(rows))
        mask[rows] = 2 * hits > n_grams
    return mask


def _joined(blocks: list[tuple[Hashes, Numbers]]) -> tuple[Hashes, Numbers]:
    grams, n_grams = zip(*blocks, strict=True)
    return np.concatenate(grams), np.concatenate(n_grams)


def _occurring_in(grams: Hashes, texts: Sequence[bytes], grams_of: GramsOf) -> Mask:
    """Return the mask of the grams that occur in one of the texts.

    Texts come in blocks, so that memory stays small; a table of 2^24 entries lets only
    likely grams through to the exact search.
    """
    queries = np.sort(grams)  # of equal grams, searches below always return the first
    if not len(queries):
        return np.zeros(len(grams), bool)
    shift = np.uint64(64 - FILTER_BITS)
    likely = np.zeros(1 << FILTER_BITS, bool)
    likely[queries >> shift] = True
    occurs = np.zeros(len(queries), bool)
    for block in _blocks(texts):
        hashes, _ = grams_of(block)
        candidates = hashes[likely[hashes >> shift]]
        at = np.minimum(np.searchsorted(queries, candidates), len(queries) - 1)
        occurs[at[queries[at] == candidates]] = True
    return occurs[np.searchsorted(queries, grams)]


def _word_grams(texts: Sequence[bytes]) -> tuple[Hashes, Numbers]:
    """Return the hashes of all 13-grams of words, and their number in each text."""
    words, n_words = _words(texts)
    hashes = np.zeros(max(len(words) - N_WORDS + 1, 0), np.uint64)
    for offset in range(N_WORDS):
        hashes = hashes * np.uint64(MULTIPLIER) + words[offset : offset + len(hashes)]
    return _within(_scattered(hashes), n_words, N_WORDS)


def _words(texts: Sequence[bytes]) -> tuple[Hashes, Numbers]:
    """Return the hash of every word, and the number of words of each text.

    With prefix sums P of symbol[i] M^i modulo 2^64, a word from a to b has the hash
    (P[b] - P[a]) M^-a wherever it stands.
    """
    data = np.frombuffer(b"".join(text + b"\n" for text in texts), np.uint8)
    edges = np.diff(IS_SPACE[data].astype(np.int8), prepend=np.int8(1))
    starts, ends = np.flatnonzero(edges == -1), np.flatnonzero(edges == 1)
    terms = SYMBOLS[data] * _powers(MULTIPLIER, len(data))
    # Unsigned integers wrap modulo 2^64, as the formula needs.
    prefix = np.cumsum(terms, dtype=np.uint64)
    sums = prefix[ends - 1] - prefix[starts] + terms[starts]
    words = _scattered(sums * _powers(INVERSE, len(data))[starts])
    borders = np.cumsum([len(text) + 1 for text in texts])
    owners = np.searchsorted(borders, starts, side="right")
    return words, np.bincount(owners, minlength=len(texts))


def _powers(base: int, n: int) -> Hashes:
    return _powers_table(base, max(n, BLOCK_BYTES).bit_length())[:n]


@lru_cache(maxsize=2)
def _powers_table(base: int, bits: int) -> Hashes:
    # A power of two long, so that blocks of similar size share one table.
    factors = np.full(1 << bits, base, np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _byte_grams(texts: Sequence[bytes]) -> tuple[Hashes, Numbers]:
    """Return the hashes of all 32 consecutive bytes, and their number in each text.

    The hash of a span is made of the hashes of its halves: 1, 2, 4, ... 32.
    """
    data = np.frombuffer(b"".join(texts), np.uint8)
    hashes = SYMBOLS[data]
    span, power = 1, MULTIPLIER
    while span < N_BYTES:
        hashes = hashes[:-span] * np.uint64(power) + hashes[span:]
        span, power = 2 * span, power * power % 2**64
    lengths = np.array([len(text) for text in texts], np.int64)
    return _within(_scattered(hashes), lengths, N_BYTES)


def _within(hashes: Hashes, lengths: Numbers, n: int) -> tuple[Hashes, Numbers]:
    """Return the n-grams that do not cross the end of their text, and their numbers."""
    ends = np.repeat(np.cumsum(lengths), lengths)[: len(hashes)]
    inside = np.arange(len(hashes)) + n <= ends
    return hashes[inside], np.maximum(lengths - n + 1, 0)


def _blocks(texts: Sequence[bytes]) -> list[list[bytes]]:
    blocks: list[list[bytes]] = [[]]
    size = 0
    for text in texts:
        if size >= BLOCK_BYTES:
            blocks.append([])
            size = 0
        blocks[-1].append(text)
        size += len(text)
    return blocks


def _scattered(values: Hashes) -> Hashes:
    """Mix the bits of small integers (finaliser of splitmix64, Steele et al. 2014)."""
    mixed = (values + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


SYMBOLS = _scattered(np.arange(256, dtype=np.uint64))
