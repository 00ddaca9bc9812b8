"""Own data before they are split: labels, and samples as bytes or as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.data.formats.rows import Row, Rows, quantised
from harness.data.reading import Quantise, SplitRule
from harness.data.splitting import split_rows
from harness.errors import DatasetError

TRAIN = frozenset({"train", "training"})
TEST = frozenset({"test", "testing"})
VALIDATION = frozenset({"validation", "valid", "val", "dev"})
SPLITS = TRAIN | TEST | VALIDATION
"""Names of splits, in lower case."""


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Own data as they were read, in order.

    Attributes:
        where: the file, for messages.
        labels: of each sample, any values; empty strings or missing values without labels.
        samples: bytes of each sample, or the numbers that a rule turns into bytes.
        splits: name of the split of each sample; None where the data have no split.
        shape: of images.
    """

    where: str
    labels: Sequence[object]
    samples: Sequence[bytes | NDArray[np.float64]]
    splits: Sequence[str] | None = None
    shape: tuple[int, ...] | None = None

    def rows(
        self, rule: Quantise | None, *, n_test: int, seed: int
    ) -> tuple[Rows, Rows]:
        """Return the rows of train and of test.

        Args:
            rule: for samples of numbers; None for bytes.
            n_test: samples that are drawn as test, by class, where the data have no split.
            seed: of this draw.

        Raises:
            DatasetError: labels are missing, or a split has no rows.
        """
        rows = [
            Row(label, self._bytes_of(sample, rule))
            for label, sample in zip(self._names(), self.samples, strict=True)
        ]
        train, test = self._split(n_test, seed)
        return [rows[i] for i in train], [rows[i] for i in test]

    def train_numbers(self, *, n_test: int, seed: int) -> list[NDArray[np.float64]]:
        """Return the numbers of the train split, from which a rule may be chosen."""
        train, _ = self._split(n_test, seed)
        return [np.asarray(self.samples[i], np.float64) for i in train]

    def _bytes_of(
        self, sample: bytes | NDArray[np.float64], rule: Quantise | None
    ) -> bytes:
        return sample if isinstance(sample, bytes) else quantised(sample, rule)

    def _names(self) -> list[str]:
        if len(self.labels) != len(self.samples):
            raise DatasetError(
                f"{self.where}: {len(self.samples)} samples, {len(self.labels)} labels"
            )
        names = [_name(label) for label in self.labels]
        if "" in names and any(names):
            raise DatasetError(
                f"{self.where}: row {names.index('') + 1} of {len(names)} has no label; "
                "label it or leave it out"
            )
        return names

    def _split(self, n_test: int, seed: int) -> tuple[list[int], list[int]]:
        if self.splits is not None:
            return self._named_split(self.splits)
        # The place of a row stands for its sample, which no split looks at.
        rows = [Row(name, b"", str(i)) for i, name in enumerate(self._names())]
        counts = Counter(row.label for row in rows)
        # In test, the only sample of a class could never be answered.
        alone = [row for row in rows if counts[row.label] == 1]
        if len(alone) < len(rows):
            rows = [row for row in rows if counts[row.label] > 1]
        else:
            alone = []
        rule = SplitRule(rule="seeded", seed=seed)
        parts = split_rows(rows, rule, min(n_test, len(rows) - 1), name=self.where)
        train, test = ([int(row.group) for row in part] for part in parts)
        return sorted([*train, *(int(row.group) for row in alone)]), test

    def _named_split(self, splits: Sequence[str]) -> tuple[list[int], list[int]]:
        names = [name.strip().lower() for name in splits]
        train = [i for i, name in enumerate(names) if name in TRAIN]
        test = [i for i, name in enumerate(names) if name in TEST]
        # Where both are there, validation is for tuning, which bitprobe does not do.
        test = test or [i for i, name in enumerate(names) if name in VALIDATION]
        if not train or not test:
            found = ", ".join(sorted(set(splits))[:8])
            raise DatasetError(
                f"{self.where}: needs samples of train and of test, got {found}"
            )
        return train, test


def _name(label: object) -> str:
    # A missing value of pandas and numpy is a number that equals nothing.
    if label is None or label != label:  # noqa: PLR0124
        return ""
    # Whole numbers read as floats, in a column with a gap, are the labels people wrote.
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    return str(label)
