"""Arrays of a user's own: npz and npy files with samples and labels."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.own.raw import Raw
from harness.data.own.source import ArraysSource
from harness.errors import DatasetError

Arrays = Mapping[str, NDArray[Any]]
NPY = ""
"""Name of the only array of an npy file."""
SAMPLES = ("x", "samples", "images", "data", "features", "arr_0")
LABELS = ("y", "labels", "label", "targets", "target", "arr_1")


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a file by name; for an npy, also those of npy files beside it.

    Raises:
        DatasetError: it cannot be read, or holds Python objects.
    """
    try:
        # Pickles could run code.
        if path.suffix.lower() == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        others = [each for each in sorted(path.parent.glob("*.npy")) if each != path]
        return {NPY: np.load(path, allow_pickle=False)} | {
            each.name: np.load(each, allow_pickle=False, mmap_mode="r")
            for each in others
        }
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0].split(" when allow_pickle")[0]
        raise DatasetError(f"cannot read {path}: {reason}") from error


def array_raw(arrays: Arrays, source: ArraysSource, where: str) -> Raw:
    """Return labels, samples and splits of arrays.

    Raises:
        DatasetError: an array is missing, or has another form.
    """
    parts = [(source.samples, source.labels, "train")]
    if source.test_samples:
        parts.append((source.test_samples, source.test_labels, "test"))
    labels: list[object] = []
    samples: list[Any] = []
    splits: list[str] = []
    for name, label_name, split in parts:
        array = _array(arrays, name, where)
        samples += _samples(array, where)
        labels += (
            _array(arrays, label_name, where).ravel().tolist()
            if label_name
            else [""] * len(array)
        )
        splits += [split] * len(array)
    return Raw(
        where=where,
        labels=labels,
        samples=samples,
        splits=splits if source.test_samples else None,
        shape=image_shape(_array(arrays, source.samples, where)),
    )


def array_source(path: str, arrays: Arrays, *, seed: int) -> ArraysSource:
    """Return the source that the names of arrays suggest, such as x_train or labels.

    Raises:
        DatasetError: no array, or several, could be the samples or the labels.
    """
    names = {name.lower(): name for name in arrays}
    if NPY in arrays:
        stem = Path(path).stem.lower()
        beside = (f"{stem}_labels", f"{stem}_y", *LABELS)
        labels = _first(names, (f"{each}.npy" for each in beside))
        return ArraysSource(type="arrays", path=path, seed=seed, labels=labels)
    found = {
        f"{split}{kind}": _first(names, _spellings(words, split))
        for split in ("", "test")
        for kind, words in (("samples", SAMPLES), ("labels", LABELS))
    }
    if not found["samples"]:
        listed = ", ".join(sorted(arrays)) or "none"
        raise DatasetError(
            f"{path}: expected arrays x and y, or x_train, y_train, x_test and y_test; "
            f"there are: {listed}"
        )
    return ArraysSource(
        type="arrays",
        path=path,
        seed=seed,
        samples=found["samples"],
        labels=found["labels"],
        test_samples=found["testsamples"],
        test_labels=found["testlabels"],
    )


def image_shape(array: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the shape of one image: of bytes by height and width, and 1 or 3 channels."""
    is_image = array.ndim == 3 or (array.ndim == 4 and array.shape[3] in (1, 3))
    if not is_image or array.dtype != np.uint8:
        return None
    shape = array.shape[1:]
    return shape[:2] if shape[2:] == (1,) else shape


def _samples(array: NDArray[Any], where: str) -> list[Any]:
    if not array.ndim or not array.size:
        raise DatasetError(f"{where}: an array of shape {array.shape} has no samples")
    if array.dtype.kind == "S":
        return list(array.tolist())
    if array.dtype.kind == "U":
        return [text.encode("utf-8", "surrogatepass") for text in array.tolist()]
    if array.dtype.kind not in "uibf":
        raise DatasetError(f"{where}: samples are of type {array.dtype}, not numbers")
    rows = array.reshape(len(array), -1)
    if array.dtype == np.uint8:
        return [row.tobytes() for row in rows]
    if not np.isfinite(rows).all():
        raise DatasetError(f"{where}: not all numbers are finite")
    return list(rows.astype(np.float64))


def _array(arrays: Arrays, name: str, where: str) -> NDArray[Any]:
    if name not in arrays:
        listed = ", ".join(sorted(arrays)) or "none"
        raise DatasetError(f"{where}: no array {name!r}; there are: {listed}")
    return arrays[name]


def _spellings(words: Iterable[str], split: str) -> list[str]:
    if split:
        return [f"{w}_{split}" for w in words] + [f"{split}_{w}" for w in words]
    # Names without a split first, as they hold all samples.
    return [*words, *(f"{w}_train" for w in words), *(f"train_{w}" for w in words)]


def _first(names: Mapping[str, str], wanted: Iterable[str]) -> str:
    return next((names[each] for each in wanted if each in names), "")
