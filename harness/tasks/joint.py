"""Joint compression of two texts: the bits that knowing X saves on Y.

docs/method.md, joint.

All codes are online codes from nothing, written and counted: C(Y), C(Y|X), C(XY), and the
same with X and Y exchanged. A compressor without a conditional code has C(XY) only.
Networks go by blocks, C(Y|X) from the state after X (`harness.contract.online_code`).
The idea is that of Cilibrasi and Vitanyi 2005, "Clustering by compression"; regret on
unrelated X asks whether earlier text can do harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contract.coding import code_after
from harness.contract.compressor import Compressor
from harness.contract.online_code import Learner, online
from harness.errors import NotApplicableError, SuiteError
from harness.records.score import Score, Variant
from harness.statistics import resampling as stats
from harness.tasks.outcome import Coded, Judgement, Measured
from harness.tasks.pair_lengths import (
    Floats,
    Lengths,
    regret,
    reversed_lengths,
    rows_at,
    savings,
    shared,
    switched,
)
from harness.tasks.pairs import Pair, PairPlan, draw_pairs
from harness.tasks.prequential import learner_for
from harness.tasks.task import Evidence, Inputs, Samples, Task, check_budget
from harness.units import bytes_to_bits

N_DECODED = 32
MIN_PAIRS = 3
"""Fewest pairs with an interval; for fewer, the report has one over draws and data sets."""
GIVEN_X = "given_x"
ALONE = "alone_bpb"
BEYOND = "beyond its window"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Length of X and Y, number of Y, and origin of related and foreign X.

    n_bytes: of X and of Y at size x1.
    scales: sizes, as multiples of n_bytes.
    n_classes: classes to take as Y beside the text of all classes.
    siblings: pairs of classes that are relatives; used wherever both occur.
    others: data sets that give foreign X.
    others_content: their content hashes, filled in by the planner.
    budget: training steps of each fit of a network; None takes those of its spec.
    """

    n_bytes: int = 8192
    scales: tuple[float, ...] = (0.25, 1.0, 4.0)
    n_classes: int = 3
    siblings: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()
    others_content: tuple[str, ...] = ()
    budget: int | None = None

    def __post_init__(self) -> None:
        check_budget("joint", self.budget)
        if not self.scales or self.n_bytes * min(self.scales) < 1:
            raise SuiteError(
                f"joint: n_bytes is {self.n_bytes} and scales are {self.scales}; "
                "every size must be at least 1 byte"
            )

    @property
    def sizes(self) -> dict[float, int]:
        """Bytes of X and of Y, by scale."""
        return {scale: int(scale * self.n_bytes) for scale in self.scales}


def measure(inputs: Inputs, parameters: Parameters) -> Measured:
    """Return the code lengths of all pairs, and codes of a subset of them.

    Raises:
        NotApplicableError: the compressor learns neither inside a stream nor by blocks, or
            the data set is too small for a pair.
    """
    compressor, seed = inputs.unfitted, inputs.seed
    learner = learner_for(compressor, parameters.budget, seed=seed)
    pairs = [pair for _, pair in inputs.prepared]
    coder = Coder(compressor=compressor, codes={}, learner=learner)
    lengths = code_lengths(coder, pairs)
    # Every code has the cost of an empty one: shared bits must count it once.
    facts: dict[str, Any] = {"empty_bits": coder.bits(b"")}
    if learner:
        facts["steps_after_x"] = learner.steps_after_x
    # Decoding takes as long as coding: a seeded subset is checked.
    indices = decoded_pairs(compressor.route, pairs, parameters, seed=seed)
    coded = [given_x_codes(coder, [pairs[i] for i in indices])] if indices else []
    return Measured(arrays=dict(vars(lengths)), facts=facts, coded=tuple(coded))


def originals(evidence: Evidence, parameters: Parameters) -> Mapping[str, Samples]:
    """Return the Y of the pairs of which C(Y|X) was written."""
    pairs = [pair for _, pair in sized_pairs(evidence, parameters)]
    route, seed = evidence.subject.route, evidence.seed
    indices = decoded_pairs(route, pairs, parameters, seed=seed)
    return {GIVEN_X: tuple(pairs[i].y for i in indices)} if indices else {}


def judge(evidence: Evidence, parameters: Parameters) -> Judgement:
    """Return savings, shared bits and regret by kind of pair and size, and all lengths."""
    table = sized_pairs(evidence, parameters)
    names = [f.name for f in fields(Lengths)]
    lengths = Lengths(**{name: evidence.arrays[name] for name in names})
    scores: list[Score] = []
    for size, kind, where in _groups(table):
        group = _Group(size=size, kind=kind, evidence=evidence)
        scores += _kind_scores(group, rows_at(lengths, where))
    return Judgement(scores=tuple(scores), arrays=_arrays(table, lengths))


