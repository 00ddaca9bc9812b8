"""Let a model complete held-out samples by its own distribution (SCIENCE, section 5).

Of an image the upper half is given and the lower half drawn, as in Chen et al. 2020,
"Generative Pretraining from Pixels". A classifier trained on real images says whether what
was drawn is of the class of what was given; halves that need no model are the references,
the true half is the ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Generates, Stepwise
from harness.data.dataset import Dataset
from harness.errors import ConformanceError, NotApplicableError, SuiteError
from harness.statistics import accuracy as stats
from harness.statistics.resampling import ratio_interval
from harness.tasks.outcome import Outcome, Score
from harness.tasks.probing.logistic import (
    COMMON_DIMENSION,
    Floats,
    common_dimension,
    fit_probe,
)
from harness.tasks.task import Inputs, Task

Octets = NDArray[np.uint8]
Estimate = tuple[float, float, float]
"""A value and the ends of its 95 % interval."""
STATE = "fit(train)"
TRUTH = "truth"
COMPLETIONS = "completions"
N_CLASSIFIER_TRAIN = 5000
"""Train images of the classifier, at most: the first in the seeded order."""
N_STREAMS = 128
"""Prefixes continued at a time."""
N_QUERIES = 64
"""Images whose distances to all of train are held at a time."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How many test samples are completed, and how often each.

    Attributes:
        n_prefixes: test samples, the first in their seeded order.
        n_samples: completions of each.
        text_bytes: of anything but images, so many bytes are given and as many drawn;
            shorter samples are passed over.
    """

    n_prefixes: int = 100
    n_samples: int = 5
    text_bytes: int = 64

    def __post_init__(self) -> None:
        for name in ("n_prefixes", "n_samples", "text_bytes"):
            if getattr(self, name) < 1:
                raise SuiteError(
                    f"completion: {name} is {getattr(self, name)}; give at least 1"
                )


@dataclass(frozen=True, kw_only=True)
class Halves:
    """Samples cut in two: what is given (n, g), what follows (n, r), and which they are."""

    given: Octets
    rest: Octets
    indices: NDArray[np.int64]

    def wholes(self, rests: Octets) -> Octets:
        """Return the given parts, each with m rests (n, m, r): (n, m, g + r)."""
        shape = (*rests.shape[:2], self.given.shape[1])
        return np.concatenate(
            [np.broadcast_to(self.given[:, None], shape), rests], axis=2
        )


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return what the completions are worth, and the completions for a gallery.

    - `true_half_bits` (per sample) and `true_half_bpb`: C(rest | given) of the model itself.
    - `balanced_accuracy_lower` and `_whole`: a classifier of real lower halves, or of real
      images, on the completed ones, the class of the given half being right. With
      "_truth", "_random_half", "_nearest_half", "_mean_image": on those instead. With
      "_over_...": the difference to that reference.
    - `nearest_train_distance`: root mean square over pixels, in grey levels; the same
      suffixes. Far below the truth's means copied images.

    Raises:
        NotApplicableError: the model does not generate, or no test sample is long enough.
        ConformanceError: it does not continue what it was given, to the length asked for.
    """
    model, dataset = inputs.fitted, inputs.dataset
    if not isinstance(model, Generates):
        raise NotApplicableError(f"{model.name} does not generate")
    if is_image(dataset):
        halves = image_halves(dataset, parameters.n_prefixes)
    else:
        halves = text_halves(dataset, parameters)
    rng = np.random.default_rng([inputs.seed, 11])
    drawn = complete(model, halves, parameters.n_samples, rng)
    arrays: dict[str, NDArray[Any]] = {
        "prefixes": halves.given,
        "truth": halves.rest,
        COMPLETIONS: drawn,
        "indices": halves.indices,
    }
    scores: list[Score] = []
    if isinstance(model, Stepwise):
        bits = rest_bits(model, halves)
        scores += _rates(bits, halves, inputs.seed)
        sizes = np.full(len(bits), halves.rest.shape[1])
        arrays |= {"true_half_bits": bits, "n_bytes": sizes}
    if is_image(dataset):
        found, more = _image_scores(inputs, halves, drawn)
        scores, arrays = scores + found, arrays | more
    return Outcome(scores=tuple(scores), arrays=arrays)


