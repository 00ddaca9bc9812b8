"""A suite: a TOML file that says which compressors, data sets and tasks, and with what limits."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import SuiteError


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DatasetRow(_Strict):
    """A data set and its caps; the subset is stratified and seeded."""

    name: str
    train: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)


class TaskRow(_Strict):
    """A task and its parameters."""

    name: Literal["rates", "class_scratch"]
    equal_bytes: bool | None = None


class Limits(_Strict):
    """What one job may use."""

    timeout_seconds: float = Field(default=600, gt=0)
    memory_bytes: int = Field(default=4 << 30, gt=0)


class Suite(_Strict):
    """Everything a run needs to know."""

    name: str
    title: str
    seed: int = Field(default=0, ge=0)
    compressors: list[str] = Field(min_length=1)
    baselines: list[Literal["majority", "tfidf_svm", "true_source"]] = []
    datasets: list[DatasetRow] = Field(min_length=1)
    tasks: list[TaskRow] = Field(min_length=1)
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _names_once(self) -> Suite:
        names = [*self.compressors, *(row.name for row in self.datasets)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{twice[0]!r} is listed twice")
        return self


def suites_folder() -> Path:
    """Return the folder of the suites that come with bitprobe."""
    package = Path(__file__).parent
    inside = package / "suites"
    return inside if inside.is_dir() else package.parent / "suites"


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
