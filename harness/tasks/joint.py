"""Code two texts together (SCIENCE section 3): what does knowing X save on Y.

All codes are online codes from nothing, written and counted: C(Y), C(Y|X), C(XY), and the
same with X and Y changed over. A compressor without a conditional code has C(XY) only.
Networks go by blocks, C(Y|X) from the state after X (`harness.contract.online_code`).
The idea is that of Cilibrasi and Vitanyi 2005, "Clustering by compression"; regret on
unrelated X asks whether what was read before can do harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.contract.coding import code_after
from harness.contract.compressor import Compressor, Stepwise
from harness.contract.online_code import Learner, online
from harness.errors import NotApplicableError, SuiteError
from harness.statistics import resampling as stats
from harness.tasks.outcome import Coded, Outcome, Score
from harness.tasks.pairs import Pair, PairPlan, draw_pairs
from harness.tasks.prequential import learner_for
from harness.tasks.task import Inputs, Task, check_budget
from harness.units import bytes_to_bits

Floats = NDArray[np.float64]
N_DECODED = 32
MIN_PAIRS = 3
"""Fewer have no interval of their own; the report takes it over draws and data sets."""
SWITCH_BITS = 1.0
"""What it costs to say whether X is used at all."""
BEYOND = "beyond its window"


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """How long X and Y are, how many Y, and where related and foreign X come from.

    n_bytes: of X and of Y at size x1.
    scales: sizes, as multiples of n_bytes.
    n_classes: classes to take as Y beside the text of all classes.
    siblings: pairs of classes that are relatives; used wherever both occur.
    others: data sets that give foreign X.
    others_content: their content hashes, filled in by the planner.
    budget: training steps of each fit of a network; None is what its spec says.
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


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """Code lengths of n pairs, bits; each field has shape (n,).

    `y_given_x` and `x_given_y` are nan where the compressor has no conditional code.
    """

    n_bytes: Floats
    y: Floats
    x: Floats
    y_given_x: Floats
    x_given_y: Floats
    xy: Floats
    yx: Floats


def run(inputs: Inputs, parameters: Parameters) -> Outcome:
    """Return savings, shared bits and regret by kind of pair and size, and all lengths.

    Raises:
        NotApplicableError: the compressor learns neither inside a stream nor by blocks, or
            the data set is too small for a pair.
    """
    compressor, seed = inputs.unfitted, inputs.seed
    learner = learner_for(compressor, parameters.budget, seed=seed)
    table = sized_pairs(inputs, parameters)
    coder = Coder(compressor=compressor, codes={}, learner=learner)
    lengths = measure(coder, [pair for _, pair in table])
    scores: list[Score] = []
    for size, kind, where in _groups(table):
        group = _Group(size=size, kind=kind, coder=coder)
        scores += _kind_scores(
            group, _taken(lengths, where), empty_bits=coder.bits(b""), seed=seed
        )
    short = [pair for _, pair in table if len(pair.y) <= parameters.n_bytes]
    drawn = drawn_codes(coder, short, seed=seed)
    return Outcome(
        scores=tuple(scores),
        arrays=_arrays(table, lengths),
        coded=(drawn,) if drawn else (),
    )


def sized_pairs(inputs: Inputs, parameters: Parameters) -> list[tuple[str, Pair]]:
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
    drawn = draw_pairs(inputs.dataset, inputs.others, plan, seed=inputs.seed)
    drawn = [pair for pair in drawn if _readable(inputs.unfitted, pair)]
    if not drawn:
        raise NotApplicableError(
            f"no pair of {inputs.dataset.name} is inside {inputs.unfitted.name}'s alphabet"
        )
    return [
        (f"x{scale:g}", pair.cut(n_bytes, seed=inputs.seed))
        for scale, n_bytes in sizes.items()
        for pair in drawn
        if len(pair.y) >= n_bytes
    ]


@dataclass(frozen=True, kw_only=True)
class Coder:
    """Writes online codes, each once.

    Attributes:
        compressor: a codec, a model that adapts, or one that is fitted by blocks.
        codes: what was written so far, by (data, context).
        learner: fits the models of blocks; None where nothing is fitted.
    """

    compressor: Compressor
    codes: dict[tuple[bytes, bytes], bytes]
    learner: Learner | None = None

    def code(self, data: bytes, context: bytes = b"") -> bytes:
        """Return the code of `data` for a decoder that has `context`."""
        key = (data, context)
        if key not in self.codes:
            codec = online(self.compressor, self.learner, len(data))
            self.codes[key] = code_after(codec, data, context)
        return self.codes[key]

    def bits(self, data: bytes, context: bytes = b"") -> float:
        """Return the length of that code."""
        return bytes_to_bits(len(self.code(data, context)))


