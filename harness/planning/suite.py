"""Suite: a TOML file of compressors, data sets and tasks, with limits and claims."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from harness.contract.registry import Registry, load_registry
from harness.data.shelf import Shelf, load_shelf
from harness.errors import DatasetError, SpecError, SuiteError
from harness.folders import builtin_folder
from harness.planning.configurations import Configurations
from harness.planning.preregistration import Registration
from harness.planning.specs import expand, expand_additions
from harness.planning.suite_errors import first_error
from harness.suggest import hint
from harness.tasks.baseline import METHODS
from harness.tasks.catalog import TASKS


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DatasetRow(_Strict):
    """A data set and its caps; the subset is stratified and seeded.

    `planning/specs.py` says what patterns match.

    Attributes:
        also: specs or patterns of compressors for this data set beside the suite's, such as
            image codecs; `skip` and `only` do not touch them.
        skip: patterns of the suite's compressors that this data set leaves out.
        only: patterns of the suite's compressors that this data set keeps; empty keeps all.
        optional: the data set is left out, with a message, where it cannot be fetched.
    """

    name: str
    optional: bool = False
    also: list[str] = []
    skip: list[str] = []
    only: list[str] = []
    train: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)


class TaskRow(BaseModel):
    """A task, its own caps on the splits, and its parameters under their own names.

    `planning/specs.py` says what patterns match.

    Attributes:
        skip: patterns of compressors that are too slow for this task.
        only: patterns of the only compressors that take this task; empty for all.
    """

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str
    skip: list[str] = []
    only: list[str] = []
    train: int | None = Field(default=None, ge=1)
    test: int | None = Field(default=None, ge=1)

    @property
    def parameters(self) -> dict[str, Any]:
        """The task's parameters as the suite gives them; the task checks them."""
        return dict(self.model_extra or {})


class Limits(_Strict):
    """Time and memory that one job may use."""

    timeout_seconds: float = Field(default=600, gt=0)
    memory_bytes: int = Field(default=4 << 30, gt=0)


def _row(value: Any) -> Any:
    """Return the table that a plain name stands for."""
    return {"name": value} if isinstance(value, str) else value


def _list(value: Any) -> Any:
    """Return the list that a single table stands for."""
    return [value] if isinstance(value, dict) else value


class Suite(_Strict):
    """Contents of a suite file.

    Specs may list values (`planning/specs.py`); `load_suite` and `plan` multiply them out.

    Attributes:
        seed: of the first draw; each further draw adds one.
        draws: repetitions with other subsets, orders, shards and seeds.
        compressors: specs; a glob or a family adds registered compressors as they are.
        configurations: random ones, drawn for each data set; `also` of the rows gets them.
        rates_only: specs of codecs that take no task but rates.
        datasets, tasks: rows; a plain name is a row without caps.
        hypothesis: the claims that a run tests, registered before its records.
        notes: remarks that stand beside every result of a compressor, by its name.
    """

    name: str
    title: str
    seed: int = Field(default=0, ge=0)
    draws: int = Field(default=1, ge=1, le=100)
    compressors: list[str] = []
    configurations: Annotated[list[Configurations], BeforeValidator(_list)] = []
    rates_only: list[str] = []
    notes: dict[str, str] = {}
    baselines: list[str] = []
    datasets: list[Annotated[DatasetRow, BeforeValidator(_row)]] = Field(min_length=1)
    tasks: list[Annotated[TaskRow, BeforeValidator(_row)]] = Field(min_length=1)
    limits: Limits = Limits()
    hypothesis: Registration | None = None

    @property
    def specs(self) -> list[str]:
        """All specs, each once, in order: of all data sets, then of single ones."""
        # Two data sets may add the same specs, such as the image codecs.
        own_specs = [spec for row in self.datasets for spec in row.also]
        return list(dict.fromkeys([*self.compressors, *self.rates_only, *own_specs]))

    def on(self, datasets: Sequence[str]) -> Suite:
        """Return the suite on other data sets, without its claims, under another name.

        They get the loosest caps that any of its own has, so that a run takes as long as
        the suite's.
        """
        train = [row.train for row in self.datasets if row.train]
        test = [row.test for row in self.datasets if row.test]
        rows = [
            DatasetRow(
                name=name, train=max(train, default=None), test=max(test, default=None)
            )
            for name in dict.fromkeys(datasets)
        ]
        drawn = [row for row in self.configurations if not row.datasets]
        return self.model_copy(
            update={
                "name": "-".join([self.name, *(row.name for row in rows)]),
                "title": f"{self.title}, on {', '.join(row.name for row in rows)}",
                "datasets": rows,
                "configurations": drawn,
                "hypothesis": None,
            }
        )

    @model_validator(mode="after")
    def _check(self) -> Suite:
        # As they are written; `plan` also merges two spellings of one configuration.
        _check_once([*self.compressors, *self.rates_only, *self.baselines])
        _check_once([row.name for row in self.datasets])
        _check_once([row.name for row in self.tasks])
        if not (self.compressors or self.configurations):
            raise SuiteError("compressors lists none; give one or more")
        self._check_configurations()
        for i, row in enumerate(self.tasks, start=1):
            _check_task(row, f"tasks, row {i}")
        for name in self.baselines:
            _check_name(name, METHODS, "baselines: no baseline")
        if self.hypothesis:
            self._check_hypothesis(self.hypothesis)
        return self

    def _check_configurations(self) -> None:
        datasets = [row.name for row in self.datasets]
        for i, row in enumerate(self.configurations, start=1):
            for name in row.datasets:
                place = f"configurations, row {i}: the suite has no data set"
                _check_name(name, datasets, place)

    def _check_hypothesis(self, registration: Registration) -> None:
        tasks = [row.name for row in self.tasks]
        datasets = [row.name for row in self.datasets]
        for name in registration.datasets:
            _check_name(name, datasets, "hypothesis: the suite has no data set")
        for i, claim in enumerate(registration.claims, start=1):
            place = f"hypothesis, claims, row {i}: the suite has no"
            _check_name(claim.task, tasks, f"{place} task")
            for name in claim.datasets:
                _check_name(name, datasets, f"{place} data set")

    def expanded(self, registry: Registry) -> Suite:
        """Return the suite with every list of values in a spec multiplied out.

        Patterns of `skip` and `only` stay: they select among these specs.

        Raises:
            SpecError: a spec does not parse, or a glob or family matches nothing.
            SuiteError: a spec is listed twice.
        """
        # Validated again, as an expanded list may repeat a spec.
        return Suite.model_validate(
            {
                **dict(self),
                "compressors": expand_additions(self.compressors, registry),
                "rates_only": expand_additions(self.rates_only, registry),
                "datasets": [
                    row.model_copy(update={"also": self._additions(row, registry)})
                    for row in self.datasets
                ],
                "hypothesis": self.hypothesis
                and _expanded_registration(self.hypothesis, registry),
            }
        )

    def _additions(self, row: DatasetRow, registry: Registry) -> list[str]:
        """Return the specs of one data set alone: those of its row, and those drawn."""
        specs = expand_additions(row.also, registry)
        for configurations in self.configurations:
            specs += configurations.specs(row.name, registry)
        # Once each: an expanded suite may be expanded again.
        return list(dict.fromkeys(specs))