def is_image(dataset: Dataset) -> bool:
    """Whether the samples have an upper and a lower half."""
    return dataset.kind == "image" and dataset.shape is not None


def image_halves(dataset: Dataset, n: int) -> Halves:
    """Return the first n test images cut after the upper half of their rows.

    Raises:
        NotApplicableError: an image does not have the card's shape, or only one row.
    """
    images = _images(dataset, dataset.test.samples[:n])
    cut = _cut(dataset)
    return Halves(
        given=images[:, :cut], rest=images[:, cut:], indices=np.arange(len(images))
    )


def text_halves(dataset: Dataset, parameters: Parameters) -> Halves:
    """Return the beginnings of the first test samples that are long enough, cut in two.

    Raises:
        NotApplicableError: none is.
    """
    size, samples = parameters.text_bytes, dataset.test.samples
    long_enough = [i for i, sample in enumerate(samples) if len(sample) >= 2 * size]
    indices = np.array(long_enough[: parameters.n_prefixes], np.int64)
    if not len(indices):
        raise NotApplicableError(
            f"{dataset.name}: no test sample has {2 * size} bytes; lower text_bytes"
        )
    cut = b"".join(samples[i][: 2 * size] for i in indices)
    table = np.frombuffer(cut, np.uint8).reshape(len(indices), 2 * size)
    return Halves(given=table[:, :size], rest=table[:, size:], indices=indices)


def complete(
    model: Generates, halves: Halves, n_samples: int, rng: np.random.Generator
) -> Octets:
    """Return what the model draws after each given part: (n, n_samples, r).

    Raises:
        ConformanceError: it does not continue what it was given, to the length asked for.
    """
    prefixes = [row.tobytes() for row in halves.given for _ in range(n_samples)]
    cut = halves.given.shape[1]
    length = cut + halves.rest.shape[1]
    samples: list[bytes] = []
    for start in range(0, len(prefixes), N_STREAMS):
        samples += model.sample(prefixes[start : start + N_STREAMS], length, rng)
    if [s[:cut] for s in samples] != prefixes or {*map(len, samples)} != {length}:
        raise ConformanceError(
            f"sample gave {len(samples)} samples that do not all continue the "
            f"{len(prefixes)} prefixes of {cut} bytes to {length}; return each prefix "
            f"and what follows it"
        )
    whole = np.frombuffer(b"".join(samples), np.uint8)
    return whole.reshape(len(halves.given), n_samples, length)[:, :, cut:].copy()


def rest_bits(model: Stepwise, halves: Halves) -> Floats:
    """Return C(rest | given) of each sample in bits, (n,), by the chain rule.

    The lengths of a stepwise model are sums over symbols that do not look ahead, so
    C(whole) - C(given) is exact, unlike for other codecs.
    """
    whole = halves.wholes(halves.rest[:, None])[:, 0]
    lengths = model.code_lengths([row.tobytes() for row in whole])
    return lengths - model.code_lengths([row.tobytes() for row in halves.given])


def references(
    dataset: Dataset, halves: Halves, n_samples: int, seed: int
) -> tuple[dict[str, Octets], Octets]:
    """Return lower halves that need no model, each (n, m, r), and the nearest images.

    - random_half: of random train images, as many as there are completions.
    - nearest_half: of the train image whose upper half is nearest.
    - mean_image: of the mean of train, rounded to a level.
    """
    train = _images(dataset, dataset.train.samples)
    cut = _cut(dataset)
    rng = np.random.default_rng([seed, 12])
    chosen = rng.integers(0, len(train), (len(halves.given), n_samples))
    nearest, _ = nearest_images(halves.given, train[:, :cut])
    mean = np.rint(train.mean(axis=0)).astype(np.uint8)
    rests = {
        "random_half": train[chosen][:, :, cut:],
        "nearest_half": train[nearest][:, None, cut:],
        "mean_image": np.broadcast_to(mean[cut:], (len(nearest), 1, len(mean) - cut)),
    }
    return rests, train[nearest]


