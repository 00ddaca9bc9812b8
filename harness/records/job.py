"""Job: one cell of a suite, and the key under which its result is stored."""

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
    """Subject of a measurement: a compressor configuration, or a baseline.

    Attributes:
        spec: as the suite writes it; `fields` also hold what a card filled in.
        prior_bytes: size of the knowledge that ships inside a codec, self-declared.
        needs: "fit" for a model that knows nothing before it is fitted.
        kind: "codec" writes bytes by itself, "model" gives next-symbol probabilities.
        route: how a code after a context is realised.
        window: distance in bytes at which context still helps; None is without limit.
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
        min_per_class: test samples that a class keeps at least under the cap `n_test`.
        draw: which repetition; its seed is what counts.
        remark: note of the suite on this compressor, for readers.
        fit_key: of the job whose artifact this one reads; "" where it reads none.
        rung, ladder: for a fit: the value of the compressor's ladder field, and a name
            shared by the fits that differ only there: one child trains them all.
        alone: whether no other job may run at the same time.
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
    min_per_class: int = 1
    draw: int = 0
    official: bool = True
    remark: str = ""
    fit_key: str = ""
    rung: Any = None
    ladder: str = ""
    alone: bool = False
    weight: float = 1.0

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets that the job reads: its own, and those of parameters."""
        return (self.dataset, *self.parameters.get("others", ()))

    @cached_property
    def key(self) -> str:
        """The sha256 of everything that decides the result; names of suites and files do not."""
        subject = self.subject
        decides = {
            # Another contract may give other codes: old records must not answer for it.
            "contract": CONTRACT_VERSION,
            # Any change of the source counts: nothing outside can tell which ones matter.
            "compressor": [subject.name, dict(subject.fields), subject.source_hash],
            # Libraries write the bytes: another release may write others.
            "versions": dict(subject.versions),
            # By content, not by name: a corrected data set is measured again.
            "data": [self.content_hash, *self.caps],
            "task": [self.task, dict(self.parameters), self.version],
            "seed": self.seed,
        }
        # Sorted and without spaces, so that equal jobs have one text and one key.
        canonical = json.dumps(decides, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def caps(self) -> tuple[int | None, ...]:
        """Everything but the seed that decides the subset of the data."""
        caps = self.n_train, self.n_test
        # Without a cap, every class keeps all: the floor decides nothing.
        has_floor = self.n_test is not None and self.min_per_class > 1
        return (*caps, self.min_per_class) if has_floor else caps

    @property
    def cell(self) -> str:
        """The name of this cell for people and for guesses of time; never a file name."""
        return f"{self.task} {self.subject.spec} {self.dataset}"


def subject_of(compressor: Compressor) -> Subject:
    """Return the description of a compressor, without the path of its plugin."""
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
        # A codec takes any byte.
        alphabet=compressor.alphabet if isinstance(compressor, Stepwise) else 256,
        ladder_field=compressor.ladder_field or "",
    )


def to_json(job: Job) -> dict[str, Any]:
    """Return the job as plain values."""
    return asdict(job)


def from_json(values: Mapping[str, Any]) -> Job:
    """Return the job that `to_json` wrote."""
    # JSON has no tuples, and equal jobs must compare equal.
    subject = {**values["subject"], "needs": tuple(values["subject"]["needs"])}
    return Job(**{**values, "subject": Subject(**subject)})