def sized_pairs(evidence: Evidence, parameters: Parameters) -> list[tuple[str, Pair]]:
    """Return every pair at every size that it has the bytes for, with the size's name.

    Raises:
        NotApplicableError: the data set has no pair, or none inside a model's alphabet.
    """
    sizes = parameters.sizes
    plan = PairPlan(
        n_bytes=max(sizes.values()),
        least_bytes=min(sizes.values()),
        n_classes=parameters.n_classes,
        siblings=parameters.siblings,
    )
    pairs = draw_pairs(evidence.dataset, evidence.foreign, plan, seed=evidence.seed)
    # A model of few symbols has no code for bytes of foreign text.
    pairs = [pair for pair in pairs if max(pair.x + pair.y) < evidence.subject.alphabet]
    if not pairs:
        raise NotApplicableError(
            f"no pair of {evidence.dataset.name} is inside {evidence.subject.name}'s alphabet"
        )
    return [
        (f"x{scale:g}", pair.cut(n_bytes, seed=evidence.seed))
        for scale, n_bytes in sizes.items()
        for pair in pairs
        # Equal lengths within a size: savings depend on length.
        if len(pair.y) >= n_bytes
    ]


@dataclass(frozen=True, kw_only=True)
class Coder:
    """Writes online codes, each once.

    Attributes:
        compressor: a codec, a model that adapts, or one that is fitted by blocks.
        codes: written so far, by (data, context).
        learner: fits the models of blocks; None where nothing is fitted.
    """

    compressor: Compressor
    codes: dict[tuple[bytes, bytes], bytes]
    learner: Learner | None = None

    def code(self, data: bytes, context: bytes = b"") -> bytes:
        """Return the code of `data` for a decoder that has `context`."""
        key = (data, context)
        # Many pairs share a Y, of which C(Y) is needed once.
        if key not in self.codes:
            codec = online(self.compressor, self.learner, len(data))
            self.codes[key] = code_after(codec, data, context)
        return self.codes[key]

    def bits(self, data: bytes, context: bytes = b"") -> float:
        """Return the length of that code."""
        return bytes_to_bits(len(self.code(data, context)))


def code_lengths(coder: Coder, pairs: Sequence[Pair]) -> Lengths:
    """Return the code lengths of all pairs."""
    conditional = coder.compressor.route != "none"

    def given(data: bytes, context: bytes) -> float:
        # nan, not C(Y): a missing code must not pass for savings of 0.
        return coder.bits(data, context) if conditional else np.nan

    rows = [
        (
            len(pair.y),
            coder.bits(pair.y),
            coder.bits(pair.x),
            given(pair.y, pair.x),
            given(pair.x, pair.y),
            coder.bits(pair.x + pair.y),
            coder.bits(pair.y + pair.x),
        )
        for pair in pairs
    ]
    names = ("n_bytes", "y", "x", "y_given_x", "x_given_y", "xy", "yx")
    columns = np.array(rows, np.float64).reshape(-1, len(names)).T  # (7, n)
    return Lengths(**dict(zip(names, columns, strict=True)))


def decoded_pairs(
    route: str, pairs: Sequence[Pair], parameters: Parameters, *, seed: int
) -> list[int]:
    """Return a seeded subset of the pairs, of which C(Y|X) is written and decoded.

    None where the compressor has no conditional code, or no pair is short enough.
    """
    if route == "none":
        return []
    # Long pairs are left out, since stepwise models decode symbol by symbol.
    short = [i for i, pair in enumerate(pairs) if len(pair.y) <= parameters.n_bytes]
    order = np.random.default_rng([seed, 24]).permutation(len(short))[:N_DECODED]
    return [short[i] for i in order.tolist()]


