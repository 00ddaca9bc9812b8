"""Train text of each class, at equal bytes where a task asks for it.

docs/method.md, class_scratch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import Dataset

EQUAL_BYTES = 32 * 1024
"""Most bytes of a class where all classes have the same number."""


@dataclass(frozen=True, kw_only=True)
class ClassText:
    """Train text of one class.

    Attributes:
        indices: shape (n,), train samples of the class, in the order of the text.
        pieces: n byte strings, each a sample and its separator; the first may lack its head.
    """

    indices: NDArray[np.int64]
    pieces: tuple[bytes, ...]

    @property
    def n_bytes(self) -> int:
        """Number of bytes, separators among them."""
        return sum(map(len, self.pieces))


def class_texts(dataset: Dataset, *, seed: int, equal_bytes: bool) -> list[ClassText]:
    """Return the train text of each class, in the order of the classes.

    With equal bytes, every class has min(32 KiB, bytes of the smallest class): whole samples
    in a seeded order, and the end of one more, so that no byte is missing. Samples of a fixed
    shape stay whole, since half an image is none; where their sizes differ, later ones fill
    the gap as far as they fit. The draw depends on data and seed alone: every compressor gets
    the same.
    """
    labels = dataset.train.labels
    members = [np.flatnonzero(labels == c) for c in range(len(dataset.classes))]
    texts = [text_of(dataset, rows) for rows in members]
    if not equal_bytes:
        return texts
    rng = np.random.default_rng([seed, 3])
    # The smallest class sets the size: more text must not pass for a better model.
    size = min(EQUAL_BYTES, *(text.n_bytes for text in texts))
    take = _cut if can_be_cut(dataset) else _filled
    return [take(text_of(dataset, rng.permutation(rows)), size) for rows in members]


def text_of(dataset: Dataset, rows: NDArray[np.int64]) -> ClassText:
    """Return these train samples, whole and in this order, as the text of a class."""
    # The separator follows each sample in the corpus and counts as text.
    pieces = tuple(dataset.train.samples[i] + dataset.separator for i in rows)
    return ClassText(indices=rows, pieces=pieces)


def can_be_cut(dataset: Dataset) -> bool:
    """Return whether a part of a sample is still a legal sample."""
    return dataset.shape is None and dataset.kind != "image"


def pooled_text(texts: Sequence[ClassText]) -> list[bytes]:
    """Return the pieces of all classes in the order of train."""
    indices = np.concatenate([text.indices for text in texts])
    pieces = [piece for text in texts for piece in text.pieces]
    return [pieces[i] for i in np.argsort(indices)]


def bytes_spread(texts: Sequence[ClassText]) -> float:
    """Return the largest less the smallest number of bytes of a class, as a share of it."""
    sizes = [text.n_bytes for text in texts]
    # Classes without any text are all equal.
    return (max(sizes) - min(sizes)) / max(*sizes, 1)


def _cut(text: ClassText, size: int) -> ClassText:
    """Return exactly `size` bytes: whole pieces, after the end of the next one."""
    ends = np.cumsum([0, *map(len, text.pieces)])
    n_whole = int(np.searchsorted(ends, size, side="right")) - 1
    indices, pieces = text.indices[:n_whole], text.pieces[:n_whole]
    if gap := size - int(ends[n_whole]):
        # Its end, in front: the text begins as behind a window, and ends as samples do.
        pieces = (text.pieces[n_whole][-gap:], *pieces)
        indices = np.concatenate([text.indices[[n_whole]], indices])
    return ClassText(indices=indices, pieces=pieces)


def _filled(text: ClassText, size: int) -> ClassText:
    """Return whole pieces of at most `size` bytes, each as soon as it fits."""
    rows, n_bytes = [], 0
    for i, piece in enumerate(text.pieces):
        if n_bytes + len(piece) <= size:
            rows.append(i)
            n_bytes += len(piece)
    indices = text.indices[np.array(rows, np.int64)]
    return ClassText(indices=indices, pieces=tuple(text.pieces[i] for i in rows))
