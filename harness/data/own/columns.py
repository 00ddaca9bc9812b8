"""Columns of a table, guessed: the label, the sample, and the split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.data.own.raw import SPLITS
from harness.data.own.table import check_columns, is_list, listed
from harness.errors import DatasetError

if TYPE_CHECKING:
    import pandas as pd

LABELS = (
    *("label", "labels", "class", "target", "category", "topic", "y"),
    *("sentiment", "language", "intent", "species"),
)
TEXTS = (
    *("text", "sample", "sentence", "content", "body", "document", "message"),
    *("review", "sequence", "question", "title", "image", "img", "series", "x"),
)
"""Usual names, the likeliest first."""
N_CLASSES = 100
"""Most different values of a column that is a label without being called so."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the user says of own data; empty means that it is guessed."""

    label: str = ""
    sample: Sequence[str] = ()
    split: str = ""
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Columns of a table: label and split are empty where there are none."""

    label: str
    sample: Sequence[str]
    split: str
    is_numeric: bool

    @property
    def words(self) -> str:
        """What was chosen, in words."""
        kind = "numbers of" if self.is_numeric else "text of"
        sample = ", ".join(self.sample)
        if len(self.sample) > 3:
            sample = (
                f"{len(self.sample)} columns, {self.sample[0]} to {self.sample[-1]}"
            )
        split = f", split by {self.split!r}" if self.split else ""
        return f"label {self.label!r}, {kind} {sample}{split}"


def guess_columns(frame: pd.DataFrame, where: str, asked: Asked) -> Columns:
    """Return the columns of a table, as asked for or else as their names and values suggest.

    Raises:
        DatasetError: a column that is asked for is missing, or none is clearly the label or
            the sample.
    """
    check_columns(frame, [asked.label, asked.split, *asked.sample], where)
    split = asked.split or _split_column(frame, {asked.label, *asked.sample})
    label = asked.label or _label_column(frame, {split, *asked.sample}, where)
    sample = list(asked.sample) or _sample_columns(frame, {label, split}, where)
    return Columns(
        label=label,
        sample=sample,
        split=split,
        is_numeric=all(_is_numeric(frame[column]) for column in sample),
    )


def _split_column(frame: pd.DataFrame, taken: set[str]) -> str:
    for column in frame.columns:
        if column in taken or frame[column].nunique() > len(SPLITS):
            continue
        values = {str(value).strip().lower() for value in frame[column].unique()}
        if len(values) > 1 and values <= SPLITS:
            return str(column)
    return ""


def _label_column(frame: pd.DataFrame, taken: set[str], where: str) -> str:
    columns = [str(column) for column in frame.columns if column not in taken]
    if named := _named(columns, LABELS):
        return named
    few = [
        column
        for column in columns
        # A label is one value for many rows.
        if not is_list(frame[column].iloc[0])
        and not isinstance(frame[column].iloc[0], dict)
        and 2 <= frame[column].nunique() <= min(N_CLASSES, len(frame) // 2)
    ]
    texts = [column for column in few if not _is_numeric(frame[column])]
    # Beside columns of numbers, the only text is the label.
    for choices in (few, texts):
        if len(choices) == 1:
            return choices[0]
    raise DatasetError(
        f"{where}: which column is the label? there are: {listed(frame)}; "
        "say it with bitprobe new dataset FILE --label COLUMN"
    )


def _sample_columns(frame: pd.DataFrame, taken: set[str], where: str) -> list[str]:
    columns = [str(column) for column in frame.columns if column not in taken]
    if named := _named(columns, TEXTS):
        return [named]
    if not columns:
        raise DatasetError(f"{where}: no column is left for the sample")
    if all(_is_numeric(frame[column]) for column in columns):
        return columns
    texts = [column for column in columns if not _is_numeric(frame[column])]
    # The longest texts are the documents; others are names and places.
    return [max(texts, key=lambda column: frame[column].map(_length).mean())]


def _named(columns: Sequence[str], names: Sequence[str]) -> str:
    by_name = {column.strip().lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), "")


def _is_numeric(values: pd.Series) -> bool:
    import pandas as pd

    first = values.iloc[0]
    if is_list(first):
        return all(is_list(value) for value in values)
    if isinstance(first, dict | bytes):
        return False
    return bool(pd.to_numeric(values, errors="coerce").notna().all())


def _length(cell: object) -> int:
    return len(cell) if isinstance(cell, str | bytes) else 0
