"""Results of the two halves of a task: measurements, and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from harness.contract.online_code import Schedule
from harness.records.score import Score

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Coded:
    """Codes that a fresh process must turn back into the original.

    Attributes:
        name: the rate they stand for, such as "heldout".
        fitted: whether the decoder gets the fitted artifact, or the unfitted compressor.
        stream: one code for all samples as a stream; otherwise codes of single samples.
        codes: the coded bytes.
        samples: the original, of which the decoder gets the lengths alone.
        separator: ends each sample of a stream.
        contexts: bytes that the decoder of each single sample has; empty for none at all.
        schedule: of the trainings that the decoder repeats, for a code by blocks; None
            where nothing is fitted.
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
class Measured:
    """Measurements of a compressor, taken in its own process without labels of the test.

    Attributes:
        arrays: numbers by name, such as code lengths in bits or pooled hidden states.
        facts: plain values by name, such as the names of layers.
        coded: codes that must be decoded before they count.
    """

    arrays: Arrays = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    coded: tuple[Coded, ...] = ()


@dataclass(frozen=True, kw_only=True)
class CodeFile:
    """A file of codes as it lies on the disk, after a fresh process has decoded it.

    Attributes:
        lengths: bytes of each code; they sum to the size of the file.
        sha256: of the samples that the decoder gave back.
    """

    lengths: tuple[int, ...]
    sha256: str

    @property
    def n_bytes(self) -> int:
        """Size of the file."""
        return sum(self.lengths)


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """Scores, and the per-sample arrays behind them.

    Attributes:
        scores: of the task.
        arrays: "credit..." (n_test, n_classes), "labels" (n_test,), "..._bits" (n_test,)
            and others, for paired comparisons and galleries.
    """

    scores: tuple[Score, ...]
    arrays: Arrays = field(default_factory=dict)
