"""Messages between runner, fork server and child processes, each with one JSON form."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from harness.errors import HarnessError
from harness.records.job import Job, from_json
from harness.records.record import Status

Stage = Literal["fit", "measure", "decode", "judge", "nothing"]
Verdict = Literal["exited", "crashed", "timeout", "out_of_memory"]


@dataclass(frozen=True, kw_only=True)
class Request:
    """One stage of a job, for one child process.

    Attributes:
        id: of the job.
        stage: "nothing" is for measuring the cost of a child.
        scratch: folder that the child may write to; its result goes there.
        log: file for everything that the child prints.
        store: output folder of the run; "" where the child has no need of it.
        timeout_seconds, memory_bytes: limits.
        job: to carry out; None for decoding, whose process gets nothing but codes.
        ladder: fits that one child trains together, lowest first.
        artifact_bits: size of the fitted artifact that the job reads.
        plugin, name, fields: the compressor, for decoding.
        measured: folder of measurements, for judging.
    """

    id: str
    stage: Stage
    scratch: str
    log: str
    timeout_seconds: float
    memory_bytes: int
    store: str = ""
    job: Job | None = None
    ladder: tuple[Job, ...] = ()
    artifact_bits: float = 0.0
    plugin: str = ""
    name: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    measured: str = ""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """End of a child process, as the fork server saw it."""

    id: str
    verdict: Verdict
    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int


@dataclass(frozen=True, kw_only=True)
class Result:
    """Answer of a child process, written to result.json in its scratch folder.

    Attributes:
        status: how the stage ended.
        reason: of a failure, one line.
        has_codes: whether codes wait to be decoded.
        hashes: of decoding: sha256 of the samples by the name of the rate.
        scores: of judging, in their JSON form.
        artifact_bits: of fitting: weight by the key of the job.
        training_loss_bits: of fitting: the last loss by the key of the job, where it is known.
        seconds_before: CPU seconds that an interrupted training took before.
    """

    status: Status
    reason: str = ""
    has_codes: bool = False
    hashes: Mapping[str, str] = field(default_factory=dict)
    scores: Sequence[Mapping[str, Any]] = ()
    artifact_bits: Mapping[str, float] = field(default_factory=dict)
    training_loss_bits: Mapping[str, float] = field(default_factory=dict)
    seconds_before: float = 0.0


def to_line(message: Request | Outcome | Result) -> bytes:
    """Return a message as one line of JSON."""
    return json.dumps(asdict(message)).encode() + b"\n"


def read_request(line: bytes) -> Request:
    """Return the request in a line of JSON."""
    values = json.loads(line)
    job = values.pop("job")
    ladder = tuple(from_json(rung) for rung in values.pop("ladder"))
    return Request(**values, job=job and from_json(job), ladder=ladder)


def read_outcome(line: bytes) -> Outcome:
    """Return the outcome in a line of JSON."""
    return Outcome(**json.loads(line))


def read_result(text: bytes) -> Result:
    """Return the result in a JSON text.

    Raises:
        HarnessError: it is not one; a child may write anything there.
    """
    from pydantic import TypeAdapter, ValidationError

    try:
        values = json.loads(text)
        # pydantic ignores unknown fields of a dataclass, which would hide a fault.
        unknown = set(values) - {f.name for f in fields(Result)}
        if unknown:
            raise HarnessError(f"the process answered with a field {min(unknown)!r}")
        result: Result = TypeAdapter(Result).validate_python(values)
    except (ValueError, TypeError, RecursionError, ValidationError) as error:
        # A reason is one line of a record.
        first = str(error).splitlines()[0]
        raise HarnessError(f"the process left no legal answer: {first}") from error
    return result
