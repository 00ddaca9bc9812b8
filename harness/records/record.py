"""A record: the outcome of one job, and its one JSON form."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, Literal

from harness.errors import StoreError
from harness.records.job import FIT, Job
from harness.records.score import Score, Variant
from harness.suggest import fault_of

# Records of an older format are run again: a conversion could not be checked.
RECORD_FORMAT = 3
Status = Literal[
    "done",
    "not_applicable",
    "mismatch",
    "unavailable",
    "crashed",
    "timeout",
    "out_of_memory",
]
Stage = Literal["", "fit", "measure", "decode", "judge"]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds and bytes that the processes of a job took; None for a stage that did not run.

    Attributes:
        wall_seconds, cpu_seconds, peak_bytes: of fitting or measuring.
        decode_...: of the fresh process that decoded.
        judge_cpu_seconds: of the process that computed the scores.
    """

    wall_seconds: float | None = None
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    decode_wall_seconds: float | None = None
    decode_cpu_seconds: float | None = None
    decode_peak_bytes: int | None = None
    judge_wall_seconds: float | None = None
    judge_cpu_seconds: float | None = None
    judge_peak_bytes: int | None = None

    @property
    def total_cpu_seconds(self) -> float:
        """CPU seconds of all processes of the job."""
        parts = (self.cpu_seconds, self.decode_cpu_seconds, self.judge_cpu_seconds)
        return sum(seconds or 0.0 for seconds in parts)

    @property
    def total_wall_seconds(self) -> float:
        """Wall seconds of all processes of the job, one after the other."""
        parts = (self.wall_seconds, self.decode_wall_seconds, self.judge_wall_seconds)
        return sum(seconds or 0.0 for seconds in parts)


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Machine that ran a job."""

    python: str = ""
    cores: int = 0


@dataclass(frozen=True, kw_only=True)
class Record:
    """Outcome of one job.

    Attributes:
        key: of the job, the hash of everything that decides the result.
        status: "done", "not_applicable", or how it failed; only "done" has scores.
        stage: at which it failed; "" where it did not.
        reason: why it has no scores, one line.
        artifact_bits: size of the artifact of a fit; None for other jobs.
        training_loss_bits: of the fit of a model that is trained in steps: its loss in bits
            per symbol of the training data, smoothed over the last steps; None without.
        judge_version: of the task's judge that computed the scores.
        date: UTC, ISO 8601, when it was measured.
    """

    key: str
    job: Job
    status: Status
    stage: Stage = ""
    reason: str = ""
    scores: tuple[Score, ...] = ()
    artifact_bits: float | None = None
    training_loss_bits: float | None = None
    judge_version: int = 1
    date: str = ""
    cost: Cost = field(default_factory=Cost)
    environment: Environment = field(default_factory=Environment)

    @property
    def is_done(self) -> bool:
        """True if the job ended with its scores or, for a fit, its artifact."""
        return self.status == "done"

    @property
    def is_failed(self) -> bool:
        """True if the job failed; a readout that does not apply is no failure."""
        return self.status not in ("done", "not_applicable")

    @property
    def is_fit(self) -> bool:
        """True if the job fitted a compressor for other jobs to read."""
        return self.job.task == FIT

    @property
    def spec(self) -> str:
        """The compressor, or baseline, as a spec string."""
        return self.job.subject.spec

    def to_json(self) -> dict[str, Any]:
        """Return plain values; fields of scores and costs at their defaults are left out."""
        # Not `asdict`, which would write every empty field of every score.
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {
            "format": RECORD_FORMAT,
            "job": asdict(self.job),
            "scores": [score_to_json(score) for score in self.scores],
            "cost": _changed(self.cost),
            "environment": asdict(self.environment),
        }


def record_from_json(values: Mapping[str, Any], origin: str = "a record") -> Record:
    """Return the record that `Record.to_json` wrote, checked.

    Args:
        values: of one record.
        origin: where they come from, for the error.

    Raises:
        StoreError: another version wrote it, or it is no record.
    """
    from pydantic import ValidationError

    # The format first: fields of another version would give a misleading error.
    if not isinstance(values, Mapping) or values.get("format") != RECORD_FORMAT:
        raise StoreError(
            f"{origin} is not of this version of bitprobe (format {RECORD_FORMAT}); "
            "run its suite again"
        )
    record_fields = {name: value for name, value in values.items() if name != "format"}
    try:
        record: Record = _adapter(Record).validate_python(record_fields)
    except ValidationError as error:
        raise StoreError(
            f"{origin} is damaged: {fault_of(error)}; delete it and run again"
        ) from error
    return record


def read_record(text: str | bytes, origin: str = "a record") -> Record:
    """Return the record in a JSON text.

    Raises:
        StoreError: it is not JSON, not a record, or of another version.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise StoreError(
            f"{origin} is damaged: {error}; delete it and run again"
        ) from error
    return record_from_json(values, origin)


def score_from_json(values: Mapping[str, Any]) -> Score:
    """Return the score that `score_to_json` wrote, checked.

    Raises:
        StoreError: it is no score, or its value is not finite.
    """
    from pydantic import ValidationError

    try:
        score: Score = _adapter(Score).validate_python(values)
    except ValidationError as error:
        raise StoreError(f"a score is not legal: {fault_of(error)}") from error
    # NaN is no legal JSON, and has no place in a ranking.
    if not math.isfinite(score.value):
        raise StoreError(f"a score is not legal: {score.name} is {score.value}")
    return score


# Building a validator takes milliseconds, and a run folder has thousands of records.
@cache
def _adapter(kind: type) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _changed(instance: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that differ from their defaults."""
    pairs = {f.name: (getattr(instance, f.name), f.default) for f in fields(instance)}
    return {name: value for name, (value, default) in pairs.items() if value != default}


def score_to_json(score: Score) -> dict[str, Any]:
    """Return a score as plain values, fields at their defaults left out."""
    values = _changed(score)
    # `_changed` leaves the inner dataclass, which JSON cannot write.
    if score.variant != Variant():
        values["variant"] = _changed(score.variant)
    return values
