"""A job: one cell of a suite, and the key that says when its result is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from harness.contract.compressor import (
    CONTRACT_VERSION,
    Codec,
    Compressor,
    Stepwise,
    hyperparameters,
    spec_of,
)

FIT = "fit"
BASELINE = "baseline"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: a compressor configuration, or a baseline.

    Attributes:
        spec: as the suite writes it; `fields` also hold what a card filled in.
        prior_bytes: knowledge shipped inside, self-declared.
        needs: "fit" for a model that knows nothing before it is fitted.
        kind: "codec" writes bytes by itself, "model" gives next-symbol probabilities.
        route: how a code after a context is realised.
        window: bytes back at which a context still helps; None is without limit.
        alphabet: symbols that a model codes, 0 .. alphabet - 1.
    """

    spec: str
    name: str
    family: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    plugin: str = ""
    source_hash: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    prior_bytes: int = 0
    determinism: str = ""
    needs: tuple[str, ...] = ()
    kind: Literal["", "codec", "model", "other"] = ""
    route: str = ""
    window: int | None = None
    alphabet: int = 256
    ladder_field: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One task for one subject on one data set.

    Attributes:
        n_train, n_test: caps on the splits; None takes all.
        draw: which repetition; its seed is what counts.
        remark: what the suite says of this compressor, for readers.
        fit_key: of the job whose artifact this one reads; "" where it reads none.
        rung, ladder: for a fit: the value of the compressor's ladder field, and a name
            shared by the fits that differ only there: one child trains them all.
        alone: whether nothing may run beside it.
        weight: rough cost of a byte of data.
    """

    suite: str
    task: str
    version: int
    parameters: Mapping[str, Any]
    subject: Subject
    dataset: str
    content_hash: str
    n_train: int | None
    n_test: int | None
    seed: int
    draw: int = 0
    official: bool = True
    remark: str = ""
    fit_key: str = ""
    rung: Any = None
    ladder: str = ""
    alone: bool = False
    weight: float = 1.0

    @cached_property
    def key(self) -> str:
        """The sha256 of whatever decides the result; names of suites and files do not."""
        subject = self.subject
        decides = {
            "contract": CONTRACT_VERSION,
            "compressor": [subject.name, dict(subject.fields), subject.source_hash],
            "versions": dict(subject.versions),
            "data": [self.content_hash, self.n_train, self.n_test],
            "task": [self.task, dict(self.parameters), self.version],
            "seed": self.seed,
        }
        canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def cell(self) -> str:
        """The name of this cell for people and for guesses of time; never a file name."""
        return f"{self.task} {self.subject.spec} {self.dataset}"


def subject_of(compressor: Compressor) -> Subject:
    """Return the description of a compressor, without where its plugin stands."""
    kind: Literal["codec", "model", "other"] = "other"
    if isinstance(compressor, Codec):
        kind = "codec"
    elif isinstance(compressor, Stepwise):
        kind = "model"
    return Subject(
        spec=spec_of(compressor),
        name=compressor.name,
        family=compressor.family,
        fields=hyperparameters(compressor),
        prior_bytes=compressor.prior_bytes,
        determinism=compressor.determinism,
        needs=tuple(sorted(compressor.needs)),
        kind=kind,
        route=compressor.route,
        window=compressor.window,
        alphabet=compressor.alphabet if isinstance(compressor, Stepwise) else 256,
        ladder_field=compressor.ladder_field or "",
    )


def to_json(job: Job) -> dict[str, Any]:
    """Return the job as plain values."""
    return asdict(job)


def from_json(values: Mapping[str, Any]) -> Job:
    """Return the job that `to_json` wrote."""
    subject = {**values["subject"], "needs": tuple(values["subject"]["needs"])}
    return Job(**{**values, "subject": Subject(**subject)})
