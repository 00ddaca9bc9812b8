"""Completion of held-out samples by a model's own distribution (docs/method.md, completion).

The upper half of an image is given and the lower half drawn, as in Chen et al. 2020,
"Generative Pretraining from Pixels". A classifier trained on real images says whether the
completion is of the class of the given half; halves that need no model are the references,
the true half is the ceiling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Generates, Stepwise
from harness.data.dataset import Dataset
from harness.errors import ConformanceError, NotApplicableError, SuiteError
from harness.records.score import PLAIN, Score, Variant
from harness.statistics import accuracy as stats
from harness.statistics.resampling import ratio_interval
from harness.tasks.image_halves import (
    Halves,
    Octets,
    classified,
    image_halves,
    images_of,
    is_image,
    nearest_images,
    references,
)
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.probing.logistic import (
    Floats,
)
from harness.tasks.task import Evidence, Inputs, Task

Estimate = tuple[float, float, float]
"""A value and the ends of its 95 % interval."""
STATE = "fit(train)"
ACCURACY = "completion_accuracy"
TRUTH = "truth"
COMPLETIONS = "completions"
REST_BITS = "true_half_bits"
N_STREAMS = 128
"""Prefixes continued at a time."""


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Number of test samples, and of completions of each.

    Attributes:
        n_prefixes: test samples, the first in their seeded order.
        n_samples: completions of each.
        text_bytes: bytes given and bytes drawn of each sample that is no image;
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


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return the completions, and C(rest | given) where the model has probabilities.

    Raises:
        NotApplicableError: the model does not generate, or no test sample is long enough.
        ConformanceError: samples do not continue their prefixes to the requested length.
    """
    model = inputs.fitted
    if not isinstance(model, Generates):
        raise NotApplicableError(f"{model.name} does not generate")
    halves = halves_of(inputs.dataset, parameters)
    rng = np.random.default_rng([inputs.seed, 11])
    arrays: dict[str, NDArray[Any]] = {
        COMPLETIONS: complete(model, halves, parameters.n_samples, rng)
    }
    # Other generators have no probabilities and so no code length.
    if isinstance(model, Stepwise):
        arrays[REST_BITS] = rest_bits(model, halves)
    return Measured(arrays=arrays)


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return the scores of the completions, and the completions for a gallery.

    - `true_half_bits` (per sample) and `true_half_bpb`: C(rest | given) of the model itself.
    - `completion_accuracy`, option "lower" or "whole": balanced accuracy of a classifier of
      real lower halves, or of real images, on the completed ones, the class of the given
      half being right. With an origin ("truth", "random_half", "nearest_half",
      "mean_image"): on those instead. With a reference: the difference to it.
    - `nearest_train_distance`: root mean square over pixels, in grey levels; with the same
      origins. Far below the truth's means copied images.
    """
    dataset = evidence.dataset
    halves = halves_of(dataset, parameters)
    completions = evidence.arrays[COMPLETIONS]
    arrays: dict[str, NDArray[Any]] = {
        "prefixes": halves.prefixes,
        "truth": halves.remainders,
        COMPLETIONS: completions,
        "indices": halves.indices,
    }
    scores: list[Score] = []
    if REST_BITS in evidence.arrays:
        bits = evidence.arrays[REST_BITS]
        scores += _rates(bits, halves, evidence.seed)
        sizes = np.full(len(bits), halves.remainders.shape[1])  # (n,)
        arrays |= {REST_BITS: bits, "n_bytes": sizes}
    if is_image(dataset):
        image_scores, image_arrays = _image_scores(evidence, halves, completions)
        scores, arrays = scores + image_scores, arrays | image_arrays
    return Judgement(scores=tuple(scores), arrays=arrays)


def halves_of(dataset: Dataset, parameters: Parameters) -> Halves:
    """Return the test samples to complete, cut in two.

    Raises:
        NotApplicableError: no test sample is long enough, or not of the card's shape.
    """
    if is_image(dataset):
        return image_halves(dataset, parameters.n_prefixes)
    return text_halves(dataset, parameters)


def text_halves(dataset: Dataset, parameters: Parameters) -> Halves:
    """Return the beginnings of the first test samples that are long enough, cut in two.

    Raises:
        NotApplicableError: no sample is long enough.
    """
    size, samples = parameters.text_bytes, dataset.test.samples
    # The given part and the drawn part have equal length.
    long_enough = [i for i, sample in enumerate(samples) if len(sample) >= 2 * size]
    indices = np.array(long_enough[: parameters.n_prefixes], np.int64)
    if not len(indices):
        raise NotApplicableError(
            f"{dataset.name}: no test sample has {2 * size} bytes; lower text_bytes"
        )
    cut = b"".join(samples[i][: 2 * size] for i in indices)
    table = np.frombuffer(cut, np.uint8).reshape(len(indices), 2 * size)
    return Halves(prefixes=table[:, :size], remainders=table[:, size:], indices=indices)


def complete(
    model: Generates, halves: Halves, n_samples: int, rng: np.random.Generator
) -> Octets:
    """Return the model's completions of each given part: (n, n_samples, r).

    Raises:
        ConformanceError: samples do not continue their prefixes to the requested length.
    """
    prefixes = [row.tobytes() for row in halves.prefixes for _ in range(n_samples)]
    cut = halves.prefixes.shape[1]
    length = cut + halves.remainders.shape[1]
    samples: list[bytes] = []
    # In batches, since the state of a network grows with the number of streams.
    for start in range(0, len(prefixes), N_STREAMS):
        samples += model.sample(prefixes[start : start + N_STREAMS], length, rng)
    # Scores assume that the given half is real: a changed prefix would fake them.
    if [s[:cut] for s in samples] != prefixes or {*map(len, samples)} != {length}:
        raise ConformanceError(
            f"sample gave {len(samples)} samples that do not all continue the "
            f"{len(prefixes)} prefixes of {cut} bytes to {length}; return each prefix "
            f"and what follows it"
        )
    whole = np.frombuffer(b"".join(samples), np.uint8)
    return whole.reshape(len(halves.prefixes), n_samples, length)[:, :, cut:].copy()


def rest_bits(model: Stepwise, halves: Halves) -> Floats:
    """Return C(rest | given) of each sample in bits, (n,), by the chain rule.

    The lengths of a stepwise model are sums over symbols that do not look ahead, so
    C(whole) - C(given) is exact, unlike for other codecs.
    """
    whole = halves.wholes(halves.remainders[:, None])[:, 0]
    lengths = model.code_lengths([row.tobytes() for row in whole])
    return lengths - model.code_lengths([row.tobytes() for row in halves.prefixes])


def _image_scores(
    evidence: Evidence, halves: Halves, completions: Octets
) -> tuple[list[Score], dict[str, NDArray[Any]]]:
    dataset, seed = evidence.dataset, evidence.seed
    halves_without, nearest = references(dataset, halves, completions.shape[1], seed)
    rests = {
        COMPLETIONS: completions,
        TRUTH: halves.remainders[:, None],  # (n, 1, r)
        **halves_without,
    }
    arrays: dict[str, NDArray[Any]] = {
        "nearest": nearest,
        "shape": np.array(dataset.shape),
        "levels": np.array(dataset.levels or 256),
    }
    scores = _distances(dataset, halves, rests, seed)
    if not dataset.is_labelled:
        return scores, arrays
    labels = dataset.test.labels[halves.indices]  # (n,)
    # "lower" asks for the class of the drawn half alone, "whole" also for its fit.
    for view in ("lower", "whole"):
        credits_ = classified(dataset, halves, rests, view=view, seed=seed)
        scores += _accuracies(labels, credits_, view, seed)
        arrays[f"credit_{view}"] = credits_[COMPLETIONS]
    return scores, arrays | {"labels": labels}


def _accuracies(
    labels: NDArray[np.int64], credits_: Mapping[str, Floats], view: str, seed: int
) -> list[Score]:
    """Return the balanced accuracy of every origin, and completions minus the others."""
    n, scores, about = len(labels), [], "classifier trained on real images"
    for origin, credit in credits_.items():
        # Reseeded, so that all origins share their resamples and intervals compare.
        rng = np.random.default_rng([seed, 13])
        low, high = stats.accuracy_intervals(labels, credit, rng)["balanced_accuracy"]
        value = stats.balanced_accuracy_of(stats.tallies(labels, credit))
        of_origin = Variant(option=view, origin=_of(origin))
        scores.append(_score(ACCURACY, (value, low, high), n, about, variant=of_origin))
    for origin, credit in credits_.items():
        if origin in (COMPLETIONS, TRUTH):
            continue
        rng = np.random.default_rng([seed, 14])
        # Paired: both complete the same images, whose difficulty cancels.
        pair = credits_[COMPLETIONS], credit
        d = stats.accuracy_differences(labels, pair, rng)["balanced_accuracy"]
        about = f"completions minus {origin.replace('_', ' ')}, paired"
        estimate = (d.value, d.ci_low, d.ci_high)
        over = Variant(option=view, reference=origin)
        scores.append(_score(ACCURACY, estimate, n, about, variant=over))
    return scores


def _distances(
    dataset: Dataset, halves: Halves, rests: Mapping[str, Octets], seed: int
) -> list[Score]:
    train = images_of(dataset, dataset.train.samples)
    scores = []
    for origin, lower_half in rests.items():
        wholes = halves.wholes(lower_half)
        _, flat = nearest_images(wholes.reshape(-1, wholes.shape[2]), train)
        apart = flat.reshape(wholes.shape[:2]).mean(axis=1)  # (n,)
        about = "root mean square over the pixels of the whole image"
        score = _score(
            "nearest_train_distance",
            _mean(apart, seed),
            len(apart),
            about,
            variant=Variant(origin=_of(origin)),
        )
        scores.append(replace(score, unit="levels"))
    return scores


def _rates(bits: Floats, halves: Halves, seed: int) -> list[Score]:
    """Return the model's code length of the true rest, per sample and per byte."""
    n_bytes, n = halves.remainders.shape[1], len(bits)
    about = f"of {n_bytes} bytes after {halves.prefixes.shape[1]}"
    per_byte = _mean(bits / n_bytes, seed)
    scores = (
        replace(_score(REST_BITS, _mean(bits, seed), n, about), unit="bits"),
        replace(_score("true_half_bpb", per_byte, n, about), unit="bits/byte"),
    )
    # Exact lengths, but no bytes were written.
    return [replace(s, route="stepwise", realised="likelihood") for s in scores]


def _mean(values: Floats, seed: int) -> Estimate:
    rng = np.random.default_rng([seed, 15])
    low, high = ratio_interval(values, np.ones(len(values)), rng)
    return float(values.mean()), low, high


def _score(
    metric: str, estimate: Estimate, n: int, note: str, *, variant: Variant = PLAIN
) -> Score:
    value, low, high = estimate
    return Score(
        metric=metric,
        variant=variant,
        value=value,
        unit="fraction",
        state=STATE,
        n=n,
        ci_low=low,
        ci_high=high,
        note=f"{note}; given this split",
    )


def _of(origin: str) -> str:
    """Return the origin in the spelling of scores: "" for the model's own completions."""
    return "" if origin == COMPLETIONS else origin


TASK = Task(
    name="completion",
    version=1,
    judge_version=2,
    measure=measure,
    judge=judge,
    parameters=Parameters,
    reads_fit=True,
    weight=10.0,
    title="completions of half a sample by a model: scores, and arrays for a gallery",
)
