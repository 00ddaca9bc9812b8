"""Registration of a run: `registration.json`, the design and the date it was written.

A registration is the sha256 of the design. It is never changed once records exist: results
say how the design of the run differs from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from harness.atomic import write_atomic
from harness.errors import StoreError
from harness.planning.design import Document, design_changes, design_hash
from harness.planning.preregistration import ANALYSIS_VERSION
from harness.records.job import BASELINE
from harness.records.record import Record
from harness.suggest import fault_of

FILE = "registration.json"
N_SHOWN = 16
"""Hexadecimal digits of the hash in a sentence."""
UNREGISTERED = "no registration.json stood in the folder before its records"


class RegisteredDesign(BaseModel):
    """Contents of `registration.json`.

    Attributes:
        hash: sha256 of the canonical text of the document.
        date: UTC, ISO 8601, when it was written.
        version: of bitprobe.
        commit: of bitprobe's sources, "-dirty" after it where they were changed since; ""
            where they are no git checkout.
        document: of `design_of`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    suite: str
    hash: str
    date: str
    version: str = ""
    commit: str = ""
    document: dict[str, Any]

    @model_validator(mode="after")
    def _untouched(self) -> Self:
        # Without this, a document edited by hand would still pass as registered.
        if design_hash(self.document) != self.hash:
            raise ValueError("its hash is not that of its document")
        return self

    @property
    def words(self) -> str:
        """Hash and date for a sentence."""
        return f"{self.hash[:N_SHOWN]} on {self.date}"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Relation of the records of a run to its registration.

    Attributes:
        registered: None where there is none.
        changes: differences of the run's design from the registered one, a line each.
        n_before, n_records: records older than the registration, of all.
    """

    registered: RegisteredDesign | None = None
    changes: tuple[str, ...] = ()
    n_before: int = 0
    n_records: int = 0

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reasons why results are exploratory; empty where the registration covers them."""
        if self.registered is None:
            return (UNREGISTERED,)
        reasons = []
        if self.n_before:
            reasons.append(
                f"registered after {self.n_before} of {self.n_records} records existed"
            )
        if self.changes:
            reasons.append(f"changed after registration: {'; '.join(self.changes)}")
        return tuple(reasons)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Hash and date, then the reasons why results are exploratory."""
        reasons = (f"Exploratory: {reason}." for reason in self.reasons)
        if self.registered is None:
            return tuple(reasons)
        return (f"Registered {self.registered.words}.", *reasons)

    def shortened(self, n_changes: int) -> Standing:
        """Return the same with the first changes, and the number of those left out."""
        n_more = len(self.changes) - n_changes
        if n_more < 1:
            return self
        more = f"and {n_more} more, which `bitprobe hypothesis` lists"
        return replace(self, changes=(*self.changes[:n_changes], more))


def read_registration(folder: Path) -> RegisteredDesign | None:
    """Return the registration of a folder, or None where there is none.

    Raises:
        StoreError: the file is not legal, or its hash is not that of its document.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return RegisteredDesign.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise StoreError(
            f"{path}: {fault_of(error)}; get the file again, or delete it and results "
            "are exploratory"
        ) from error


def write_registration(folder: Path, registered: RegisteredDesign) -> None:
    """Write `registration.json`, whole or not at all; the folder is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / FILE, registration_text(registered))


def registration_text(registered: RegisteredDesign) -> bytes:
    """Return the bytes of `registration.json`."""
    return registered.model_dump_json(indent=1).encode() + b"\n"


def standing_of(
    registered: RegisteredDesign | None, design: Document, records: Iterable[Record]
) -> Standing:
    """Return the relation of records to a registration.

    Args:
        registered: of the folder.
        design: of the newest official run; empty where none says it.
        records: of the run.
    """
    records = list(records)
    if registered is None:
        return Standing(n_records=len(records))
    document = registered.document
    current = dict(design or document)
    compressors = dict(current["compressors"])
    # `--also` and `--only` may add compressors that the suite does not list.
    for record in records:
        if record.job.task != BASELINE:
            compressors.setdefault(record.spec, [])
    # Results are computed when they are read, by the definitions of that day.
    versions = {**current["versions"], "analysis": ANALYSIS_VERSION}
    current |= {"compressors": compressors, "versions": versions}
    return Standing(
        registered=registered,
        changes=design_changes(document, current),
        # Dates in one format, in UTC: their order is that of their texts.
        n_before=sum(bool(r.date) and r.date < registered.date for r in records),
        n_records=len(records),
    )