def measure(coder: Coder, pairs: Sequence[Pair]) -> Lengths:
    """Return the code lengths of all pairs."""
    conditional = coder.compressor.route != "none"

    def given(data: bytes, context: bytes) -> float:
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
    columns = np.array(rows, np.float64).reshape(-1, len(names)).T
    return Lengths(**dict(zip(names, columns, strict=True)))


def drawn_codes(coder: Coder, pairs: Sequence[Pair], *, seed: int) -> Coded | None:
    """Return C(Y|X) of a seeded subset of the pairs, for a fresh process to decode."""
    if coder.compressor.route == "none" or not pairs:
        return None
    order = np.random.default_rng([seed, 24]).permutation(len(pairs))[:N_DECODED]
    chosen = [pairs[i] for i in order.tolist()]
    return Coded(
        name="given_x",
        fitted=False,
        stream=False,
        codes=tuple(coder.code(pair.y, pair.x) for pair in chosen),
        samples=tuple(pair.y for pair in chosen),
        contexts=tuple(pair.x for pair in chosen),
        schedule=coder.learner.schedule if coder.learner else None,
    )


def savings(lengths: Lengths) -> Floats:
    """Return C(Y) - C(Y|X) of each pair, bits; negative where X does harm."""
    return lengths.y - lengths.y_given_x


def shared(lengths: Lengths, empty_bits: float) -> Floats:
    """Return C(X) + C(Y) - C(XY) - C(empty) of each pair, bits."""
    return lengths.x + lengths.y - lengths.xy - empty_bits


def switched(lengths: Lengths) -> Floats:
    """Return min(C(Y), C(Y|X)) and the bit that says which, of each pair."""
    return np.minimum(lengths.y, lengths.y_given_x) + SWITCH_BITS


def regret(lengths: Lengths, bits: Floats) -> Floats:
    """Return by how much a code of Y given X is longer than C(Y), 0 where it is not."""
    return np.maximum(0.0, bits - lengths.y)


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Pairs of one kind and size."""

    size: str
    kind: str
    coder: Coder


def _kind_scores(
    group: _Group, lengths: Lengths, *, empty_bits: float, seed: int
) -> Iterator[Score]:
    """Yield the scores of a group; names are MEASURE:KIND:SIZE."""
    reverse = _reversed(lengths)
    ones = np.ones(len(lengths.y))
    rows = {
        "alone_bpb": (lengths.y, lengths.n_bytes, "bits/byte"),
        "shared_bits": (shared(lengths, empty_bits), ones, "bits"),
        "reverse_shared_bits": (shared(reverse, empty_bits), ones, "bits"),
    }
    route = group.coder.compressor.route
    if route != "none":
        rows |= _conditional_rows(lengths, reverse)
    note = _note(group.coder, lengths)
    for name, (numerators, denominators, unit) in rows.items():
        low, high = _interval(numerators, denominators, seed)
        yield Score(
            name=f"{name}:{group.kind}:{group.size}",
            value=float(numerators.sum() / denominators.sum()),
            unit=unit,
            state="unfitted" if "shared" in name or name == "alone_bpb" else "given x",
            route="" if name == "alone_bpb" else route,
            n=len(ones),
            ci_low=low,
            ci_high=high,
            note=note,
        )


def _note(coder: Coder, lengths: Lengths) -> str:
    compressor, notes = coder.compressor, [f"{len(lengths.y)} pairs"]
    if compressor.route == "none":
        notes.append("no conditional code (route none)")
    elif coder.learner:  # X is in the weights: no window gates it
        notes.append(f"by blocks, fits of {coder.learner.steps_after_x}")
    elif compressor.window is not None and lengths.n_bytes.max() > compressor.window:
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


def _reversed(lengths: Lengths) -> Lengths:
    return Lengths(
        n_bytes=lengths.n_bytes,
        y=lengths.x,
        x=lengths.y,
        y_given_x=lengths.x_given_y,
        x_given_y=lengths.y_given_x,
        xy=lengths.yx,
        yx=lengths.xy,
    )


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


def _taken(lengths: Lengths, where: NDArray[np.int64]) -> Lengths:
    return Lengths(**{name: column[where] for name, column in vars(lengths).items()})


def _readable(compressor: Compressor, pair: Pair) -> bool:
    if not isinstance(compressor, Stepwise):
        return True
    return max(pair.x + pair.y) < compressor.alphabet


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
    run=run,
    parameters=Parameters,
    weight=60.0,
    title="what related, unrelated and random X save on Y",
)
