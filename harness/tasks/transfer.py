"""Transfer: bits that X saves on Y, and few-label accuracy on Y after X.

docs/method.md, transfer.

Every X has equal bytes. After X, the test split of Y is coded without its labels; then a
code per class, started from X and a few labelled samples, classifies it (`class_scratch`
with a head start). The report correlates both over the X of each Y. Networks code Y by blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.coding import join
from harness.contract.compressor import Bits, Compressor
from harness.data.dataset import Dataset
from harness.errors import NotApplicableError, SuiteError
from harness.records.score import Score, Variant
from harness.statistics import accuracy as stats
from harness.tasks.class_code import class_lengths, require_route
from harness.tasks.classify import require_labels, tied_credit
from harness.tasks.joint import BEYOND, Coder
from harness.tasks.outcome import Judgement, Measured
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
from harness.tasks.task import Evidence, Inputs, Task, check_budget, without_test_labels
from harness.units import bits_per_byte

MIN_SOURCES = 6
"""Fewest X per Y for a test; fewer make a table only."""
NO_X, RANDOM = "none", "random"
Y_BITS, CLASS_BITS, SOURCES = "y_bits", "class_bits", "sources"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Length and number of X, and number of labels.

    n_bytes: of every X, and of Y at most.
    n_labels: labelled samples per class.
    n_sources: X of the same and other data sets, at least; classes of Y's data fill up.
    others: data sets that give foreign X.
    others_content: their content hashes, filled in by the planner.
    budget: training steps of each fit of a network; None takes those of its spec.
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
        unlabelled_train: train without the labelled samples, the source of X of the same data.
        y: the test split as one stream, at most so many bytes.
        seed: of draws and intervals.
    """

    dataset: Dataset
    few: tuple[NDArray[np.int64], ...]
    unlabelled_train: Dataset
    y: bytes
    seed: int


def prepare(
    evidence: Evidence, parameters: Parameters
) -> tuple[Problem, dict[str, bytes]]:
    """Return Y without the labels of its test split, and every X by name.

    Raises:
        NotApplicableError: there are no labels, or no test sample is left.
    """
    require_labels(evidence.dataset)
    problem = few_label_problem(evidence.dataset, parameters, seed=evidence.seed)
    sources = {NO_X: b"", **draw_sources(problem, evidence.foreign, parameters)}
    return replace(problem, dataset=without_test_labels(problem.dataset)), sources


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return, for every X and without any, bits on Y and code lengths given each class.

    Raises:
        NotApplicableError: there are no labels, or no conditional online code.
    """
    compressor, seed = inputs.unfitted, inputs.seed
    require_route(compressor, inputs.dataset)
    learner = learner_for(compressor, parameters.budget, seed=seed)
    # Labels drew these texts before the plugin was loaded.
    problem, sources = inputs.prepared
    coder = Coder(compressor=compressor, codes={}, learner=learner)
    bits = [coder.bits(problem.y, x) for x in sources.values()]
    arrays: dict[str, NDArray[np.generic]] = {Y_BITS: np.array(bits, np.float64)}
    for i, x in enumerate(sources.values()):
        arrays[f"{CLASS_BITS}_{i}"] = few_label_lengths(coder, problem, x)
    facts: dict[str, Any] = {SOURCES: list(sources)}
    if learner:
        facts["steps_after_x"] = learner.steps_after_x
    return Measured(arrays=arrays, facts=facts)


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return, for every X and without any, bits saved on Y and few-label accuracy.

    The variant names X; "none" is the reference, "random" a control that no test counts.
    """
    problem = few_label_problem(evidence.dataset, parameters, seed=evidence.seed)
    names = [str(name) for name in evidence.facts[SOURCES]]
    # Reference and control are no sources: a correlation must not count them.
    n_counted = sum(name not in (NO_X, RANDOM) for name in names)
    bits = evidence.arrays[Y_BITS]
    scores: list[Score] = []
    arrays: dict[str, NDArray[np.generic]] = {}
    for i, name in enumerate(names):
        # Without a prior: classes have equally many labels.
        credit = tied_credit(evidence.arrays[f"{CLASS_BITS}_{i}"])
        arrays[f"credit:{name}"] = credit
        source = _source(evidence, parameters, name, n_counted)
        scores.append(_accuracy(credit, problem, source))
        if name != NO_X:
            saved = float(bits[names.index(NO_X)] - bits[i])
            scores.append(_saved(bits_per_byte(saved, len(problem.y)), source))
    arrays["labels"] = problem.dataset.test.labels
    return Judgement(scores=tuple(scores), arrays=arrays)


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
    # A labelled sample inside X would be learned twice.
    unlabelled = np.setdiff1d(order, np.concatenate(few))
    nothing = np.zeros(0, np.int64)
    # halves_of pools train and test: X comes from train alone.
    unlabelled_train = replace(
        dataset,
        train=dataset.train.take(unlabelled),
        test=dataset.test.take(nothing),
        duplicated=None,
        true_bits=None,
    )
    unique = np.arange(len(dataset.test.samples))
    if dataset.duplicated is not None:
        unique = np.flatnonzero(~dataset.duplicated)
    # Test samples that train repeats would be recalled rather than classified.
    tested = replace(dataset, test=dataset.test.take(unique), duplicated=None)
    y = join(tested.test.samples, dataset.separator)[: parameters.n_bytes]
    if not y:
        raise NotApplicableError(f"{dataset.name}: no test sample is left to code")
    return Problem(
        dataset=tested, few=few, unlabelled_train=unlabelled_train, y=y, seed=seed
    )


