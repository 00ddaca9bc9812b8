"""Scores of linear probes on features: accuracy, label code length, few labels, control."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.dataset import Dataset
from harness.records.score import COMMON_DIMENSION, PLAIN, Score, Variant
from harness.statistics import accuracy as stats
from harness.statistics.intervals import interval_over_draws
from harness.tasks.classify import Origin, class_scores
from harness.tasks.probing.label_code import N_ORDERS, label_bits, prior_entropy
from harness.tasks.probing.logistic import (
    FIXED_STRENGTH,
    MAX_ITERATIONS,
    Floats,
    Labels,
    Probe,
    common_dimension,
    fit_logistic,
    fit_probe,
    standardise,
)

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler

LABELS_PER_CLASS = (1, 5, 10, 50)
N_DRAWS = 10
"""Draws of labels behind a few-label accuracy."""


@dataclass(frozen=True, kw_only=True)
class Features:
    """Features of one readout, with their labels.

    Attributes:
        train: shape (n_train, d).
        labels: shape (n_train,), of the rows of `train`.
        test: shape (n_test, d), of the test split in its order.
        state: of the compressor that gave these features.
        route: of the conditional codes behind them; "" where there are none.
        variant: qualifiers of all scores.
    """

    train: Floats
    labels: Labels
    test: Floats
    state: str
    route: str = ""
    variant: Variant = PLAIN


def probe_scores(
    dataset: Dataset, features: Features, *, seed: int, extras: bool = True
) -> tuple[list[Score], dict[str, NDArray[Any]]]:
    """Return the scores of the probe, and its answers.

    They are class scores of the probe, its balanced accuracy on the validation part, and
    class scores in the common dimension of 64 where there are more features.
    Each of them uses the test split once.

    Args:
        dataset: its test split is classified.
        features: of its samples.
        seed: of every draw and interval.
        extras: also the control with permuted labels, the label code length and the
            accuracy from few labels; the last two in the common dimension.

    Raises:
        DatasetError: there is no feature, no sample, or a value that is not finite.
    """
    n_classes = len(dataset.classes)
    probe = fit_probe(features.train, features.labels, n_classes, seed)
    credit = probe.credit(features.test)  # (n_test, n_classes)
    scores = _probed(dataset, features, probe, credit, seed=seed)
    reduced = in_common_dimension(features)
    # The same object where there was nothing to reduce: its scores would be the same.
    if reduced is not features:
        small = fit_probe(reduced.train, reduced.labels, n_classes, seed)
        answers = small.credit(reduced.test)
        scores += _probed(dataset, reduced, small, answers, seed=seed)
    if extras:
        scores.append(permuted_score(dataset, features, seed=seed))
        # In the common dimension, so that wide and narrow features compare.
        scores += label_code_scores(dataset, reduced, seed=seed)
        scores += few_label_scores(dataset, reduced, seed=seed)
    name = features.variant.words
    arrays = {f"credit{name}": credit, f"labels{name}": dataset.test.labels}
    return scores, arrays


def label_code_scores(
    dataset: Dataset, features: Features, *, seed: int
) -> list[Score]:
    """Return the label code length of train given the features, and the prior's entropy."""
    labels = features.labels
    score = partial(
        Score,
        unit="bits/label",
        variant=features.variant,
        state=features.state,
        n=len(labels),
    )
    # By train labels alone: the test split stays unused.
    bits = label_bits(features.train, labels, len(dataset.classes), seed)
    return [
        score(
            metric="label_bits",
            value=bits,
            route=features.route,
            note=f"online code of the train labels, mean of {N_ORDERS} orders",
        ),
        score(
            metric="label_prior_bits",
            value=prior_entropy(labels),
            note="entropy of the train labels",
        ),
    ]


def few_label_scores(dataset: Dataset, features: Features, *, seed: int) -> list[Score]:
    """Return balanced accuracy from 1, 5, 10 and 50 labels per class, mean over draws.

    All labels of a class with fewer are used; a count above every class is omitted. C is
    fixed, since there are too few labels to choose it. The interval covers both the draws
    of labels and the test samples. Where test samples duplicate train, the same over the
    others follows.
    """
    sizes = np.bincount(features.labels, minlength=len(dataset.classes))
    # Standardised by all of train: features, unlike labels, are not scarce here.
    scaler = standardise(features.train)
    scores = []
    for per_class in LABELS_PER_CLASS:
        # No class could give so many.
        if per_class > sizes.max():
            continue
        rngs = [np.random.default_rng([seed, 7, draw]) for draw in range(N_DRAWS)]
        credits_ = np.stack(
            [
                _few_label_credit(dataset, features, per_class, scaler, rng)
                for rng in rngs
            ]
        )  # (draws, n_test, n_classes)
        n_small = int((sizes < per_class).sum())
        short = f"; {n_small} of {len(sizes)} classes have fewer" if n_small else ""
        note = f"mean of {N_DRAWS} draws of labels, C fixed{short}"
        about = _with(features, n_labels=per_class)
        scores += [
            replace(score, note=note)
            for score in _over_draws(dataset, about, credits_, seed=seed)
        ]
    return scores


