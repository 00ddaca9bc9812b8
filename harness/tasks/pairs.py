"""Draw pairs of texts: X that should help to code Y, and X that should not.

Every Y is paired with several X of equal bytes: related ones, unrelated ones and controls. X and
Y come from disjoint halves of the data, and no sample of X is a (near) duplicate of Y.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.card import Duplicates
from harness.data.dataset import Dataset, Split
from harness.data.duplicates import near_duplicates
from harness.errors import NotApplicableError

PairKind = Literal[
    "same_class",
    "sibling",
    "same_data",
    "other_class",
    "other_data",
    "random",
    "shuffled",
]
SPARE = 2
"""Multiple of the needed bytes that are compared, so that duplicates can be left out."""
WHOLE = "*"
"""Name of a text of all classes, in seeded order."""


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two texts of equal length.

    Attributes:
        kind: relation of X to Y; "same_class" (the other half of Y's class), "sibling" (a
            class named as its relative), "same_data" (all classes, where Y is of all
            classes too), "other_class", "other_data", and the controls: "random" bytes,
            and Y's own bytes "shuffled".
        x, y: of equal length; y is coded.
        x_name, y_name: class or data set; WHOLE for all classes.
    """

    kind: PairKind
    x: bytes
    y: bytes
    x_name: str
    y_name: str

    def cut(self, n_bytes: int, *, seed: int) -> Pair:
        """Return the pair of the first `n_bytes` of both; shuffled bytes are those of Y."""
        y, x = self.y[:n_bytes], self.x[:n_bytes]
        return replace(self, x=shuffled(y, seed) if self.kind == "shuffled" else x, y=y)


@dataclass(frozen=True, kw_only=True)
class PairPlan:
    """Choice of pairs.

    Attributes:
        n_bytes: of X and of Y, at most.
        least_bytes: a text with fewer makes no pair.
        n_classes: classes to take as Y, relatives first, then by seed.
        siblings: pairs of classes that are relatives; names that do not occur are ignored.
    """

    n_bytes: int
    least_bytes: int
    n_classes: int
    siblings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Half:
    """Samples that can become Y, and those that can become X, each ended by the separator."""

    ys: tuple[bytes, ...]
    xs: tuple[bytes, ...]


def draw_pairs(
    dataset: Dataset, others: Mapping[str, Dataset], plan: PairPlan, *, seed: int
) -> list[Pair]:
    """Return the pairs of a data set: Y of all classes, then Y of single ones.

    Raises:
        NotApplicableError: the data set is too small for any pair.
    """
    rng = np.random.default_rng([seed, 21])
    halves = halves_of(dataset, rng)
    # Halves here too, so that foreign X is drawn just as X of the same data.
    foreign = {name: halves_of(o, rng)[WHOLE].xs for name, o in others.items()}
    draw = _Draw(rule=rule_of(dataset), levels=dataset.levels, plan=plan, seed=seed)
    large = [
        name for name, half in halves.items() if _smaller(half) >= plan.least_bytes
    ]
    pairs = []
    for y_name in [WHOLE, *targets(large, plan, rng)]:
        if y_name not in large:
            continue
        named = _related(y_name, large, plan, rng)
        candidates = [(kind, x, halves[x].xs) for kind, x in named]
        candidates += [("other_data", name, xs) for name, xs in foreign.items()]
        pairs += draw.pairs(y_name, halves[y_name].ys, candidates)
    if not pairs:
        top = max(map(_smaller, halves.values()))
        raise NotApplicableError(
            f"{dataset.name}: half of the largest class has {top} bytes, a pair needs "
            f"{plan.least_bytes}; raise the caps or lower n_bytes"
        )
    return pairs


def halves_of(dataset: Dataset, rng: np.random.Generator) -> dict[str, Half]:
    """Return the halves of every class and, as WHOLE, of all: every second sample each."""
    both = _all_samples(dataset)
    samples = [sample + dataset.separator for sample in both.samples]
    order = rng.permutation(len(samples))
    is_x = np.zeros(len(samples), bool)
    groups = [np.arange(len(order))]
    if dataset.is_labelled:
        by_place = both.labels[order]
        groups = [np.flatnonzero(by_place == c) for c in range(len(dataset.classes))]
    for places in groups:
        # Within each class, so that both halves have the same shares of classes.
        is_x[places[1::2]] = True

    def half(places: NDArray[np.int64]) -> Half:
        ys, xs = (order[places[is_x[places] == side]] for side in (False, True))
        return Half(
            ys=tuple(samples[i] for i in ys.tolist()),
            xs=tuple(samples[i] for i in xs.tolist()),
        )

    halves = {WHOLE: half(np.arange(len(order)))}
    if dataset.is_labelled:
        named = zip(dataset.classes, groups, strict=True)
        halves |= {name: half(places) for name, places in named}
    return halves