def draw_sources(
    problem: Problem,
    others: Mapping[str, Dataset],
    parameters: Parameters,
) -> dict[str, bytes]:
    """Return X by name, each of exactly n_bytes: same data, other data, classes, random.

    Texts that are too short are left out; the text of single classes of Y's data fills up to
    n_sources. No sample of X is a near duplicate of Y.
    """
    rng = np.random.default_rng([problem.seed, 27])
    samples_by_name = {
        name: (*half.ys, *half.xs)
        for name, half in halves_of(problem.unlabelled_train, rng).items()
    }
    classes = [name for name in samples_by_name if name != WHOLE]
    shuffled = [classes[i] for i in rng.permutation(len(classes))]
    foreign = {name: halves_of(o, rng)[WHOLE].xs for name, o in others.items()}
    offered = [("same_data", samples_by_name[WHOLE]), *foreign.items()]
    offered += [(f"class {name}", samples_by_name[name]) for name in shuffled]
    ys = [s + problem.dataset.separator for s in problem.dataset.test.samples]
    n, sources = parameters.n_bytes, dict[str, bytes]()
    for name, samples in offered:
        if name.startswith("class ") and len(sources) >= parameters.n_sources:
            break
        # Twice the bytes, since near duplicates of Y are left out.
        candidates = first_samples(samples, 2 * n)
        x = text(distinct(candidates, ys, rule_of(problem.dataset)), n)
        # Equal lengths: savings grow with the length of X.
        if len(x) == n:
            sources[name] = x
    return {**sources, RANDOM: random_bytes(n, problem.dataset.levels, problem.seed)}


def few_label_lengths(coder: Coder, problem: Problem, x: bytes) -> Bits:
    """Return the bits of test samples given each class's few, started from X."""
    seed = problem.seed
    start: Compressor = coder.learner.model if coder.learner else coder.compressor
    if x and coder.learner:
        start = coder.learner.after((x,))
    elif x:
        start = start.fit([x], seed=seed)
    return class_lengths(start, problem.dataset, problem.few, seed=seed)


@dataclass(frozen=True, kw_only=True)
class _Source:
    """One X as scores describe it."""

    name: str
    route: str
    beyond_window: bool
    note: str


def _source(
    evidence: Evidence, parameters: Parameters, name: str, n_counted: int
) -> _Source:
    window, notes = evidence.subject.window, []
    n_bytes = 0 if name == NO_X else parameters.n_bytes
    is_beyond = window is not None and n_bytes > window
    if "steps_after_x" in evidence.facts:  # X is in the weights: no window gates it
        is_beyond = False
        notes.append(f"by blocks, fits of {evidence.facts['steps_after_x']}")
    if is_beyond:
        notes.append(BEYOND)
    if n_counted < MIN_SOURCES:
        notes.append(f"{n_counted} X: a table, no test")
    return _Source(
        name=name,
        route=evidence.subject.route,
        beyond_window=is_beyond,
        note="; ".join(notes),
    )


def _accuracy(credit: NDArray[np.float64], problem: Problem, source: _Source) -> Score:
    labels = problem.dataset.test.labels
    rng = np.random.default_rng([problem.seed, 28])
    low, high = stats.accuracy_intervals(labels, credit, rng)["balanced_accuracy"]
    is_reference = source.name == NO_X
    return Score(
        metric="few_label_balanced_accuracy",
        variant=Variant(x=source.name),
        value=stats.balanced_accuracy_of(stats.confusion(labels, credit)),
        unit="fraction",
        state="fit(few of class)" if is_reference else "fit(x)+fit(few of class)",
        route=source.route,
        n=len(labels),
        ci_low=low,
        ci_high=high,
        beyond_window=source.beyond_window,
        note=source.note,
    )


def _saved(value: float, source: _Source) -> Score:
    return Score(
        metric="transfer_saved_bpb",
        variant=Variant(x=source.name),
        value=value,
        unit="bits/byte",
        state="given x",
        route=source.route,
        n=1,
        beyond_window=source.beyond_window,
        note=source.note,
    )


TASK = Task(
    name="transfer",
    version=1,
    measure=measure,
    judge=judge,
    prepare=prepare,
    parameters=Parameters,
    weight=30.0,
    title="whether an X that saves bits on Y helps to classify Y from few labels",
)
