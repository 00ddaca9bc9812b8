"""Columns of a leaderboard: those that tasks declare, where a data set has their scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from harness.records.job import BASELINE
from harness.records.record import Record
from harness.records.score import Score
from harness.tasks.catalog import TASKS
from harness.tasks.column import Column


@dataclass(frozen=True, kw_only=True)
class BoardColumn:
    """A task's column on one board.

    Attributes:
        declaration: the task's own words about it.
        equal_bytes: whether it is the task with equal bytes for each class.
        header: the column's words, and "equal bytes" where the board has both.
    """

    declaration: Column
    task: str
    equal_bytes: bool
    header: str


def declared_columns() -> tuple[tuple[str, Column], ...]:
    """Return all columns of tasks: those that rank, class readouts, then the others.

    Inside each of the three, the order is the catalog's.
    """
    # Read at each call and not at import: a test may declare another task.
    columns = [
        (task.name, column) for task in TASKS.values() for column in task.columns
    ]
    return tuple(
        sorted(columns, key=lambda pair: (not pair[1].ranks, not pair[1].is_readout))
    )


def board_columns(means: pd.DataFrame) -> list[BoardColumn]:
    """Return the columns that any compressor has a score of."""
    # A column of baselines alone would compare with nothing.
    compressors = means[means["family"] != BASELINE]
    keys = ["task", "score", "equal_bytes"]
    scores = set(compressors[keys].itertuples(index=False, name=None))
    values = compressors.groupby(keys)["value"].unique()
    columns: list[BoardColumn] = []
    for task, column in declared_columns():
        variants = [e for e in (True, False) if (task, score_name(column), e) in scores]
        # Held-out and cold rates answer different questions: one of them ranks.
        if column.ranks and any(other.declaration.ranks for other in columns):
            continue
        silent = column.goes_without_saying
        columns += [
            BoardColumn(
                declaration=column,
                task=task,
                equal_bytes=equal_bytes,
                header=_header(column, equal=equal_bytes and len(variants) > 1),
            )
            for equal_bytes in variants
            if silent is None
            or set(values[task, score_name(column), equal_bytes]) != {silent}
        ]
    return columns


def _header(column: Column, *, equal: bool) -> str:
    return f"{column.header}, equal bytes" if equal else column.header


def score_name(column: Column, *, deduplicated: bool = False) -> str:
    """Return the name that the score table has for a column's score."""
    score = Score(
        metric=column.metric,
        variant=column.variant,
        deduplicated=deduplicated,
        value=math.nan,
        unit="",
    )
    return score.name


def equal_bytes_of(record: Record) -> bool:
    """Return whether a record's task gave every class the same number of bytes."""
    return bool(record.job.parameters.get("equal_bytes", False))