def nearest_images(queries: Octets, known: Octets) -> tuple[NDArray[np.int64], Floats]:
    """Return, per query, the index of the nearest known image and its distance.

    Returns:
        (n,), the first of equals; (n,), the root mean square over pixels, in grey levels.
    """
    table = known.astype(np.float64)
    squares = (table**2).sum(axis=1)
    indices, distances = [], []
    for start in range(0, len(queries), N_QUERIES):
        block = queries[start : start + N_QUERIES].astype(np.float64)
        # Integers below 2**53 throughout: exact, so that ties are ties.
        apart = (block**2).sum(axis=1)[:, None] + squares - 2 * block @ table.T
        indices.append(apart.argmin(axis=1))
        distances.append(apart.min(axis=1))
    return np.concatenate(indices), np.sqrt(np.concatenate(distances) / known.shape[1])


def _image_scores(
    inputs: Inputs, halves: Halves, drawn: Octets
) -> tuple[list[Score], dict[str, NDArray[Any]]]:
    dataset, seed = inputs.dataset, inputs.seed
    others, nearest = references(dataset, halves, drawn.shape[1], seed)
    rests = {COMPLETIONS: drawn, TRUTH: halves.rest[:, None], **others}
    arrays: dict[str, NDArray[Any]] = {
        "nearest": nearest,
        "shape": np.array(dataset.shape),
        "levels": np.array(dataset.levels or 256),
    }
    scores = _distances(dataset, halves, rests, seed)
    if not dataset.is_labelled:
        return scores, arrays
    labels = dataset.test.labels[halves.indices]
    for view in ("lower", "whole"):
        credits_ = classified(dataset, halves, rests, view=view, seed=seed)
        scores += _accuracies(labels, credits_, view, seed)
        arrays[f"credit_{view}"] = credits_[COMPLETIONS]
    return scores, arrays | {"labels": labels}


def classified(
    dataset: Dataset,
    halves: Halves,
    rests: Mapping[str, Octets],
    *,
    view: str,
    seed: int,
) -> dict[str, Floats]:
    """Return the share of each class in what a classifier says, (n, n_classes) each.

    The classifier is the probe on real train images, on 64 principal components where
    there are more pixels; it sees the lower half alone, or the whole image.

    Args:
        dataset: where the real images come from.
        halves: of the images completed.
        rests: lower halves (n, m, r) by origin; shares are means over the m.
        view: "lower" or "whole".
        seed: of the probe's validation part.
    """
    train = _images(dataset, dataset.train.samples[:N_CLASSIFIER_TRAIN])
    start = _cut(dataset) if view == "lower" else 0
    seen = {name: halves.wholes(rest)[:, :, start:] for name, rest in rests.items()}
    flat = [images.reshape(-1, images.shape[2]) for images in seen.values()]
    known = train[:, start:].astype(np.float64)
    asked = np.concatenate(flat).astype(np.float64)
    if known.shape[1] > COMMON_DIMENSION:
        known, asked = common_dimension(known, asked)
    labels = dataset.train.labels[: len(train)]
    probe = fit_probe(known, labels, len(dataset.classes), seed)
    parts = np.split(probe.credit(asked), np.cumsum([len(part) for part in flat])[:-1])
    return {
        name: part.reshape(*seen[name].shape[:2], -1).mean(axis=1)
        for name, part in zip(seen, parts, strict=True)
    }


