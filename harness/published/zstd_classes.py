"""Classification by zstd with the text of a class as a raw dictionary.

`streaming_accuracy`: Halford 2026, "Text classification with Python 3.14's zstd module".
`prefix_accuracy`: de Catheu 2023, FTCC, mode dataset_prefixed with one compressor per class.
In both, the first class of the shortest code wins.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np
import zstandard

from harness.data.dataset import Dataset
from harness.data.load import load_dataset

Label = TypeVar("Label", int, str)
SKLEARN_SEEDS = (0, 42)
"""Seeds of two shuffles in scikit-learn's fetch_20newsgroups: of each split, and of all."""


def streaming_accuracy(
    *, classes: Sequence[str], level: int, window: int, rebuild_every: int, seed: int
) -> float:
    """Return the number of documents of 20 Newsgroups that are right when they arrive.

    Each document is classified by the classes seen so far, from the second on, and then
    learned. A compressor sees at most `window` bytes of its class, and is renewed after
    `rebuild_every` documents.
    """
    documents = list(newsgroups(load_dataset("newsgroups20_bydate"), classes))
    random.Random(seed).shuffle(documents)  # noqa: S311  (the order of the author)
    texts: dict[str, bytes] = {}
    n_learned: dict[str, int] = {}
    compressors: dict[str, zstandard.ZstdCompressor] = {}
    n_right = 0
    for text, label in documents:
        if len(texts) > 1:
            for name, seen_text in texts.items():
                if name not in compressors:
                    compressors[name] = primed(seen_text, level)
            n_right += shortest(text, compressors) == label
        texts[label] = (texts.get(label, b"") + text)[-window:]
        n_learned[label] = n_learned.get(label, 0) + 1
        if n_learned[label] % rebuild_every == 0:
            compressors.pop(label, None)
    return float(n_right)


def prefix_accuracy(*, dataset: str, level: int, ending: str = "") -> float:
    """Return the accuracy of one prefix per class: its training texts, joined by newlines.

    Args:
        dataset: with labels.
        level: of zstd.
        ending: of each text, which the author's copy of the data does not have.
    """
    data = load_dataset(dataset)
    train, test = (
        [text.removesuffix(ending.encode()) for text in split.samples]
        for split in (data.train, data.test)
    )
    texts: dict[int, list[bytes]] = {}
    # In the order of the file, which decides ties.
    for text, label in zip(train, data.train.labels.tolist(), strict=True):
        texts.setdefault(label, []).append(text)
    compressors = {
        label: primed(b"\n".join(members), level) for label, members in texts.items()
    }
    answers = [shortest(text, compressors) for text in test]
    return float(np.mean(np.array(answers) == data.test.labels))


def primed(text: bytes, level: int) -> zstandard.ZstdCompressor:
    """Return a compressor that has a text as its raw dictionary."""
    dictionary = zstandard.ZstdCompressionDict(
        text, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    return zstandard.ZstdCompressor(level=level, dict_data=dictionary)


def shortest(
    text: bytes, compressors: Mapping[Label, zstandard.ZstdCompressor]
) -> Label:
    """Return the label of the shortest code; the first of equals."""
    sizes = {
        label: len(compressor.compress(text))
        for label, compressor in compressors.items()
    }
    return min(sizes, key=lambda label: sizes[label])


def newsgroups(dataset: Dataset, classes: Sequence[str]) -> Iterator[tuple[bytes, str]]:
    """Yield texts and labels in the order of scikit-learn's fetch_20newsgroups of all.

    scikit-learn reads files by sorted names, shuffles each split, joins them, takes the
    classes and shuffles again; texts are Latin-1, here encoded as UTF-8.
    """
    rows = []
    within, overall = SKLEARN_SEEDS
    for split in (dataset.train, dataset.test):
        order = _shuffled(len(split.samples), within)
        rows += [(split.samples[i], dataset.classes[split.labels[i]]) for i in order]
    chosen_rows = [(text, label) for text, label in rows if label in classes]
    for i in _shuffled(len(chosen_rows), overall):
        text, label = chosen_rows[i]
        yield text.decode("latin-1").encode("utf-8"), label


def _shuffled(n: int, seed: int) -> list[int]:
    indices = np.arange(n)
    np.random.RandomState(seed).shuffle(indices)
    order: list[int] = indices.tolist()
    return order