def given_x_codes(coder: Coder, pairs: Sequence[Pair]) -> Coded:
    """Return C(Y|X) of the pairs, for a fresh process to decode."""
    return Coded(
        name=GIVEN_X,
        fitted=False,
        stream=False,
        codes=tuple(coder.code(pair.y, pair.x) for pair in pairs),
        samples=tuple(pair.y for pair in pairs),
        contexts=tuple(pair.x for pair in pairs),
        schedule=coder.learner.schedule if coder.learner else None,
    )


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Pairs of one kind and size."""

    size: str
    kind: str
    evidence: Evidence


def _kind_scores(group: _Group, lengths: Lengths) -> Iterator[Score]:
    """Yield the scores of the pairs of one kind and size."""
    evidence = group.evidence
    reverse, empty_bits = reversed_lengths(lengths), float(evidence.facts["empty_bits"])
    # Shared bits are means over pairs; rates are ratios of sums over bytes.
    ones = np.ones(len(lengths.y))
    rows = {
        ALONE: (lengths.y, lengths.n_bytes, "bits/byte"),
        "shared_bits": (shared(lengths, empty_bits), ones, "bits"),
        "reverse_shared_bits": (shared(reverse, empty_bits), ones, "bits"),
    }
    route = evidence.subject.route
    if route != "none":
        rows |= _conditional_rows(lengths, reverse)
    is_beyond = _is_beyond_window(evidence, lengths)
    note = _note(evidence, lengths, is_beyond=is_beyond)
    for metric, (numerators, denominators, unit) in rows.items():
        low, high = _interval(numerators, denominators, evidence.seed)
        is_unfitted = unit == "bits" or metric == ALONE
        yield Score(
            metric=metric,
            variant=Variant(pair_kind=group.kind, pair_size=group.size),
            value=float(numerators.sum() / denominators.sum()),
            unit=unit,
            state="unfitted" if is_unfitted else "given x",
            route="" if metric == ALONE else route,
            n=len(ones),
            ci_low=low,
            ci_high=high,
            beyond_window=is_beyond,
            note=note,
        )


def _is_beyond_window(evidence: Evidence, lengths: Lengths) -> bool:
    """Return whether X exceeds the window; never for a network, whose weights hold X."""
    window = evidence.subject.window
    if evidence.subject.route == "none" or "steps_after_x" in evidence.facts:
        return False
    return window is not None and bool(lengths.n_bytes.max() > window)


def _note(evidence: Evidence, lengths: Lengths, *, is_beyond: bool) -> str:
    notes = [f"{len(lengths.y)} pairs"]
    if evidence.subject.route == "none":
        notes.append("no conditional code (route none)")
    elif "steps_after_x" in evidence.facts:
        notes.append(f"by blocks, fits of {evidence.facts['steps_after_x']}")
    elif is_beyond:
        notes.append(BEYOND)
    return "; ".join(notes)


def _conditional_rows(
    lengths: Lengths, reverse: Lengths
) -> Mapping[str, tuple[Floats, Floats, str]]:
    saved, n_bytes = savings(lengths), lengths.n_bytes
    switch = switched(lengths)
    return {
        "saved_bpb": (saved, n_bytes, "bits/byte"),
        "saved_fraction": (saved, lengths.y, "fraction"),
        "reverse_saved_bpb": (savings(reverse), n_bytes, "bits/byte"),
        "reverse_saved_fraction": (savings(reverse), reverse.y, "fraction"),
        "regret_bpb": (regret(lengths, lengths.y_given_x), n_bytes, "bits/byte"),
        "switched_saved_bpb": (lengths.y - switch, n_bytes, "bits/byte"),
        "switched_regret_bpb": (regret(lengths, switch), n_bytes, "bits/byte"),
    }


def _interval(
    numerators: Floats, denominators: Floats, seed: int
) -> tuple[float | None, float | None]:
    if len(numerators) < MIN_PAIRS:
        return None, None
    rng = np.random.default_rng([seed, 25])
    return stats.ratio_interval(numerators, denominators, rng)


def _groups(
    table: Sequence[tuple[str, Pair]],
) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
    keys = [(size, pair.kind) for size, pair in table]
    for size, kind in dict.fromkeys(keys):
        where = [i for i, key in enumerate(keys) if key == (size, kind)]
        yield size, kind, np.array(where, np.int64)


def _arrays(
    table: Sequence[tuple[str, Pair]], lengths: Lengths
) -> dict[str, NDArray[np.generic]]:
    return {
        "size": np.array([size for size, _ in table]),
        "kind": np.array([pair.kind for _, pair in table]),
        "x_name": np.array([pair.x_name for _, pair in table]),
        "y_name": np.array([pair.y_name for _, pair in table]),
        **{
            f"{name}_bits" if name != "n_bytes" else name: values
            for name, values in vars(lengths).items()
        },
    }


TASK = Task(
    name="joint",
    version=1,
    measure=measure,
    judge=judge,
    originals=originals,
    prepare=sized_pairs,
    parameters=Parameters,
    weight=60.0,
    title="bits that related, unrelated and random X save on Y",
)
