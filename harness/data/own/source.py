"""Sources of a user's own data, as a card states them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.data.reading import Quantise, Sha256, Strict


class OwnFile(Strict):
    """File or folder of the user's, and the seed of its split where it has none.

    Attributes:
        path: absolute, or from the folder of the card; for tables also hf:OWNER/NAME.
        sha256: of the file, or of the names and files of a folder; by it a change is
            noticed. Empty for an address.
        seed: of a stratified split that makes `n_test` of the card the test split.
    """

    path: str
    sha256: Sha256 | Literal[""] = ""
    seed: int = 0


class TableSource(OwnFile):
    """Source of the rows of a table: csv, tsv, jsonl, parquet, or hf:OWNER/NAME.

    Attributes:
        label: column of the label; empty without labels.
        sample: columns of the sample: texts are joined by a blank; with a rule of
            quantisation, numbers or lists of numbers become one byte each.
        split: column that says train or test; empty for a seeded split.
    """

    type: Literal["table"]
    label: str = ""
    sample: list[str] = Field(min_length=1)
    split: str = ""
    quantise: Quantise | None = None


class ArraysSource(OwnFile):
    """Source of numpy arrays: an npz, or an npy with its labels in an npy beside it.

    Attributes:
        samples, labels: names of arrays; of an npy, `samples` is empty and `labels` the name
            of the other file. Empty labels: none.
        test_samples, test_labels: names of the arrays of the test split; empty for a seeded
            split.
    """

    type: Literal["arrays"]
    samples: str = ""
    labels: str = ""
    test_samples: str = ""
    test_labels: str = ""
    quantise: Quantise | None = None


class FolderSource(OwnFile):
    """Source of a folder whose folders are classes, and whose files are samples.

    Attributes:
        has_splits: class folders stand below folders named train and test.
        content: images become their pixels, files are taken as they are.
    """

    type: Literal["folder"]
    has_splits: bool = False
    content: Literal["images", "files"] = "files"


class MemorySource(Strict):
    """Source of data that a program passed to bitprobe; it is kept in the cache alone."""

    type: Literal["memory"]


OwnSource = TableSource | ArraysSource | FolderSource
