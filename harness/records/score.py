"""Score: one number with its meaning in fields, and the only place that forms its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Realised = Literal["decoded", "subset", "likelihood", ""]
Control = Literal["", "random_init", "permuted"]

DEDUPLICATED = "_dedup"
"""End of the name of a score over test samples that duplicate nothing in train."""
HEADLINE = "heldout_bpb"
"""Metric that ranks compressors, and takes part in every test."""
BALANCED_ACCURACY = "balanced_accuracy"
"""Metric of every readout that tells classes apart."""
COMMON_DIMENSION = 64
"""Features to which layers of any width are projected, so that models compare."""
REALISED: tuple[Realised, ...] = ("decoded", "subset")
"""Realisations with which a rate has a rank and takes part in a test."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Qualifiers of a metric; a field that is empty or 0 does not apply.

    Attributes:
        option: any other choice of the readout, such as "no_prior" or "lower".
        n_labels: labels per class that a probe was trained on.
        n_neighbours: k of a nearest-neighbour classifier.
        control: the network with random weights, or the probe of permuted labels.
        role: a fixed layer of a network; "" with `layer` empty is the chosen one.
        layer: name of a layer.
        pooling: "mean" where quarters of an image were left out.
        n_dimensions: features that the probe read, where they were projected.
        origin: completions that were scored in place of the model's own.
        reference: subtracted from the score of the completions.
        x: name of the text that is coded first.
        pair_kind: relation of X and Y.
        pair_size: bytes of X and Y, as a multiple of the suite's.
        file: name of a file of a corpus.
    """

    option: str = ""
    n_labels: int = 0
    n_neighbours: int = 0
    control: Control = ""
    role: Literal["", "first", "middle", "last"] = ""
    layer: str = ""
    pooling: Literal["", "mean"] = ""
    n_dimensions: int = 0
    origin: str = ""
    reference: str = ""
    x: str = ""
    pair_kind: str = ""
    pair_size: str = ""
    file: str = ""

    @property
    def words(self) -> str:
        """Return the qualifiers as a suffix of the metric's name, "" where there is none."""
        parts = (
            # The order is fixed: preregistrations name scores by these words.
            (self.option, f"_{self.option}"),
            (self.n_labels, f"_at_{self.n_labels}"),
            (self.n_neighbours, f"_k{self.n_neighbours}"),
            (self.control, f"_{self.control}"),
            (self.role, f"_{self.role}"),
            (self.layer, f"_layer:{self.layer}"),
            (self.pooling, f"_{self.pooling}"),
            (self.n_dimensions, f"_pca{self.n_dimensions}"),
            (self.origin, f"_{self.origin}"),
            (self.reference, f"_over_{self.reference}"),
            (self.x, f":{self.x}"),
            (self.pair_kind, f":{self.pair_kind}"),
            (self.pair_size, f":{self.pair_size}"),
            (self.file, f":{self.file}"),
        )
        return "".join(words for value, words in parts if value)


# Frozen, so that all scores without qualifiers can share it.
PLAIN = Variant()


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number with its meaning.

    Attributes:
        metric: the field's term, such as "heldout_bpb" or "balanced_accuracy".
        value: the number.
        unit: "bits/byte", "bytes", "fraction", "bits/label", "bits", "ratio", "MB/s".
        variant: qualifiers of the metric.
        deduplicated: whether it is over the test samples that duplicate nothing in train.
        state: of the compressor that was read: "unfitted", "fit(train)", "fit(class)", ...
        route: how a conditional code is realised, or "difference"; "" without condition.
        n: test samples behind the value.
        ci_low, ci_high: 95 % interval; None where there is none.
        realised: whether bytes behind a rate were decoded in a fresh process: all, a
            seeded subset, none (a likelihood); "" for scores that are not rates.
        beyond_window: whether the text that should help lies beyond the codec's window.
        note: one short line for a reader; no program reads it.
    """

    metric: str
    value: float
    unit: str
    variant: Variant = PLAIN
    deduplicated: bool = False
    state: str = ""
    route: str = ""
    n: int = 0
    ci_low: float | None = None
    ci_high: float | None = None
    realised: Realised = ""
    beyond_window: bool = False
    note: str = ""

    @property
    def name(self) -> str:
        """The name in tables and preregistrations: metric, variant, "_dedup"; never parsed."""
        return f"{self.metric}{self.variant.words}{DEDUPLICATED * self.deduplicated}"

    @property
    def is_ranked(self) -> bool:
        """True for a rate that may have a rank: its bytes were decoded; it is no difference."""
        # C(px) - C(p) is no code length: it can even be negative.
        return self.realised in REALISED and self.route != "difference"
