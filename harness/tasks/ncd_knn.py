"""Nearest neighbours by normalised compression distance (docs/method.md, ncd_knn).

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
from harness.records.score import Score, Variant
from harness.statistics.accuracy import one_hot
from harness.statistics.intervals import wilson_lower
from harness.tasks.classify import Origin, class_scores, require_labels
from harness.tasks.column import Column
from harness.tasks.outcome import Judgement, Measured
from harness.tasks.task import Evidence, Inputs, Task
from harness.tasks.votes import TIE, either_of_two, neighbours, vote_credit

Floats = NDArray[np.float64]
Distance = Literal["ncd", "ncd_cond"]

BLOCK_ROWS = 64
"""Test samples whose distances are in memory at a time."""
N_SELF = 32
MAX_NONPOSITIVE = 0.01
STATE = "unfitted"
X, Y, XY = "x_bits", "y_bits", "xy_bits"
"""Arrays: lengths of test samples (n,), train samples (m,), and of pairs (n, m)."""
X_GIVEN_Y, Y_GIVEN_X = "x_given_y_bits", "y_given_x_bits"
SELF, SELF_TWICE = "self_alone_bits", "self_twice_bits"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Neighbours, and the distance to them.

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
    variant: Distance = "ncd"
    show_error: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", tuple(self.k))  # a suite file has lists
        if not self.k or any(isinstance(k, bool) or k < 1 for k in self.k):
            raise SuiteError(f"ncd_knn: k is {self.k}; give one or more numbers from 1")
        if self.orders not in (1, 2):
            raise SuiteError(f"ncd_knn: orders is {self.orders!r}; give 1 or 2")
        if self.variant not in get_args(Distance):
            names = ", ".join(get_args(Distance))
            raise SuiteError(f"ncd_knn: variant is {self.variant!r}; give {names}")


@dataclass(frozen=True, kw_only=True)
class _Votes:
    """Credits of all test samples, and counts of ties and of pairs without cost."""

    credit: dict[int, Floats]
    error: Floats
    n_tied: int
    n_nonpositive: int


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return the code lengths behind the distances of test samples to train.

    Raises:
        NotApplicableError: no labels, fewer training samples than k, a compressor that
            must be fitted, or, for "ncd_cond", no model or one with a short window.
    """
    compressor, dataset = inputs.unfitted, inputs.dataset
    _require(compressor, dataset, parameters)
    train, test = dataset.train.samples, dataset.test.samples
    blocks: dict[str, list[Bits]] = {}
    of_train = compressor.code_lengths(train)  # (m,)
    # In blocks, since n * m joined pairs do not fit in memory.
    for start in range(0, len(test), BLOCK_ROWS):
        block = test[start : start + BLOCK_ROWS]
        lengths = _pair_lengths(compressor, block, train, parameters)
        for name, rows in (lengths | {X: compressor.code_lengths(block)}).items():
            blocks.setdefault(name, []).append(rows)
    arrays = {name: np.concatenate(rows) for name, rows in blocks.items()}
    # NCD(x, x) should be 0: it shows how well the codec sees a repetition.
    itself = _self_lengths(compressor, test[:N_SELF], parameters)
    return Measured(arrays=arrays | {Y: of_train} | itself)


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return class scores for each k, the tie rate of neighbours, and NCD(x, x)."""
    dataset = evidence.dataset
    votes = _classify(evidence, parameters)
    is_ncd = parameters.variant == "ncd"
    # C(xy) - C(x) is no code length: marked as such, it has no rank.
    route = "difference" if is_ncd else evidence.subject.route
    origin = Origin(state=STATE, seed=evidence.seed, route=route)
    scores = [
        score
        for k, credit in votes.credit.items()
        for score in class_scores(
            dataset, credit, replace(origin, variant=Variant(n_neighbours=k))
        )
    ]
    if is_ncd:
        scores = _validated(scores, votes, dataset)
    scores += _extra_scores(evidence, parameters, votes)
    arrays = {f"credit_k{k}": credit for k, credit in votes.credit.items()}
    return Judgement(
        scores=tuple(scores), arrays={**arrays, "labels": dataset.test.labels}
    )


def ncd(joint: Bits, x: Bits, y: Bits) -> Floats:
    """Return NCD(x, y) from lengths C(xy) (n, m), C(x) (n,) and C(y) (m,): (n, m)."""
    low, high = np.minimum.outer(x, y), np.maximum.outer(x, y)  # (n, m)
    # Two samples of length 0 are alike: their distance is 0.
    return np.divide(joint - low, high, out=np.zeros_like(joint), where=high > 0)


def ncd_cond(x_given_y: Bits, y_given_x: Bits, x: Bits, y: Bits) -> Floats:
    """Return (C(x|y) + C(y|x)) / (C(x) + C(y)); both conditional lengths are (n, m)."""
    both, total = x_given_y + y_given_x, np.add.outer(x, y)  # (n, m)
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
    # Both texts must be in the window, or the distance forgets a beginning.
    need = max(map(len, dataset.train.samples)) + max(map(len, dataset.test.samples))
    if compressor.window is not None and compressor.window < need:
        raise NotApplicableError(
            f"{compressor.name} sees {compressor.window} bytes; "
            f"ncd_cond needs {need} for the longest pair"
        )


def _classify(evidence: Evidence, parameters: Parameters) -> _Votes:
    dataset = evidence.dataset
    truth = one_hot(dataset.train.labels, len(dataset.classes))
    credit: dict[int, list[Floats]] = {k: [] for k in parameters.k}
    errors, n_tied, n_nonpositive, start = [], 0, 0, 0
    for distances, n_bad in _distance_blocks(evidence, parameters):
        for k, rows in credit.items():
            rows.append(vote_credit(neighbours(distances, truth, k), k))
        nearest = distances <= distances.min(axis=1, keepdims=True) + TIE  # (b, m)
        n_tied += int((nearest.sum(axis=1) > 1).sum())
        n_nonpositive += n_bad
        if parameters.show_error:
            labels = dataset.test.labels[start : start + len(distances)]
            errors.append(either_of_two(neighbours(distances, truth, 2), labels))
        start += len(distances)
    return _Votes(
        credit={k: np.concatenate(rows) for k, rows in credit.items()},
        error=np.concatenate(errors) if errors else np.empty(0),
        n_tied=n_tied,
        n_nonpositive=n_nonpositive,
    )


def _distance_blocks(
    evidence: Evidence, parameters: Parameters
) -> Iterator[tuple[Floats, int]]:
    """Yield distances of blocks of test samples to train, and numbers of pairs of no cost."""
    arrays = evidence.arrays
    for start in range(0, len(evidence.dataset.test.samples), BLOCK_ROWS):
        rows = slice(start, start + BLOCK_ROWS)
        x, y = arrays[X][rows], arrays[Y]
        if parameters.variant == "ncd_cond":
            yield ncd_cond(arrays[X_GIVEN_Y][rows], arrays[Y_GIVEN_X][rows], x, y), 0
            continue
        joint = arrays[XY][rows]  # (b, m)
        # The codec's resolution or re-optimised tables made the second sample free.
        nonpositive = joint <= np.minimum.outer(x, y)
        yield ncd(joint, x, y), int(nonpositive.sum())


def _pair_lengths(
    compressor: Compressor,
    xs: Sequence[bytes],
    ys: Sequence[bytes],
    parameters: Parameters,
) -> dict[str, Bits]:
    """Return the lengths of pairs that the variant needs, each (len(xs), len(ys))."""
    if parameters.variant == "ncd":
        return {XY: _joint_lengths(compressor, xs, ys, parameters)}
    x_given_y = [compressor.code_lengths(xs, context=y) for y in ys]
    y_given_x = [compressor.code_lengths(ys, context=x) for x in xs]
    # Both of shape (len(xs), len(ys)).
    return {X_GIVEN_Y: np.stack(x_given_y, axis=1), Y_GIVEN_X: np.stack(y_given_x)}


def _self_lengths(
    compressor: Compressor, samples: Sequence[bytes], parameters: Parameters
) -> dict[str, Bits]:
    """Return the lengths of samples alone, and of each after or with itself: (n,) each."""
    alone = [compressor.code_lengths([sample])[0] for sample in samples]
    if parameters.variant == "ncd_cond":
        twice = [compressor.code_lengths([s], context=s)[0] for s in samples]
    else:
        twice = [
            _joint_lengths(compressor, [sample], [sample], parameters)[0, 0]
            for sample in samples
        ]
    return {SELF: np.array(alone, np.float64), SELF_TWICE: np.array(twice, np.float64)}


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
    # C(xy) depends on the order of the texts, a distance may not.
    both: Bits = (forward + backward.T) / 2
    return both


def _validated(scores: list[Score], votes: _Votes, dataset: Dataset) -> list[Score]:
    """Return the scores, marked if differences of lengths are meaningless, and their share.

    C(xy) - min(C(x), C(y)) is a difference; where too many are no more than 0, the
    compressor's lengths cannot carry a distance.
    """
    n_pairs = len(dataset.test.samples) * len(dataset.train.samples)
    # By the lower end of an interval: a few pairs prove nothing.
    bad = wilson_lower(votes.n_nonpositive, n_pairs) > MAX_NONPOSITIVE
    if bad:
        note = "invalid: too many differences of code lengths are 0 or less"
        scores = [replace(score, note=note) for score in scores]
    share = Score(
        metric="nonpositive_rate",
        value=votes.n_nonpositive / n_pairs,
        unit="fraction",
        state=STATE,
        route="difference",
        n=n_pairs,
        note="pairs of which the second sample costs nothing after the first",
    )
    return [*scores, share]


def _extra_scores(
    evidence: Evidence, parameters: Parameters, votes: _Votes
) -> list[Score]:
    n = len(evidence.dataset.test.samples)
    scores = [
        Score(
            metric="tie_rate",
            value=votes.n_tied / n,
            unit="fraction",
            state=STATE,
            n=n,
            note="test samples with several nearest training samples, of any label",
        ),
        _self_distance(evidence, parameters),
    ]
    if parameters.show_error:
        scores.append(
            Score(
                metric="accuracy_top2_error",
                variant=Variant(n_neighbours=2),
                value=float(votes.error.mean()),
                unit="fraction",
                state=STATE,
                n=n,
                note="counts either of the two nearest as right: "
                "an error, shown for comparison",
            )
        )
    return scores


def _self_distance(evidence: Evidence, parameters: Parameters) -> Score:
    """Return the mean distance of some test samples to themselves; 0 is ideal."""
    alone, twice = evidence.arrays[SELF], evidence.arrays[SELF_TWICE]
    values = []
    for length, again in zip(alone[:, None], twice[:, None, None], strict=True):
        if parameters.variant == "ncd_cond":
            values.append(ncd_cond(again, again, length, length)[0, 0])
        else:
            values.append(ncd(again, length, length)[0, 0])
    return Score(
        metric="ncd_self",
        value=float(np.mean(values)),
        unit="ratio",
        state=STATE,
        n=len(values),
        note="mean distance of a sample to itself; 0 where a repetition is seen whole",
    )


TASK = Task(
    name="ncd_knn",
    version=1,
    judge_version=2,
    measure=measure,
    judge=judge,
    parameters=Parameters,
    title="nearest training samples by normalised compression distance",
    columns=(
        Column(
            header="NCD 1-nn bal. acc.",
            metric="balanced_accuracy",
            variant=Variant(n_neighbours=1),
            meaning="balanced accuracy of the nearest train sample by normalised "
            "compression distance",
            is_readout=True,
        ),
    ),
)
