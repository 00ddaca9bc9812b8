"""What a readout returns: scores, per-sample arrays, and the bytes to be decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from numpy.typing import NDArray

from harness.contract.online_code import Schedule

Realised = Literal["decoded", "subset", "likelihood", ""]


@dataclass(frozen=True, kw_only=True)
class Score:
    """One number with its meaning.

    Attributes:
        name: field's term, such as "heldout_bpb" or "balanced_accuracy".
        unit: "bits/byte", "bytes", "fraction", "bits/label", "bits", "ratio", "MB/s".
        state: what the compressor knew: "unfitted", "fit(train)", "fit(class)", ...
        route: how a conditional code is realised, or "difference"; "" without condition.
        n: test samples behind the value.
        ci_low, ci_high: 95 % interval; None where there is none.
        realised: whether bytes behind a rate are decoded in a fresh process: all, a
            seeded subset, none (a likelihood); "" for scores that are not rates.
        note: what a reader must know, one short line.
    """

    name: str
    value: float
    unit: str
    state: str = ""
    route: str = ""
    n: int = 0
    ci_low: float | None = None
    ci_high: float | None = None
    realised: Realised = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Coded:
    """Codes that a fresh process must turn back into the original.

    Attributes:
        name: the rate they stand for, such as "heldout".
        fitted: whether the decoder gets the fitted artifact, or the unfitted compressor.
        stream: one code for all samples as a stream; otherwise codes of single samples.
        codes: the coded bytes.
        samples: the original, from which the runner takes lengths and sha256.
        separator: ends each sample of a stream.
        contexts: what the decoder of each single sample has; empty for none at all.
        schedule: how the decoder fits the unfitted compressor again, where the code is by
            blocks; None where nothing is fitted.
    """

    name: str
    fitted: bool
    stream: bool
    codes: tuple[bytes, ...]
    samples: tuple[bytes, ...]
    separator: bytes = b""
    contexts: tuple[bytes, ...] = ()
    schedule: Schedule | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Everything a task found."""

    scores: tuple[Score, ...]
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    coded: tuple[Coded, ...] = ()
