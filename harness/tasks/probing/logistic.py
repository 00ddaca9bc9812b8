"""Linear probe: logistic regression on standardised features, C chosen on validation.

The method is in docs/method.md. The L2-penalised multinomial model is scikit-learn's; C,
the inverse of the penalty, is one of three fixed values.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.errors import DatasetError
from harness.records.score import COMMON_DIMENSION
from harness.statistics import accuracy as stats
from harness.tasks.classify import tied_credit

if TYPE_CHECKING:
    from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

STRENGTHS = (0.01, 0.3, 10.0)
"""Values of C, from the strongest penalty to the weakest."""
FIXED_STRENGTH = STRENGTHS[1]
"""Value of C where there are too few labels to choose it."""
VALIDATION_SHARE = 0.2
MAX_ITERATIONS = 1000


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Fitted linear classifier.

    Attributes:
        scaler: applied to features first.
        weights: shape (d, n_classes); 0 for a class without a label.
        offsets: shape (n_classes,); -inf for a class without a label.
        strength: value of C.
        validation: balanced accuracy on the validation part with that C; nan where there
            are too few labels for a validation part.
        converged: whether the last fit ended before MAX_ITERATIONS.
    """

    scaler: StandardScaler
    weights: Floats
    offsets: Floats
    strength: float
    validation: float = float("nan")
    converged: bool = True

    def logits(self, features: Floats) -> Floats:
        """Return log p of each class up to a constant per row, shape (n, n_classes)."""
        scores: Floats = self.scaler.transform(features) @ self.weights + self.offsets
        return scores

    def credit(self, features: Floats) -> Floats:
        """Return the share of each class in the answer: argmax, ties share equally."""
        return tied_credit(-self.logits(features))


def fit_probe(features: Floats, labels: Labels, n_classes: int, seed: int) -> Probe:
    """Return the probe with the best C on a validation part, fitted on all of train.

    The part is a seeded fifth of each class; the measure is balanced accuracy, and in a tie
    the strongest penalty wins.

    Args:
        features: shape (n, d).
        labels: shape (n,), below n_classes; classes may be missing.
        n_classes: number of classes.
        seed: of the validation part.

    Raises:
        DatasetError: there is no feature, no sample, or a value that is not finite.
    """
    check_features(features, labels)
    is_validation = validation_part(labels, np.random.default_rng([seed, 5]))
    # Too few labels to choose C by.
    if not is_validation.any():
        return fit_logistic(features, labels, n_classes, FIXED_STRENGTH)
    values = []
    for strength in STRENGTHS:
        probe = fit_logistic(
            features[~is_validation], labels[~is_validation], n_classes, strength
        )
        credit = probe.credit(features[is_validation])
        table = stats.tallies(labels[is_validation], credit)
        values.append(stats.balanced_accuracy_of(table))
    best = int(np.argmax(values))  # the first of equal values: the strongest penalty
    # On all of train, since the labels of the validation part count too.
    fitted = fit_logistic(features, labels, n_classes, STRENGTHS[best])
    return replace(fitted, validation=values[best])


def fit_logistic(
    features: Floats,
    labels: Labels,
    n_classes: int,
    strength: float,
    scaler: StandardScaler | None = None,
) -> Probe:
    """Return the probe for one value of C.

    Args:
        features: shape (n, d).
        labels: shape (n,), below n_classes; classes may be missing.
        n_classes: number of classes.
        strength: C.
        scaler: fitted on more features than the labelled ones; None standardises `features`.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    scaler = scaler or standardise(features)
    weights = np.zeros((features.shape[1], n_classes))  # (d, n_classes)
    # A class without a label has probability 0, whatever the features are.
    offsets = np.full(n_classes, -np.inf)
    present = np.unique(labels)
    offsets[present] = 0.0
    if len(present) == 1:  # scikit-learn fits no single class; the answer is that class
        return Probe(scaler=scaler, weights=weights, offsets=offsets, strength=strength)
    model = LogisticRegression(C=strength, max_iter=MAX_ITERATIONS)
    with warnings.catch_warnings():
        # Reported by `converged` instead.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # A few-label accuracy has one label per class on purpose.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        model.fit(scaler.transform(features), labels)
    # With two classes, scikit-learn has only the log odds of the second.
    columns = present[1:] if len(present) == 2 else present
    weights[:, columns] = model.coef_.T
    offsets[columns] = model.intercept_
    return Probe(
        scaler=scaler,
        weights=weights,
        offsets=offsets,
        strength=strength,
        converged=int(model.n_iter_.max()) < MAX_ITERATIONS,
    )


def check_features(features: Floats, labels: Labels) -> None:
    """Raise DatasetError unless a probe can be fitted on these features."""
    if features.ndim != 2 or len(features) != len(labels) or not features.size:
        raise DatasetError(
            f"features of shape {features.shape} for {len(labels)} labels; a probe "
            f"needs one row of at least one feature per label"
        )
    if not np.isfinite(features).all():
        raise DatasetError(
            "a feature is not finite; check the code lengths or states it is computed from"
        )


def validation_part(labels: Labels, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the mask of the validation part: a fifth of each class, drawn at random.

    A class of one or two samples has no part in it.
    """
    mask = np.zeros(len(labels), np.bool_)
    for label in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == label))
        mask[members[: round(VALIDATION_SHARE * len(members))]] = True
    return mask


def standardise(features: Floats) -> StandardScaler:
    """Return the scaler of features to mean 0 and deviation 1; constant features become 0."""
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(features)


def common_dimension(train: Floats, test: Floats) -> tuple[Floats, Floats]:
    """Return both projected on the first 64 principal components of standardised train.

    Models with different numbers of features become comparable. There are at most 64
    columns, fewer where train has fewer samples.
    """
    scaler = standardise(train)
    scaled = scaler.transform(train)
    _, values, axes = np.linalg.svd(scaled, full_matrices=False)
    # Directions of rounding errors would be scaled up to unit variance.
    has_variance = values > 1e-9 * values.max(initial=0.0)
    has_variance[:1] = True  # constant features leave one column, of zeros
    axes = axes[has_variance][:COMMON_DIMENSION]
    # The sign of an axis is arbitrary: make its largest entry positive.
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, None]
    # Scale and axes come from train: the test split decides nothing.
    return scaled @ axes.T, scaler.transform(test) @ axes.T
