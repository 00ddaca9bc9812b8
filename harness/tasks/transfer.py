"""Does an X that saves bits on Y also help to classify Y from few labels (SCIENCE section 3).

Every X has equal bytes. After X, the test split of Y is coded without its labels; then a
code per class, started from X and a few labelled samples, classifies it (`class_scratch`
with a head start). The report correlates both over the X of each Y. Networks code Y by blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.contract.coding import join
from harness.contract.compressor import Compressor
from harness.data.dataset import Dataset
from harness.errors import NotApplicableError, SuiteError
from harness.statistics import accuracy as stats
from harness.tasks.class_code import class_lengths, require_route
from harness.tasks.classify import tied_credit
from harness.tasks.joint import BEYOND, Coder
from harness.tasks.outcome import Outcome, Score
from harness.tasks.pairs import (
    WHOLE,
    distinct,
    first_samples,
    halves_of,
    random_bytes,
    rule_of,
    text,
)
from harness.tasks.prequential import learner_for
from harness.tasks.task import Inputs, Task, check_budget
from harness.units import bits_per_byte

MIN_SOURCES = 6
"""Fewer X per Y make a table and no test."""
NO_X, RANDOM = "none", "random"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How long X is, how many of them, and how few labels.

    n_bytes: of every X, and of Y at most.
    n_labels: labelled samples per class.
    n_sources: X of the same and other data sets, at least; classes of Y's data fill up.
    others: data sets that give foreign X.
    others_content: their content hashes, filled in by the planner.
    budget: training steps of each fit of a network; None is what its spec says.
    """

    n_bytes: int = 16384
    n_labels: int = 5
    n_sources: int = MIN_SOURCES
    others: tuple[str, ...] = ()
    others_content: tuple[str, ...] = ()
    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("transfer", self.budget)
        if self.n_bytes < 1 or self.n_labels < 1:
            raise SuiteError(
                f"transfer: n_bytes is {self.n_bytes} and n_labels {self.n_labels}; "
                "give at least 1 of both"
            )


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Y as a classification with few labels.

    Attributes:
        dataset: Y; its test split without samples that duplicate something in train.
        few: per class, indices of the labelled samples in train.
        rest: train without the labelled samples: where X of the same data comes from.
        y: the test split as one stream, at most so many bytes.
        seed: of draws and intervals.
    """

    dataset: Dataset
    few: tuple[NDArray[np.int64], ...]
    rest: Dataset
    y: bytes
    seed: int


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return, for every X and without any, bits saved on Y and few-label accuracy.

    Names are MEASURE:X; X "none" is the reference, "random" a control that no test counts.

    Raises:
        NotApplicableError: there are no labels, or no conditional online code.
    """
    compressor, seed = inputs.unfitted, inputs.seed
    require_route(compressor, inputs.dataset)
    learner = learner_for(compressor, parameters.budget, seed=seed)
    problem = few_label_problem(inputs.dataset, parameters, seed=seed)
    sources = draw_sources(problem, inputs.others, parameters)
    coder = Coder(compressor=compressor, codes={}, learner=learner)
    alone = coder.bits(problem.y)
    n_counted = sum(name != RANDOM for name in sources)
    scores: list[Score] = []
    arrays: dict[str, NDArray[np.generic]] = {}
    for name, x in {NO_X: b"", **sources}.items():
        note = _note(coder, x, n_counted)
        credit = few_label_credit(coder, problem, x)
        arrays[f"credit_{name}"] = credit
        scores.append(_accuracy(name, credit, problem, compressor, note))
        if name != NO_X:
            saved = bits_per_byte(alone - coder.bits(problem.y, x), len(problem.y))
            scores.append(_saved(name, saved, compressor, note))
    arrays["labels"] = problem.dataset.test.labels
    return Outcome(scores=tuple(scores), arrays=arrays)