def suite_size(suite: Suite) -> dict[str, int]:
    """Return the numbers of data sets, compressors and draws of a loaded suite."""
    return {
        "n_datasets": len(suite.datasets),
        "n_compressors": len(suite.specs),
        "n_draws": suite.draws,
    }


def suites_folder() -> Path:
    """Return the folder of the suites that come with bitprobe."""
    return builtin_folder("suites")


def suite_names() -> list[str]:
    """Return the names of the suites that come with bitprobe."""
    return sorted(path.stem for path in suites_folder().glob("*.toml"))


def load_suite(
    name: str, registry: Registry | None = None, shelf: Shelf | None = None
) -> Suite:
    """Return the suite of this name, or of a TOML file, with its specs expanded.

    Args:
        name: of a suite that comes with bitprobe, or a path that ends in ".toml".
        registry: knows which fields take a list; None for the plugins that are installed.
        shelf: gets the cards of files that the suite names, from its own folder; None where
            they are of no use.

    Raises:
        SuiteError: there is none, or it is not legal; one line says what and where.
        SpecError: the same for a spec in it.
        DatasetError: a file that it names cannot be read.
    """
    path = _path_of(name)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        _name_files(values, shelf or load_shelf(), path.parent)
        suite = Suite.model_validate(values)
        return suite.expanded(registry or _installed())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SuiteError(f"{name} cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise SuiteError(f"{path.name} is not a UTF-8 text; save it as one") from error
    except tomllib.TOMLDecodeError as error:
        message = (
            f"{path.name}: not valid TOML: {str(error)[:1].lower()}{str(error)[1:]}"
        )
        raise SuiteError(message) from error
    except ValidationError as error:
        raise SuiteError(f"{path.name}: {first_error(error, Suite)}") from error
    except (SuiteError, SpecError, DatasetError) as error:
        raise type(error)(f"{path.name}: {error}") from error


def _name_files(values: dict[str, Any], shelf: Shelf, folder: Path) -> None:
    """Replace the paths among the data sets of a suite by the names of their cards."""
    rows = values.get("datasets")
    # Anything else is a fault that the model finds.
    if not isinstance(rows, list):
        return
    for i, row in enumerate(rows):
        if isinstance(row, str):
            rows[i] = shelf.resolve(row, folder)
        elif isinstance(row, dict) and isinstance(row.get("name"), str):
            row["name"] = shelf.resolve(row["name"], folder)


@cache
def _installed() -> Registry:
    return load_registry()


def _path_of(name: str) -> Path:
    if name.endswith(".toml"):
        if not Path(name).exists():
            raise SuiteError(f"there is no file {name}")
        return Path(name)
    path = suites_folder() / f"{name}.toml"
    if not path.is_file():
        # A file of the user is named with its ending, so that it hides no suite of bitprobe.
        is_file = Path(f"{name}.toml").is_file()
        advice = hint(name, [f"{name}.toml"] if is_file else suite_names())
        raise SuiteError(f"no suite {name!r}; {advice}")
    return path


def _expanded_registration(
    registration: Registration, registry: Registry
) -> Registration:
    # No globs here: the hash must not depend on what is installed.
    claims = [
        claim.model_copy(update={"compressors": expand(claim.compressors, registry)})
        for claim in registration.claims
    ]
    interventions = {
        name: expand(specs, registry)
        for name, specs in registration.interventions.items()
    }
    return registration.model_copy(
        update={"claims": claims, "interventions": interventions}
    )


def _check_once(names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SuiteError(f"{repeated[0]!r} is listed twice")


def _check_task(row: TaskRow, place: str) -> None:
    _check_name(row.name, TASKS, f"{place}: no task")
    task = TASKS[row.name]
    # The model allows extra fields; those that are no parameter are mistakes in the row.
    names = [*TaskRow.model_fields, *(field.name for field in fields(task.parameters))]
    for name in row.parameters:
        _check_name(name, names, f"{place}: no field")
    task.complete(row.parameters)


def _check_name(
    name: str, names: Iterable[str] | Mapping[str, Any], problem: str
) -> None:
    if name not in names:
        raise SuiteError(f"{problem} {name!r}; {hint(name, names)}")
