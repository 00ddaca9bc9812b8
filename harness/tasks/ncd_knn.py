"""Nearest neighbours by normalised compression distance (SCIENCE: ncd_knn).

NCD(x, y) = (C(xy) - min(C(x), C(y))) / max(C(x), C(y)), Cilibrasi and Vitanyi 2005,
"Clustering by compression". C(xy) is the mean of both orders, or only test before train:
with a space between them, that is the published gzip classifier (Jiang et al. 2023,
"Low-resource text classification").

Ties are shared, never won: NCDs of short samples repeat, and counting a tie as right adds
points that no classifier has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from harness.contract.compressor import Bits, Compressor, Stepwise
from harness.data.dataset import Dataset
from harness.errors import NotApplicableError, SuiteError
from harness.records.score import Variant as ScoreVariant
from harness.statistics.intervals import wilson_lower
from harness.tasks.classify import class_scores, require_labels
from harness.tasks.column import Column
from harness.tasks.outcome import Outcome, Score
from harness.tasks.task import Inputs, Task
from harness.tasks.votes import TIE, either_of_two, neighbours, vote_credit

Floats = NDArray[np.float64]
Variant = Literal["ncd", "ncd_cond"]

BLOCK_ROWS = 64
"""Test samples whose distances are held at a time."""
N_SELF = 32
MAX_NONPOSITIVE = 0.01
STATE = "unfitted"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """What to measure.

    Attributes:
        k: neighbours, one classifier for each number.
        orders: 2 takes C(xy) as the mean of both orders, 1 test before train only.
        joiner: stands between the two samples; variant "ncd" only, like `orders`.
        variant: "ncd", or for models "ncd_cond", (C(x|y) + C(y|x)) / (C(x) + C(y)).
        show_error: also show the score that counts either of the two nearest as right.
    """

    k: tuple[int, ...] = (1, 3)
    orders: int = 2
    joiner: str = ""
    variant: Variant = "ncd"
    show_error: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", tuple(self.k))  # a suite file has lists
        if not self.k or any(isinstance(k, bool) or k < 1 for k in self.k):
            raise SuiteError(f"ncd_knn: k is {self.k}; give one or more numbers from 1")
        if self.orders not in (1, 2):
            raise SuiteError(f"ncd_knn: orders is {self.orders!r}; give 1 or 2")
        if self.variant not in get_args(Variant):
            known = ", ".join(get_args(Variant))
            raise SuiteError(f"ncd_knn: variant is {self.variant!r}; give {known}")


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Credits of all test samples, and counts along the way."""

    credit: dict[int, Floats]
    error: Floats
    n_tied: int
    n_nonpositive: int


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return class scores for each k, how often neighbours tie, and NCD(x, x).

    Raises:
        NotApplicableError: no labels, fewer training samples than k, a compressor that
            must be fitted, or, for "ncd_cond", one that is no model or sees too little.
    """
    compressor, dataset = inputs.unfitted, inputs.dataset
    _require(compressor, dataset, parameters)
    found = _classify(compressor, dataset, parameters)
    is_ncd = parameters.variant == "ncd"
    route = "difference" if is_ncd else compressor.route
    scores = [
        score
        for k, credit in found.credit.items()
        for score in class_scores(
            dataset, credit, state=STATE, seed=inputs.seed, route=route, suffix=f"_k{k}"
        )
    ]
    if is_ncd:
        scores = _validated(scores, found, dataset)
    scores += _beside(compressor, dataset, parameters, found)
    arrays = {f"credit_k{k}": credit for k, credit in found.credit.items()}
    return Outcome(
        scores=tuple(scores), arrays={**arrays, "labels": dataset.test.labels}
    )


def ncd(joint: Bits, x: Bits, y: Bits) -> Floats:
    """Return NCD(x, y) from lengths C(xy) (n, m), C(x) (n,) and C(y) (m,): (n, m)."""
    low, high = np.minimum.outer(x, y), np.maximum.outer(x, y)
    # Of two samples that cost nothing, nothing tells one from the other.
    return np.divide(joint - low, high, out=np.zeros_like(joint), where=high > 0)


def ncd_cond(x_given_y: Bits, y_given_x: Bits, x: Bits, y: Bits) -> Floats:
    """Return (C(x|y) + C(y|x)) / (C(x) + C(y)); both conditional lengths are (n, m)."""
    both, total = x_given_y + y_given_x, np.add.outer(x, y)
    return np.divide(both, total, out=np.zeros_like(both), where=total > 0)


def _require(compressor: Compressor, dataset: Dataset, parameters: Parameters) -> None:
    require_labels(dataset)
    if "fit" in compressor.needs:
        raise NotApplicableError(
            f"{compressor.name} must be fitted; ncd_knn codes cold"
        )
    n_train = len(dataset.train.samples)
    k = max(*parameters.k, 2 if parameters.show_error else 1)
    if n_train < k:
        raise NotApplicableError(
            f"{dataset.name} has {n_train} training samples, fewer than k={k}"
        )
    if parameters.variant == "ncd_cond":
        _require_context(compressor, dataset)


def _require_context(compressor: Compressor, dataset: Dataset) -> None:
    if not isinstance(compressor, Stepwise):
        raise NotApplicableError(
            f"{compressor.name} is no model; ncd_cond is for models"
        )
    need = max(map(len, dataset.train.samples)) + max(map(len, dataset.test.samples))
    if compressor.window is not None and compressor.window < need:
        raise NotApplicableError(
            f"{compressor.name} sees {compressor.window} bytes; "
            f"ncd_cond needs {need} for the longest pair"
        )


def _classify(
    compressor: Compressor, dataset: Dataset, parameters: Parameters
) -> _Found:
    truth = np.eye(len(dataset.classes))[dataset.train.labels]
    credit: dict[int, list[Floats]] = {k: [] for k in parameters.k}
    errors, n_tied, n_nonpositive, start = [], 0, 0, 0
    for distances, n_bad in _distance_blocks(compressor, dataset, parameters):
        for k, rows in credit.items():
            rows.append(vote_credit(neighbours(distances, truth, k), k))
        nearest = distances <= distances.min(axis=1, keepdims=True) + TIE
        n_tied += int((nearest.sum(axis=1) > 1).sum())
        n_nonpositive += n_bad
        if parameters.show_error:
            labels = dataset.test.labels[start : start + len(distances)]
            errors.append(either_of_two(neighbours(distances, truth, 2), labels))
        start += len(distances)
    return _Found(
        credit={k: np.concatenate(rows) for k, rows in credit.items()},
        error=np.concatenate(errors) if errors else np.empty(0),
        n_tied=n_tied,
        n_nonpositive=n_nonpositive,
    )


def _distance_blocks(
    compressor: Compressor, dataset: Dataset, parameters: Parameters
) -> Iterator[tuple[Floats, int]]:
    """Yield distances of blocks of test samples to train, and how many cost nothing."""
    train, test = dataset.train.samples, dataset.test.samples
    of_train = compressor.code_lengths(train)
    for start in range(0, len(test), BLOCK_ROWS):
        block = test[start : start + BLOCK_ROWS]
        of_block = compressor.code_lengths(block)
        if parameters.variant == "ncd_cond":
            conditional = _conditional_lengths(compressor, block, train)
            yield ncd_cond(*conditional, of_block, of_train), 0
            continue
        joint = _joint_lengths(compressor, block, train, parameters)
        least = np.minimum.outer(of_block, of_train)
        yield ncd(joint, of_block, of_train), int((joint <= least).sum())


def _joint_lengths(
    compressor: Compressor,
    xs: Sequence[bytes],
    ys: Sequence[bytes],
    parameters: Parameters,
) -> Bits:
    """Return C(xy), one order or the mean of both: (len(xs), len(ys))."""
    joiner = parameters.joiner.encode()
    forward = compressor.pair_code_lengths([x + joiner for x in xs], ys)
    if parameters.orders == 1:
        return forward
    backward = compressor.pair_code_lengths([y + joiner for y in ys], xs)
    both: Bits = (forward + backward.T) / 2
    return both


def _conditional_lengths(
    compressor: Compressor, xs: Sequence[bytes], ys: Sequence[bytes]
) -> tuple[Bits, Bits]:
    """Return C(x|y) and C(y|x), each (len(xs), len(ys))."""
    x_given_y = [compressor.code_lengths(xs, context=y) for y in ys]
    y_given_x = [compressor.code_lengths(ys, context=x) for x in xs]
    return np.stack(x_given_y, axis=1), np.stack(y_given_x)


def _validated(scores: list[Score], found: _Found, dataset: Dataset) -> list[Score]:
    """Return the scores, marked where differences of lengths mean nothing, and the share.

    C(xy) - min(C(x), C(y)) is a difference; where too many are no more than 0, the
    compressor's lengths cannot carry a distance.
    """
    n_pairs = len(dataset.test.samples) * len(dataset.train.samples)
    bad = wilson_lower(found.n_nonpositive, n_pairs) > MAX_NONPOSITIVE
    if bad:
        note = "invalid: too many differences of code lengths are 0 or less"
        scores = [replace(score, note=note) for score in scores]
    share = Score(
        name="nonpositive_rate",
        value=found.n_nonpositive / n_pairs,
        unit="fraction",
        state=STATE,
        route="difference",
        n=n_pairs,
        note="pairs of which the second sample costs nothing after the first",
    )
    return [*scores, share]


def _beside(
    compressor: Compressor, dataset: Dataset, parameters: Parameters, found: _Found
) -> list[Score]:
    n = len(dataset.test.samples)
    scores = [
        Score(
            name="tie_rate",
            value=found.n_tied / n,
            unit="fraction",
            state=STATE,
            n=n,
            note="test samples with several nearest training samples, of any label",
        ),
        _self_distance(compressor, dataset, parameters),
    ]
    if parameters.show_error:
        scores.append(
            Score(
                name="accuracy_top2_error_k2",
                value=float(found.error.mean()),
                unit="fraction",
                state=STATE,
                n=n,
                note="counts either of the two nearest as right: "
                "an error, shown for comparison",
            )
        )
    return scores


def _self_distance(
    compressor: Compressor, dataset: Dataset, parameters: Parameters
) -> Score:
    """Return the mean distance of some test samples to themselves; 0 is ideal."""
    values = []
    for sample in dataset.test.samples[:N_SELF]:
        alone = compressor.code_lengths([sample])
        if parameters.variant == "ncd_cond":
            given = compressor.code_lengths([sample], context=sample)[:, None]
            values.append(ncd_cond(given, given, alone, alone)[0, 0])
        else:
            joint = _joint_lengths(compressor, [sample], [sample], parameters)
            values.append(ncd(joint, alone, alone)[0, 0])
    return Score(
        name="ncd_self",
        value=float(np.mean(values)),
        unit="ratio",
        state=STATE,
        n=len(values),
        note="mean distance of a sample to itself; 0 where a repetition is seen whole",
    )


TASK = Task(
    name="ncd_knn",
    version=1,
    run=run,
    parameters=Parameters,
    title="nearest training samples by normalised compression distance",
    columns=(
        Column(
            header="NCD 1-nn bal. acc.",
            metric="balanced_accuracy",
            variant=ScoreVariant(n_neighbours=1),
            meaning="balanced accuracy of the nearest train sample by normalised "
            "compression distance",
            is_readout=True,
        ),
    ),
)