def few_label_problem(
    dataset: Dataset, parameters: Parameters, *, seed: int
) -> Problem:
    """Return Y: few labels per class, and a test split that shares nothing with train."""
    rng = np.random.default_rng([seed, 26])
    order = rng.permutation(len(dataset.train.samples)).astype(np.int64)
    labels = dataset.train.labels[order]
    few = tuple(
        order[np.flatnonzero(labels == c)[: parameters.n_labels]]
        for c in range(len(dataset.classes))
    )
    unlabelled = np.setdiff1d(order, np.concatenate(few))
    nothing = np.zeros(0, np.int64)
    # halves_of pools train and test: X comes from train alone.
    rest = replace(
        dataset,
        train=dataset.train.take(unlabelled),
        test=dataset.test.take(nothing),
        duplicated=None,
        true_bits=None,
    )
    kept = np.arange(len(dataset.test.samples))
    if dataset.duplicated is not None:
        kept = np.flatnonzero(~dataset.duplicated)
    tested = replace(dataset, test=dataset.test.take(kept), duplicated=None)
    y = join(tested.test.samples, dataset.separator)[: parameters.n_bytes]
    if not y:
        raise NotApplicableError(f"{dataset.name}: no test sample is left to code")
    return Problem(dataset=tested, few=few, rest=rest, y=y, seed=seed)


def draw_sources(
    problem: Problem,
    others: Mapping[str, Dataset],
    parameters: Parameters,
) -> dict[str, bytes]:
    """Return X by name, each of exactly n_bytes: same data, other data, classes, random.

    What is too short is left out; the text of single classes of Y's data fills up to
    n_sources. No sample of X is a near duplicate of Y.
    """
    rng = np.random.default_rng([problem.seed, 27])
    own = {
        name: (*half.ys, *half.xs)
        for name, half in halves_of(problem.rest, rng).items()
    }
    classes = [name for name in own if name != WHOLE]
    shuffled = [classes[i] for i in rng.permutation(len(classes))]
    foreign = {name: halves_of(o, rng)[WHOLE].xs for name, o in others.items()}
    offered = [("same_data", own[WHOLE]), *foreign.items()]
    offered += [(f"class {name}", own[name]) for name in shuffled]
    ys = [s + problem.dataset.separator for s in problem.dataset.test.samples]
    n, found = parameters.n_bytes, dict[str, bytes]()
    for name, samples in offered:
        if name.startswith("class ") and len(found) >= parameters.n_sources:
            break
        candidates = first_samples(samples, 2 * n)
        x = text(distinct(candidates, ys, rule_of(problem.dataset)), n)
        if len(x) == n:
            found[name] = x
    return {**found, RANDOM: random_bytes(n, problem.dataset.levels, problem.seed)}


def few_label_credit(coder: Coder, problem: Problem, x: bytes) -> NDArray[np.float64]:
    """Return the share of each answer, (n_test, n_classes): codes started from X."""
    seed = problem.seed
    start: Compressor = coder.learner.model if coder.learner else coder.compressor
    if x and coder.learner:
        start = coder.learner.after((x,))
    elif x:
        start = start.fit([x], seed=seed)
    return tied_credit(class_lengths(start, problem.dataset, problem.few, seed=seed))


def _note(coder: Coder, x: bytes, n_counted: int) -> str:
    window, notes = coder.compressor.window, []
    if coder.learner:  # X is in the weights: no window gates it
        notes.append(f"by blocks, fits of {coder.learner.steps_after_x}")
    elif window is not None and len(x) > window:
        notes.append(BEYOND)
    if n_counted < MIN_SOURCES:
        notes.append(f"{n_counted} X: a table, no test")
    return "; ".join(notes)


def _accuracy(
    name: str,
    credit: NDArray[np.float64],
    problem: Problem,
    compressor: Compressor,
    note: str,
) -> Score:
    labels = problem.dataset.test.labels
    rng = np.random.default_rng([problem.seed, 28])
    low, high = stats.accuracy_intervals(labels, credit, rng)["balanced_accuracy"]
    return Score(
        name=f"few_label_balanced_accuracy:{name}",
        value=stats.balanced_accuracy_of(stats.confusion(labels, credit)),
        unit="fraction",
        state="fit(x)+fit(few of class)" if name != NO_X else "fit(few of class)",
        route=compressor.route,
        n=len(labels),
        ci_low=low,
        ci_high=high,
        note=note,
    )


def _saved(name: str, value: float, compressor: Compressor, note: str) -> Score:
    return Score(
        name=f"transfer_saved_bpb:{name}",
        value=value,
        unit="bits/byte",
        state="given x",
        route=compressor.route,
        n=1,
        note=note,
    )


TASK = Task(
    name="transfer",
    version=1,
    run=run,
    parameters=Parameters,
    weight=30.0,
    title="whether an X that saves bits on Y helps to classify Y from few labels",
)
