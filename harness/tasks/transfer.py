"""Transfer: bits that X saves on Y, and few-label accuracy on Y after X, dose by dose.

docs/joint.md, transfer.

After X, the test split of Y is coded without its labels; then a code per class, started
from X and a few labelled samples, classifies it (`class_scratch` with a head start). X of
the same and of other data come in several doses of unlabelled bytes. The few labels are
drawn several times, and each draw classifies a part of the test split of its own: all
test samples and all draws enter one accuracy, at the cost of a single draw. Networks code Y
by blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from harness.tasks.class_code import require_route, text_lengths
from harness.tasks.class_text import text_of
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
NO_X, RANDOM, SAME_DATA = "none", "random", "same_data"
Y_BITS, CLASS_BITS, SOURCES = "y_bits", "class_bits", "sources"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Length and number of X, and number of labels.

    n_bytes: of every X at dose 1, and of Y at most.
    doses: multiples of n_bytes in which X of the same data and of the first other data set
        come, beside dose 1, in which every X comes, and 0, the reference.
    n_labels: labelled samples per class.
    n_draws: of the labelled samples; each classifies its own part of the test split.
    n_sources: X of the same and other data sets, at least; classes of Y's data fill up.
    others: data sets that give foreign X.
    others_content: their content hashes, filled in by the planner.
    budget: training steps of each fit of a network; None takes those of its spec.
    """

    n_bytes: int = 16384
    doses: tuple[float, ...] = (0.25, 4.0)
    n_labels: int = 5
    n_draws: int = 10
    n_sources: int = MIN_SOURCES
    others: tuple[str, ...] = ()
    others_content: tuple[str, ...] = ()
    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("transfer", self.budget)
        if min(self.n_bytes, self.n_labels, self.n_draws) < 1:
            raise SuiteError(
                f"transfer: n_bytes is {self.n_bytes}, n_labels {self.n_labels} and "
                f"n_draws {self.n_draws}; give at least 1 of each"
            )
        if any(dose * self.n_bytes < 1 for dose in self.doses):
            raise SuiteError(
                f"transfer: doses are {self.doses}; each must give at least 1 byte of "
                f"{self.n_bytes}"
            )


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Y as a classification with few labels.

    Attributes:
        dataset: Y; its test split without samples that duplicate something in train.
        few: per draw and class, indices of the labelled samples in train.
        parts: per draw, indices of the test samples that it classifies.
        unlabelled_train: train without the labelled samples, the source of X of the same data.
        y: the test split as one stream, at most so many bytes.
        seed: of draws and intervals.
    """

    dataset: Dataset
    few: tuple[tuple[NDArray[np.int64], ...], ...]
    parts: tuple[NDArray[np.int64], ...]
    unlabelled_train: Dataset
    y: bytes
    seed: int


Sources = dict[tuple[str, float], bytes]
"""Texts X by name and dose."""


def prepare(evidence: Evidence, parameters: Parameters) -> tuple[Problem, Sources]:
    """Return Y without the labels of its test split, and every X by name and dose.

    Raises:
        NotApplicableError: there are no labels, or no test sample is left.
    """
    require_labels(evidence.dataset)
    problem = few_label_problem(evidence.dataset, parameters, seed=evidence.seed)
    sources = {(NO_X, 0.0): b"", **draw_sources(problem, evidence.foreign, parameters)}
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

    The variant names X and its dose; "none" is the reference, "random" a control that no
    test counts.
    """
    problem = few_label_problem(evidence.dataset, parameters, seed=evidence.seed)
    keys = [(str(name), float(dose)) for name, dose in evidence.facts[SOURCES]]
    # Reference and control are no sources: a correlation must not count them.
    n_counted = len({name for name, _ in keys} - {NO_X, RANDOM})
    bits = evidence.arrays[Y_BITS]
    scores: list[Score] = []
    arrays: dict[str, NDArray[np.generic]] = {}
    for i, (name, dose) in enumerate(keys):
        # Without a prior: classes have equally many labels.
        credit = tied_credit(evidence.arrays[f"{CLASS_BITS}_{i}"])
        variant = Variant(x=name, pair_size=f"x{dose:g}" if dose else "")
        arrays[f"credit{variant.words}"] = credit
        n_bytes = int(dose * parameters.n_bytes)
        source = _source(evidence, variant, n_bytes, n_counted)
        scores.append(_accuracy(credit, problem, source))
        if name != NO_X:
            saved = float(bits[keys.index((NO_X, 0.0))] - bits[i])
            scores.append(_saved(bits_per_byte(saved, len(problem.y)), source))
    arrays["labels"] = problem.dataset.test.labels
    return Judgement(scores=tuple(scores), arrays=arrays)


def few_label_problem(
    dataset: Dataset, parameters: Parameters, *, seed: int
) -> Problem:
    """Return Y: draws of few labels, and a test split that shares nothing with train."""
    rng = np.random.default_rng([seed, 26])
    pool = _labelled_pool(dataset, parameters, rng)
    few = tuple(
        tuple(rng.permutation(members)[: parameters.n_labels] for members in pool)
        for _ in range(parameters.n_draws)
    )
    # A labelled sample inside X would be learned twice.
    unlabelled = np.setdiff1d(rng.permutation(len(dataset.train.samples)), _all(pool))
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
    order = rng.permutation(len(tested.test.samples)).astype(np.int64)
    return Problem(
        dataset=tested,
        few=few,
        # At random, since a part that labels had chosen would say something of them.
        parts=tuple(order[draw :: parameters.n_draws] for draw in range(len(few))),
        unlabelled_train=unlabelled_train,
        y=y,
        seed=seed,
    )