def _few_label_credit(
    dataset: Dataset,
    features: Features,
    per_class: int,
    scaler: StandardScaler,
    rng: np.random.Generator,
) -> Floats:
    """Return the answers of a probe with so many labels per class, (n_test, n_classes)."""
    labels = features.labels
    shuffled = rng.permutation(len(labels))
    rows = np.concatenate(
        [shuffled[labels[shuffled] == c][:per_class] for c in np.unique(labels)]
    )
    probe = fit_logistic(
        features.train[rows],
        labels[rows],
        len(dataset.classes),
        FIXED_STRENGTH,
        scaler,
    )
    return probe.credit(features.test)


def _over_draws(
    dataset: Dataset, features: Features, credits_: Floats, *, seed: int
) -> list[Score]:
    """Return the balanced accuracy as a mean over draws of labels, on all and on unique.

    Args:
        dataset: its test split was classified.
        features: with the variant of the scores.
        credits_: shape (draws, n_test, n_classes).
        seed: of the resamples.
    """
    masks = {False: np.ones(len(dataset.test.labels), np.bool_)}
    if dataset.duplicated is not None and 0 < dataset.duplicated.sum() < len(
        masks[False]
    ):
        masks[True] = ~dataset.duplicated
    scores = []
    for deduplicated, mask in masks.items():
        labels, credit = dataset.test.labels[mask], credits_[:, mask]
        tables = [stats.tallies(labels, of_draw) for of_draw in credit]
        values = np.array([stats.balanced_accuracy_of(table) for table in tables])
        # Recalls are linear in the credit: the mean credit has the mean's test noise.
        rng = np.random.default_rng([seed, 9])
        ends = stats.accuracy_intervals(labels, credit.mean(axis=0), rng)
        low, high = (np.full(N_DRAWS, end) for end in ends["balanced_accuracy"])
        score = _accuracy_score(
            "balanced_accuracy", float(values.mean()), features, n=len(labels)
        )
        ci_low, ci_high = interval_over_draws(values, low, high)
        scores.append(
            replace(score, deduplicated=deduplicated, ci_low=ci_low, ci_high=ci_high)
        )
    return scores


def permuted_score(dataset: Dataset, features: Features, *, seed: int) -> Score:
    """Return the control: the same probe, fitted on permuted train labels.

    It should be at chance, 1 / n_classes (Zhang et al. 2017, "Understanding deep learning
    requires rethinking generalization").
    """
    rng = np.random.default_rng([seed, 8])
    # Class counts stay, so that only the relation to features is lost.
    shuffled = rng.permutation(features.labels)
    probe = fit_probe(features.train, shuffled, len(dataset.classes), seed)
    value = _balanced_accuracy(dataset, probe.credit(features.test))
    permuted = _with(features, control="permuted")
    score = _accuracy_score(
        "balanced_accuracy", value, permuted, n=len(dataset.test.labels)
    )
    return replace(score, note="control: train labels permuted")


def _probed(
    dataset: Dataset, features: Features, probe: Probe, credit: Floats, *, seed: int
) -> list[Score]:
    origin = Origin(
        state=features.state,
        route=features.route,
        seed=seed,
        variant=features.variant,
    )
    scores = class_scores(dataset, credit, origin)
    if not np.isnan(probe.validation):
        n = len(features.labels)
        validation = _accuracy_score(
            "validation_balanced_accuracy", probe.validation, features, n=n
        )
        scores.append(replace(validation, note=f"C={probe.strength:g}"))
    if probe.converged:
        return scores
    # A probe that has not converged is weaker than it could be: every score tells.
    stopped = f"probe stopped at {MAX_ITERATIONS} iterations"
    return [
        replace(score, note=f"{score.note}; {stopped}" if score.note else stopped)
        for score in scores
    ]


def in_common_dimension(features: Features) -> Features:
    """Return the features in the common dimension, unchanged if they have no more columns.

    Principal components of the standardised train features; the variant says so.
    """
    if features.train.shape[1] <= COMMON_DIMENSION:
        return features
    train, test = common_dimension(features.train, features.test)
    reduced = _with(features, n_dimensions=COMMON_DIMENSION)
    return replace(reduced, train=train, test=test)


def _with(features: Features, **qualifiers: Any) -> Features:
    """Return the features with more qualifiers of their scores."""
    return replace(features, variant=replace(features.variant, **qualifiers))


def _accuracy_score(metric: str, value: float, features: Features, *, n: int) -> Score:
    return Score(
        metric=metric,
        variant=features.variant,
        value=value,
        unit="fraction",
        state=features.state,
        route=features.route,
        n=n,
    )


def _balanced_accuracy(dataset: Dataset, credit: Floats) -> float:
    return stats.balanced_accuracy_of(stats.tallies(dataset.test.labels, credit))
