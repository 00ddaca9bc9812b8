"""Images cut in two: halves, references that need no model, and a classifier of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import Dataset
from harness.errors import NotApplicableError
from harness.records.score import COMMON_DIMENSION
from harness.tasks.probing.logistic import Floats, common_dimension, fit_probe

Octets = NDArray[np.uint8]
N_CLASSIFIER_TRAIN = 5000
"""Train images of the classifier, at most: the first in the seeded order."""
N_QUERIES = 64
"""Images whose distances to all of train are in memory at a time."""


@dataclass(frozen=True, kw_only=True)
class Halves:
    """Samples cut in two: prefixes (n, g), remainders (n, r), and their test indices (n,)."""

    prefixes: Octets
    remainders: Octets
    indices: NDArray[np.int64]

    def wholes(self, rests: Octets) -> Octets:
        """Return the given parts, each with m rests (n, m, r): (n, m, g + r)."""
        shape = (*rests.shape[:2], self.prefixes.shape[1])
        return np.concatenate(
            [np.broadcast_to(self.prefixes[:, None], shape), rests], axis=2
        )


def is_image(dataset: Dataset) -> bool:
    """Return whether the samples have an upper and a lower half."""
    return dataset.kind == "image" and dataset.shape is not None


def image_halves(dataset: Dataset, n: int) -> Halves:
    """Return the first n test images cut after the upper half of their rows.

    Raises:
        NotApplicableError: an image does not have the card's shape, or only one row.
    """
    images = images_of(dataset, dataset.test.samples[:n])
    cut = _cut(dataset)
    return Halves(
        prefixes=images[:, :cut],
        remainders=images[:, cut:],
        indices=np.arange(len(images)),
    )


def references(
    dataset: Dataset, halves: Halves, n_samples: int, seed: int
) -> tuple[dict[str, Octets], Octets]:
    """Return lower halves that need no model, each (n, m, r), and the nearest images.

    - random_half: of random train images, as many as there are completions.
    - nearest_half: of the train image whose upper half is nearest.
    - mean_image: of the mean of train, rounded to a level.
    """
    train = images_of(dataset, dataset.train.samples)
    cut = _cut(dataset)
    rng = np.random.default_rng([seed, 12])
    indices = rng.integers(0, len(train), (len(halves.prefixes), n_samples))  # (n, m)
    # By the upper half alone: the lower one is the answer.
    nearest, _ = nearest_images(halves.prefixes, train[:, :cut])
    mean = np.rint(train.mean(axis=0)).astype(np.uint8)  # (g + r,)
    rests = {
        "random_half": train[indices][:, :, cut:],
        "nearest_half": train[nearest][:, None, cut:],
        "mean_image": np.broadcast_to(mean[cut:], (len(nearest), 1, len(mean) - cut)),
    }
    return rests, train[nearest]


def nearest_images(queries: Octets, images: Octets) -> tuple[NDArray[np.int64], Floats]:
    """Return, per query, the index of the nearest image and its distance.

    Returns:
        (n,), the first of equals; (n,), the root mean square over pixels, in grey levels.
    """
    table = images.astype(np.float64)
    squares = (table**2).sum(axis=1)  # (n_images,)
    indices, distances = [], []
    for start in range(0, len(queries), N_QUERIES):
        block = queries[start : start + N_QUERIES].astype(np.float64)
        # Integers below 2**53 throughout: exact, so that ties are ties.
        apart = (block**2).sum(axis=1)[:, None] + squares - 2 * block @ table.T
        indices.append(apart.argmin(axis=1))
        distances.append(apart.min(axis=1))
    return np.concatenate(indices), np.sqrt(np.concatenate(distances) / images.shape[1])


def classified(
    dataset: Dataset,
    halves: Halves,
    rests: Mapping[str, Octets],
    *,
    view: str,
    seed: int,
) -> dict[str, Floats]:
    """Return the share of each class in a classifier's answers, (n, n_classes) each.

    The classifier is the probe on real train images, on 64 principal components where
    there are more pixels; it sees the lower half alone, or the whole image.

    Args:
        dataset: source of the real images.
        halves: of the images completed.
        rests: lower halves (n, m, r) by origin; shares are means over the m.
        view: "lower" or "whole".
        seed: of the probe's validation part.
    """
    train = images_of(dataset, dataset.train.samples[:N_CLASSIFIER_TRAIN])
    start = _cut(dataset) if view == "lower" else 0
    views = {name: halves.wholes(lower)[:, :, start:] for name, lower in rests.items()}
    flat = [images.reshape(-1, images.shape[2]) for images in views.values()]
    train_features = train[:, start:].astype(np.float64)
    features = np.concatenate(flat).astype(np.float64)
    if train_features.shape[1] > COMMON_DIMENSION:
        train_features, features = common_dimension(train_features, features)
    labels = dataset.train.labels[: len(train)]
    probe = fit_probe(train_features, labels, len(dataset.classes), seed)
    parts = np.split(
        probe.credit(features), np.cumsum([len(part) for part in flat])[:-1]
    )
    return {
        # (n * m, n_classes) -> (n, m, n_classes) -> (n, n_classes)
        name: part.reshape(*views[name].shape[:2], -1).mean(axis=1)
        for name, part in zip(views, parts, strict=True)
    }


def _cut(dataset: Dataset) -> int:
    """Return the bytes of the upper half of an image; an odd row belongs to the lower half."""
    height, *row_shape = dataset.shape or ()
    return height // 2 * int(np.prod(row_shape))


def images_of(dataset: Dataset, samples: Sequence[bytes]) -> Octets:
    """Return samples as (n, height * width * channels)."""
    size = int(np.prod(dataset.shape or ()))
    if not _cut(dataset) or {*map(len, samples)} != {size}:
        raise NotApplicableError(
            f"{dataset.name}: samples are not all images of shape {dataset.shape} with two "
            f"rows or more, or there are none; correct the card's shape"
        )
    return np.frombuffer(b"".join(samples), np.uint8).reshape(len(samples), size)
