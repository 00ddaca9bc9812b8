"""The registered hypothesis: what a suite says it will test, before it has records."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import StoreError

FILE = "hypothesis.json"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Claim(_Strict):
    """One claim: a better held-out rate goes with a better score.

    Attributes:
        name: "G", as a generative classifier, decided between families; "R", of features
            learned without labels, decided within families.
        label: sets claims of one name apart; the name where empty.
        task, score, equal_bytes: the readout.
        compressors: specs; empty takes all that the block holds.
        datasets: of this claim; empty takes those of the hypothesis.
        secondary: reported beside the registered claims, outside of Holm's correction.
    """

    name: Literal["G", "R"]
    label: str = ""
    task: str
    score: str = "balanced_accuracy"
    equal_bytes: bool = False
    compressors: list[str] = []
    datasets: list[str] = []
    secondary: bool = False

    @property
    def title(self) -> str:
        """How tables call it."""
        return self.label or self.name


class Registration(_Strict):
    """The `[hypothesis]` of a suite.

    Attributes:
        claims: tested with Holm's correction over those that are not secondary.
        families: that count; empty takes all but `excluded_families`.
        datasets: of the block.
        block: "complete": compressors with both numbers on every data set.
        statistic: the registered statistic.
        draws: repetitions that every cell must have.
        n_permutations, n_resamples: behind p-values and intervals.
        alpha: level of the test.
        smallest_effect: a correlation below it would not matter; it parts "not
            supported" from "undecided".
        intra_family: correlation inside families assumed for the detectable effect.
        seed: of permutations, resamples and simulations.
        interventions: specs of one network by what was changed, for the one-curve question.
        tolerance: deviation from one curve, in accuracy, that would not matter.
    """

    claims: list[Claim] = Field(min_length=1)
    families: list[str] = []
    excluded_families: list[str] = []
    datasets: list[str] = Field(min_length=1)
    block: Literal["complete"] = "complete"
    statistic: Literal["mean within-dataset Spearman"] = "mean within-dataset Spearman"
    draws: int = Field(default=1, ge=1)
    n_permutations: int = Field(default=9999, ge=99)
    n_resamples: int = Field(default=2000, ge=100)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    smallest_effect: float = Field(default=0.5, gt=0, le=1)
    intra_family: float = Field(default=0.7, ge=0, lt=1)
    seed: int = Field(default=0, ge=0)
    interventions: dict[str, list[str]] = {}
    tolerance: float = Field(default=0.05, gt=0, lt=1)

    @model_validator(mode="after")
    def _titles_once(self) -> Registration:
        titles = [claim.title for claim in self.claims]
        twice = sorted({title for title in titles if titles.count(title) > 1})
        if twice:
            raise ValueError(f"two claims are called {twice[0]!r}; give one a label")
        return self

    def spelled(self, shortest: Callable[[str], str]) -> Registration:
        """Return the same with every spec as `shortest` writes it, as records do."""
        claims = [
            claim.model_copy(
                update={"compressors": [shortest(spec) for spec in claim.compressors]}
            )
            for claim in self.claims
        ]
        interventions = {
            name: [shortest(spec) for spec in specs]
            for name, specs in self.interventions.items()
        }
        return self.model_copy(
            update={"claims": claims, "interventions": interventions}
        )

    @property
    def hash(self) -> str:
        """The sha256 of its canonical JSON: any change changes it."""
        values = self.model_dump(mode="json")
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class Registered(_Strict):
    """What stands in a folder of records since its first run.

    Attributes:
        hash: of the registration then; "" where there was none.
        n_records_before: records that the folder had already.
    """

    hash: str
    n_records_before: int = Field(ge=0)


def register(folder: Path, registration: Registration | None) -> Registered:
    """Write into a folder, once and before its records, what was registered.

    A folder that has the file keeps it. Call it before the first job of every run.

    Returns:
        What stands there.

    Raises:
        StoreError: the file there is not legal.
    """
    known = read_registered(folder)
    if known is not None:
        return known
    n_before = sum(1 for _ in (folder / "records").glob("*.json"))
    found = Registered(
        hash="" if registration is None else registration.hash,
        n_records_before=n_before,
    )
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{FILE}.{os.getpid()}"
    temporary.write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / FILE)
    return found


def read_registered(folder: Path) -> Registered | None:
    """Return what was registered in a folder, or None where nothing was.

    Raises:
        StoreError: the file is not legal.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        return Registered.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        raise StoreError(
            f"{path}: {first['msg'].lower()}; delete it, results are exploratory then"
        ) from error


def why_exploratory(registration: Registration, registered: Registered | None) -> str:
    """Return why a test is exploratory; "" where it was registered before its records."""
    if registered is None:
        return "the folder does not say what was registered when its records were made"
    if registered.hash != registration.hash:
        return "the registration was changed after records existed"
    if registered.n_records_before:
        return (
            f"{registered.n_records_before} records were there before the registration"
        )
    return ""