def targets(
    large: Sequence[str], plan: PairPlan, rng: np.random.Generator
) -> list[str]:
    """Return the classes to take as Y: those with a relative first, then by seed."""
    classes = [large[i] for i in rng.permutation(len(large)) if large[i] != WHOLE]
    first = [c for c in classes if relatives(c, classes, plan.siblings)]
    # Classes with a relative first: they give one kind of pair more.
    return [*first, *(c for c in classes if c not in first)][: plan.n_classes]


def relatives(
    name: str, classes: Sequence[str], siblings: Sequence[tuple[str, str]]
) -> list[str]:
    """Return the classes that are named as relatives of this one."""
    names = {b for a, b in siblings if a == name} | {
        a for a, b in siblings if b == name
    }
    return [c for c in classes if c in names]


def rule_of(dataset: Dataset) -> Duplicates:
    """Return the rule by which samples of this kind are duplicates: n-grams or equality."""
    return Duplicates(rule="text13" if dataset.kind in ("text", "file") else "exact")


def distinct(xs: Sequence[bytes], ys: Sequence[bytes], rule: Duplicates) -> list[bytes]:
    """Return the samples of X that neither duplicate a sample of Y nor are duplicated by one."""
    if not xs or not ys:
        return list(xs)
    # Savings on a repeated passage would measure the data, not the compressor.
    twice = near_duplicates(ys, xs, rule)
    candidates = [x for x, repeats in zip(xs, twice, strict=True) if not repeats]
    if not candidates:
        return []
    # The rule is not symmetric: a short sample may repeat a part of a long one.
    is_repeated = near_duplicates(candidates, ys, rule)
    if not is_repeated.any():
        return candidates
    repeated = [ys[i] for i in np.flatnonzero(is_repeated).tolist()]
    return [x for x in candidates if not near_duplicates([x], repeated, rule).any()]


def text(samples: Sequence[bytes], n_bytes: int) -> bytes:
    """Return the first `n_bytes` of the samples joined, fewer if there are no more."""
    return b"".join(first_samples(samples, n_bytes))[:n_bytes]


def first_samples(samples: Sequence[bytes], n_bytes: int) -> list[bytes]:
    """Return the first samples that together have `n_bytes` or more, or all."""
    ends = np.cumsum([len(sample) for sample in samples])  # (n,)
    return list(samples[: int(np.searchsorted(ends, n_bytes)) + 1])


def shuffled(data: bytes, seed: int) -> bytes:
    """Return the bytes in seeded random order: their frequencies stay."""
    # With X shuffled, any savings come from byte frequencies, not from order.
    symbols = np.frombuffer(data, np.uint8)
    return np.random.default_rng([seed, 22]).permutation(symbols).tobytes()


def random_bytes(n: int, levels: int | None, seed: int) -> bytes:
    """Return n bytes, each level of the data (256 without a limit) equally likely."""
    rng = np.random.default_rng([seed, 23])
    return rng.integers(0, levels or 256, n, np.uint8).tobytes()


@dataclass(frozen=True, kw_only=True)
class _Draw:
    """Settings that all pairs of one draw share."""

    rule: Duplicates
    levels: int | None
    plan: PairPlan
    seed: int

    def pairs(
        self,
        y_name: str,
        ys: Sequence[bytes],
        candidates: Sequence[tuple[PairKind, str, Sequence[bytes]]],
    ) -> list[Pair]:
        n = self.plan.n_bytes
        y_samples = first_samples(ys, n)
        y = text(y_samples, n)
        sources: list[tuple[PairKind, str, bytes]] = []
        for kind, x_name, xs in candidates:
            looked_at = first_samples(xs, SPARE * n)
            x = text(distinct(looked_at, y_samples, self.rule), n)
            sources.append((kind, x_name, x))
        sources.append(("random", "", random_bytes(len(y), self.levels, self.seed)))
        sources.append(("shuffled", y_name, shuffled(y, self.seed)))
        pairs = []
        for kind, x_name, x in sources:
            # Equal lengths: savings grow with the length of X.
            m = min(len(x), len(y))
            if m >= self.plan.least_bytes:
                whole = Pair(kind=kind, x=x, y=y, x_name=x_name, y_name=y_name)
                pairs.append(whole.cut(m, seed=self.seed))
        return pairs


def _related(
    y_name: str, large: Sequence[str], plan: PairPlan, rng: np.random.Generator
) -> list[tuple[PairKind, str]]:
    """Return kind and name of the texts of the same data set that Y is paired with."""
    if y_name == WHOLE:
        return [("same_data", WHOLE)]
    kin = relatives(y_name, large, plan.siblings)
    named: list[tuple[PairKind, str]] = [("same_class", y_name)]
    named += [("sibling", name) for name in kin]
    strangers = [c for c in large if c not in (WHOLE, y_name, *kin)]
    if strangers:
        named.append(("other_class", strangers[int(rng.integers(len(strangers)))]))
    return named


def _smaller(half: Half) -> int:
    return min(sum(map(len, half.ys)), sum(map(len, half.xs)))


def _all_samples(dataset: Dataset) -> Split:
    return Split(
        samples=dataset.train.samples + dataset.test.samples,
        labels=np.concatenate([dataset.train.labels, dataset.test.labels]),
    )
