"""Rows of published figures: whose, on which data, by which protocol, and ours beside them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import SuiteError
from harness.folders import builtin_folder
from harness.suggest import fault_of

FILE = "published/rows.toml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """Publication that a figure is from.

    Attributes:
        citation: author, title, year.
        url: of the page or file that prints the figure.
        checked: the copy in which the figure was read.
    """

    citation: str
    url: str
    checked: str


class Row(_Strict):
    """One published figure.

    Attributes:
        name: of the row, for `--only`.
        source: key of the publication.
        data: data set, in words.
        protocol: name in `harness.published.protocols`.
        parameters: of the protocol.
        method: the protocol in words.
        figure: as printed, so that its digits are known.
        unit: of the figure.
        beside: whether ours is another method on the same data, shown beside theirs.
    """

    name: str
    source: str
    data: str
    protocol: str
    parameters: dict[str, Any] = {}
    method: str
    figure: str = Field(pattern=r"^\d[\d,]*(\.\d+)?$")
    unit: str
    beside: bool = False

    @property
    def value(self) -> float:
        """The figure as a number."""
        return float(self.figure.replace(",", ""))

    @property
    def n_digits(self) -> int:
        """Digits after the point that are printed."""
        return len(self.figure.partition(".")[2])


class Table(_Strict):
    """All rows, and the publications that they are from."""

    sources: dict[str, Source]
    rows: list[Row]

    @model_validator(mode="after")
    def _complete(self) -> Table:
        names = [row.name for row in self.rows]
        if len(set(names)) < len(names):
            raise ValueError("two rows have one name")
        lacking = {row.source for row in self.rows} - set(self.sources)
        if lacking:
            raise ValueError(f"no source {min(lacking)!r}")
        return self


class Outcome(_Strict):
    """Result of recomputing a row.

    Attributes:
        ours: None where the data cannot be had; `reason` says why.
        seconds: of CPU that the protocol took.
    """

    row: Row
    ours: float | None
    reason: str = ""
    seconds: float = 0.0

    @property
    def is_equal(self) -> bool:
        """True where ours rounds to the digits that are printed."""
        if self.ours is None:
            return False
        return round(self.ours, self.row.n_digits) == self.row.value

    @property
    def difference(self) -> float | None:
        """Ours minus theirs."""
        return None if self.ours is None else self.ours - self.row.value


def published_table() -> Table:
    """Return the table of published figures.

    Raises:
        SuiteError: the file is not legal.
    """
    path = builtin_folder("suites") / FILE
    try:
        return Table.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        what = fault_of(error) if isinstance(error, ValidationError) else str(error)
        raise SuiteError(f"{path.name}: {what}; correct the file") from error


def selected_rows(table: Table, patterns: Sequence[str]) -> list[Row]:
    """Return the rows whose names match one of the patterns, or all without patterns.

    Raises:
        SuiteError: a pattern matches no row.
    """
    for pattern in patterns:
        if not any(fnmatchcase(row.name, pattern) for row in table.rows):
            names = ", ".join(row.name for row in table.rows)
            raise SuiteError(f"no published row {pattern!r}; there are: {names}")
    return [
        row
        for row in table.rows
        if not patterns or any(fnmatchcase(row.name, each) for each in patterns)
    ]