def _labelled_pool(
    dataset: Dataset, parameters: Parameters, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return, per class, the train samples that draws of labels are taken from.

    As many as all draws together need, but at most half of a class, or one draw's labels
    if that is more: the remainder of the class is unlabelled text. Draws from a small class
    overlap.
    """
    order = rng.permutation(len(dataset.train.samples)).astype(np.int64)
    labels = dataset.train.labels[order]
    pool = []
    for label in range(len(dataset.classes)):
        members = order[labels == label]
        most = max(parameters.n_labels, len(members) // 2)
        pool.append(members[: min(most, parameters.n_draws * parameters.n_labels)])
    return pool


def _all(pool: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(pool) if pool else np.zeros(0, np.int64)


def draw_sources(
    problem: Problem,
    others: Mapping[str, Dataset],
    parameters: Parameters,
) -> Sources:
    """Return X by name and dose: same data, other data, classes, random.

    At one dose all have equal bytes, and those too short are left out; a smaller dose is
    the beginning of a larger one. The text of single classes of Y's data fills up to
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
    offered = [(SAME_DATA, samples_by_name[WHOLE]), *foreign.items()]
    offered += [(f"class {name}", samples_by_name[name]) for name in shuffled]
    dosed = {SAME_DATA, *list(foreign)[:1]}
    sources = Sources()
    for name, samples in offered:
        n_sources = len({source for source, _ in sources})
        if name.startswith("class ") and n_sources >= parameters.n_sources:
            break
        doses = {1.0, *parameters.doses} if name in dosed else {1.0}
        # Equal lengths at a dose: savings grow with the length of X.
        sources |= _doses_of(name, samples, sorted(doses), problem, parameters)
    levels = problem.dataset.levels
    noise = random_bytes(parameters.n_bytes, levels, problem.seed)
    return {**sources, (RANDOM, 1.0): noise}


def _doses_of(
    name: str,
    samples: Sequence[bytes],
    doses: Sequence[float],
    problem: Problem,
    parameters: Parameters,
) -> Sources:
    """Return one X in the doses, rising, that it has the bytes for."""
    ys = [s + problem.dataset.separator for s in problem.dataset.test.samples]
    largest = int(doses[-1] * parameters.n_bytes)
    # Twice the bytes, since near duplicates of Y are left out.
    candidates = first_samples(samples, 2 * largest)
    x = text(distinct(candidates, ys, rule_of(problem.dataset)), largest)
    sizes = {dose: int(dose * parameters.n_bytes) for dose in doses}
    return {(name, dose): x[:n] for dose, n in sizes.items() if len(x) >= n}


def few_label_lengths(coder: Coder, problem: Problem, x: bytes) -> Bits:
    """Return the bits of test samples given each class's few, started from X.

    Each sample is coded given the labels of the draw in whose part it lies.

    Returns:
        Shape (n_test, n_classes).
    """
    seed = problem.seed
    start: Compressor = coder.learner.model if coder.learner else coder.compressor
    if x and coder.learner:
        start = coder.learner.after((x,))
    elif x:
        start = start.fit([x], seed=seed)
    dataset = problem.dataset
    lengths = np.empty((len(dataset.test.samples), len(dataset.classes)))
    for few, part in zip(problem.few, problem.parts, strict=True):
        texts = [text_of(dataset, rows) for rows in few]
        samples = [dataset.test.samples[i] for i in part.tolist()]
        lengths[part] = text_lengths(start, texts, samples, seed=seed)
    return lengths


@dataclass(frozen=True, kw_only=True)
class _Source:
    """One X as scores describe it."""

    variant: Variant
    route: str
    beyond_window: bool
    note: str


def _source(
    evidence: Evidence, variant: Variant, n_bytes: int, n_counted: int
) -> _Source:
    window, notes = evidence.subject.window, list[str]()
    is_beyond = window is not None and n_bytes > window
    if "steps_after_x" in evidence.facts:  # X is in the weights: no window gates it
        is_beyond = False
        notes.append(f"by blocks, fits of {evidence.facts['steps_after_x']}")
    if is_beyond:
        notes.append(BEYOND)
    if n_counted < MIN_SOURCES:
        notes.append(f"{n_counted} X: a table, no test")
    return _Source(
        variant=variant,
        route=evidence.subject.route,
        beyond_window=is_beyond,
        note="; ".join(notes),
    )


def _accuracy(credit: NDArray[np.float64], problem: Problem, source: _Source) -> Score:
    labels = problem.dataset.test.labels
    # The draws of labels vary with the samples, which each have one.
    rng = np.random.default_rng([problem.seed, 28])
    low, high = stats.accuracy_intervals(labels, credit, rng)["balanced_accuracy"]
    is_reference = source.variant.x == NO_X
    return Score(
        metric="few_label_balanced_accuracy",
        variant=source.variant,
        value=stats.balanced_accuracy_of(stats.tallies(labels, credit)),
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
        variant=source.variant,
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
    version=2,
    judge_version=2,
    measure=measure,
    judge=judge,
    prepare=prepare,
    parameters=Parameters,
    weight=30.0,
    title="whether an X that saves bits on Y helps to classify Y from few labels",
)
