"""A suite: a TOML file that says which compressors, data sets and tasks, and with what limits."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import SuiteError
from harness.folders import builtin_folder
from harness.planning.preregistration import Registration
from harness.tasks.baseline import METHODS
from harness.tasks.catalog import TASKS


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DatasetRow(_Strict):
    """A data set and its caps; the subset is stratified and seeded.

    Attributes:
        also: specs of compressors for this data set only, such as image codecs.
        optional: leave it out, and say so, where it cannot be had.
    """

    name: str
    optional: bool = False
    also: list[str] = []
    train: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)


class TaskRow(BaseModel):
    """A task, its own caps on the splits, and its parameters under their own names.

    Attributes:
        skip: compressors that are too slow for this task: a spec, or the name for all
            configurations of one.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str
    skip: list[str] = []
    train: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)

    @property
    def parameters(self) -> dict[str, Any]:
        """What the suite gives beyond name and caps; the task checks it."""
        return dict(self.model_extra or {})


class Limits(_Strict):
    """What one job may use."""

    timeout_seconds: float = Field(default=600, gt=0)
    memory_bytes: int = Field(default=4 << 30, gt=0)


class Suite(_Strict):
    """Everything a run needs to know.

    Attributes:
        seed: of the first draw; each further draw adds one.
        draws: repetitions with other subsets, orders, shards and seeds.
        rates_only: specs of codecs that take no task but rates.
        hypothesis: what a run of the suite tests, registered before its records.
        notes: remarks that stand beside every result of a compressor, by its name.
    """

    name: str
    title: str
    seed: int = Field(default=0, ge=0)
    draws: int = Field(default=1, ge=1, le=100)
    compressors: list[str] = Field(min_length=1)
    rates_only: list[str] = []
    notes: dict[str, str] = {}
    baselines: list[str] = []
    datasets: list[DatasetRow] = Field(min_length=1)
    tasks: list[TaskRow] = Field(min_length=1)
    limits: Limits = Limits()
    hypothesis: Registration | None = None

    @model_validator(mode="after")
    def _names_once_and_known(self) -> Suite:
        names = [*self.compressors, *self.rates_only, *self.baselines]
        names += [row.name for row in self.datasets]
        names += [row.name for row in self.tasks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is listed twice")
        for row in self.tasks:
            _known(row.name, list(TASKS), "task")
            TASKS[row.name].complete(row.parameters)
            for spec in row.skip:
                _known(spec, self._specs_and_names(), "compressor")
        for name in self.baselines:
            _known(name, list(METHODS), "baseline")
        if self.hypothesis:
            self._check_hypothesis(self.hypothesis)
        return self

    def _check_hypothesis(self, registration: Registration) -> None:
        tasks, datasets = (
            [row.name for row in rows] for rows in (self.tasks, self.datasets)
        )
        for claim in registration.claims:
            _known(claim.task, tasks, "task of the suite")
            for name in (*claim.datasets, *registration.datasets):
                _known(name, datasets, "data set of the suite")

    def _specs_and_names(self) -> list[str]:
        also = [spec for row in self.datasets for spec in row.also]
        specs = [*self.compressors, *also]
        return [*specs, *(spec.partition("(")[0] for spec in specs)]


def suites_folder() -> Path:
    """Return the folder of the suites that come with bitprobe."""
    return builtin_folder("suites")


def suite_names() -> list[str]:
    """Return the names of the suites at hand."""
    return sorted(path.stem for path in suites_folder().glob("*.toml"))


def load_suite(name: str) -> Suite:
    """Return the suite of this name, or of a TOML file.

    Raises:
        SuiteError: there is none, or it is not legal; one line says what and where.
    """
    path = Path(name) if name.endswith(".toml") else suites_folder() / f"{name}.toml"
    if not path.is_file():
        close = difflib.get_close_matches(name, suite_names(), n=1)
        hint = (
            f"did you mean {close[0]}?"
            if close
            else f"there are: {', '.join(suite_names())}"
        )
        raise SuiteError(f"no suite {name!r}; {hint}")
    try:
        return Suite.model_validate(tomllib.loads(path.read_text()))
    except tomllib.TOMLDecodeError as error:
        raise SuiteError(f"{path.name}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SuiteError(f"{path.name}: {where}: {first['msg']}") from error
    except SuiteError as error:
        raise SuiteError(f"{path.name}: {error}") from error


def _known(name: str, names: list[str], what: str) -> None:
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}"
        raise SuiteError(f"no {what} named {name!r}; {hint}")