def _accuracies(
    labels: NDArray[np.int64], credits_: Mapping[str, Floats], view: str, seed: int
) -> list[Score]:
    """Return the balanced accuracy of every origin, and completions minus the others."""
    name, n, scores = f"balanced_accuracy_{view}", len(labels), []
    for origin, credit in credits_.items():
        rng = np.random.default_rng([seed, 13])
        low, high = stats.accuracy_intervals(labels, credit, rng)["balanced_accuracy"]
        value = stats.balanced_accuracy_of(stats.confusion(labels, credit))
        about = "classifier trained on real images"
        scores.append(_score(name + _of(origin), (value, low, high), n, about))
    for origin, credit in credits_.items():
        if origin in (COMPLETIONS, TRUTH):
            continue
        rng = np.random.default_rng([seed, 14])
        pair = credits_[COMPLETIONS], credit
        d = stats.accuracy_differences(labels, pair, rng)["balanced_accuracy"]
        about = f"completions minus {origin.replace('_', ' ')}, paired"
        estimate = (d.value, d.ci_low, d.ci_high)
        scores.append(_score(f"{name}_over_{origin}", estimate, n, about))
    return scores


def _distances(
    dataset: Dataset, halves: Halves, rests: Mapping[str, Octets], seed: int
) -> list[Score]:
    train = _images(dataset, dataset.train.samples)
    scores = []
    for origin, rest in rests.items():
        wholes = halves.wholes(rest)
        _, flat = nearest_images(wholes.reshape(-1, wholes.shape[2]), train)
        apart = flat.reshape(wholes.shape[:2]).mean(axis=1)  # (n,)
        name = f"nearest_train_distance{_of(origin)}"
        about = "root mean square over the pixels of the whole image"
        scores.append(_score(name, _mean(apart, seed), len(apart), about, "levels"))
    return scores


def _rates(bits: Floats, halves: Halves, seed: int) -> list[Score]:
    """Return the model's code length of the true rest, per sample and per byte."""
    n_bytes, n = halves.rest.shape[1], len(bits)
    about = f"of {n_bytes} bytes after {halves.given.shape[1]}"
    per_byte = _mean(bits / n_bytes, seed)
    found = (
        _score("true_half_bits", _mean(bits, seed), n, about, "bits"),
        _score("true_half_bpb", per_byte, n, about, "bits/byte"),
    )
    return [replace(s, route="stepwise", realised="likelihood") for s in found]


def _mean(values: Floats, seed: int) -> Estimate:
    rng = np.random.default_rng([seed, 15])
    low, high = ratio_interval(values, np.ones(len(values)), rng)
    return float(values.mean()), low, high


def _score(
    name: str, estimate: Estimate, n: int, note: str, unit: str = "fraction"
) -> Score:
    value, low, high = estimate
    return Score(
        name=name,
        value=value,
        unit=unit,
        state=STATE,
        n=n,
        ci_low=low,
        ci_high=high,
        note=f"{note}; given this split",
    )


def _of(origin: str) -> str:
    """Return the suffix of scores that are not about completions."""
    return "" if origin == COMPLETIONS else f"_{origin}"


def _cut(dataset: Dataset) -> int:
    """Return the bytes of the upper half of an image: of an odd row more lies below."""
    height, *others = dataset.shape or ()
    return height // 2 * int(np.prod(others))


def _images(dataset: Dataset, samples: Sequence[bytes]) -> Octets:
    """Return samples as (n, height * width * channels)."""
    size = int(np.prod(dataset.shape or ()))
    if not _cut(dataset) or {*map(len, samples)} != {size}:
        raise NotApplicableError(
            f"{dataset.name}: samples are not all images of shape {dataset.shape} with two "
            f"rows or more, or there are none; correct the card's shape"
        )
    return np.frombuffer(b"".join(samples), np.uint8).reshape(len(samples), size)


TASK = Task(
    name="completion",
    version=1,
    run=run,
    parameters=Parameters,
    reads_fit=True,
    weight=10.0,
    title="what a model draws after half a sample: scores, and arrays for a gallery",
)
