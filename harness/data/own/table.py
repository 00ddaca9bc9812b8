"""Tables of a user's own: frames read by pandas, and their rows as samples."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.data.own.image import one_shape, pixels_of
from harness.data.own.names import HUB
from harness.data.own.raw import Raw
from harness.data.own.source import TableSource
from harness.errors import DatasetError, UnavailableError

if TYPE_CHECKING:
    import pandas as pd

DELIMITERS = ",;\t|"
N_LISTED = 12
HUB_SPLIT = "split"
"""Column of the name of a split, added to tables of the hub."""


def read_frame(path: str) -> pd.DataFrame:
    """Return the table in a file, or at an address of the hub, every cell of a csv as text.

    Raises:
        DatasetError: the file cannot be read, or is of another format.
        UnavailableError: a package that reads it is not installed.
    """
    if path.startswith(HUB):
        return _hub_frame(path.removeprefix(HUB))
    suffix = Path(path).suffix.lower()
    readers: dict[str, Callable[[str], pd.DataFrame]] = {
        ".csv": _read_csv,
        ".tsv": _read_csv,
        ".jsonl": _read_jsonl,
        ".parquet": _read_parquet,
    }
    try:
        frame = readers[suffix](path)
    except ImportError as error:
        raise UnavailableError(
            f"{path}: parquet needs the package pyarrow; pip install 'bitprobe[hub]'"
        ) from error
    except OSError as error:
        raise DatasetError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, OverflowError) as error:
        # Errors of format, of pandas, pyarrow and Python's codecs, are of this kind.
        reason = str(error).strip().splitlines()[0]
        raise DatasetError(f"{path} is no {suffix[1:]} file: {reason}") from error
    return frame.rename(columns=str)


def table_raw(
    frame: pd.DataFrame, source: TableSource, where: str, *, is_numeric: bool
) -> Raw:
    """Return labels, samples and splits of the rows of a table.

    Args:
        frame: the table.
        source: names the columns.
        where: the file, for messages.
        is_numeric: whether cells of the sample are numbers, or lists of numbers.

    Raises:
        DatasetError: a column is missing, or a cell is of another type.
    """
    check_columns(frame, [source.label, source.split, *source.sample], where)
    cells = frame[source.sample].itertuples(index=False, name=None)
    samples: Sequence[Any]
    shape = None
    if is_numeric:
        samples = [_numbers(row, i, where) for i, row in enumerate(cells, start=1)]
    elif is_image(frame[source.sample[0]].iloc[0]):
        names = [f"{where}, row {i + 1}" for i in range(len(frame))]
        images = [
            pixels_of(row[0]["bytes"], n) for row, n in zip(cells, names, strict=True)
        ]
        images = one_shape(images, names)
        samples, shape = [image.tobytes() for image in images], images[0].shape
    else:
        samples = [b" ".join(_bytes(cell, where) for cell in row) for row in cells]
    return Raw(
        where=where,
        labels=frame[source.label].tolist() if source.label else [""] * len(frame),
        samples=samples,
        splits=list(map(str, frame[source.split])) if source.split else None,
        shape=shape,
    )


def check_columns(frame: pd.DataFrame, names: Sequence[str], where: str) -> None:
    """Raise DatasetError if a column is missing, or there are no rows; "" names none."""
    for name in names:
        if name and name not in frame.columns:
            raise DatasetError(
                f"{where}: no column {name!r}; there are: {listed(frame)}"
            )
    if not len(frame):
        raise DatasetError(f"{where} has no rows")


def listed(frame: pd.DataFrame) -> str:
    """Return the names of the first columns, for messages."""
    names = ", ".join(map(str, frame.columns[:N_LISTED]))
    return f"{names}, ..." if len(frame.columns) > N_LISTED else names


def is_image(cell: object) -> bool:
    """Return whether a cell is an image, in the form of tables of the hub."""
    return isinstance(cell, dict) and isinstance(cell.get("bytes"), bytes)


def is_list(cell: object) -> bool:
    """Return whether a cell holds several numbers."""
    return isinstance(cell, list | tuple | np.ndarray)


def _numbers(row: tuple[Any, ...], number: int, where: str) -> NDArray[np.float64]:
    cells = row[0] if len(row) == 1 and is_list(row[0]) else row
    try:
        values = np.asarray(cells, np.float64).ravel()
    except (ValueError, TypeError):
        values = np.array([np.nan])
    # A missing number has no byte.
    if not np.isfinite(values).all():
        raise DatasetError(f"{where}: row {number} has a cell that is no number")
    return values


def _bytes(cell: Any, where: str) -> bytes:
    if isinstance(cell, str):
        # JSON may hold half a surrogate pair, which UTF-8 proper cannot.
        return cell.encode("utf-8", "surrogatepass")
    if isinstance(cell, bytes | bytearray):
        return bytes(cell)
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return b""
    if isinstance(cell, int | float | np.number):
        return str(cell).encode()
    raise DatasetError(
        f"{where}: a cell is a {type(cell).__name__}, not text; name another column"
    )


def _read_csv(path: str) -> pd.DataFrame:
    import pandas as pd

    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
    if not header:
        raise ValueError("it is empty")
    frame = pd.read_csv(
        path,
        # Of the header alone: commas of a text are no delimiters.
        sep=max(DELIMITERS, key=header.count),
        dtype=str,
        # The text "NA" is a text.
        keep_default_na=False,
        index_col=False,
        encoding="utf-8-sig",
        # The other reader of pandas ends a text at a NUL.
        engine="python",
    )
    return frame.fillna("")


def _read_jsonl(path: str) -> pd.DataFrame:
    import pandas as pd

    # pandas' own reader takes texts that look like dates and numbers for such.
    with Path(path).open(encoding="utf-8-sig") as file:
        records = [json.loads(line) for line in file if line.strip()]
    if not all(isinstance(record, dict) for record in records):
        raise ValueError("a line is no object")
    return pd.DataFrame(records, dtype=object)


def _read_parquet(path: str) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(path, engine="pyarrow")


def _hub_frame(address: str) -> pd.DataFrame:
    import pandas as pd

    name, _, configuration = address.partition(":")
    try:
        import datasets
    except ImportError as error:
        raise UnavailableError(
            f"{HUB}{address} needs the package datasets; pip install 'bitprobe[hub]'"
        ) from error
    try:
        loaded = datasets.load_dataset(name, configuration or None)
        frames = []
        for split, part in loaded.items():
            frame = part.with_format("pandas")[:]
            # The names of classes, where the hub stores their numbers.
            for column, feature in part.features.items():
                if isinstance(feature, datasets.ClassLabel):
                    frame[column] = [feature.int2str(int(i)) for i in frame[column]]
            frames.append(frame.assign(**{HUB_SPLIT: split}))
    except Exception as error:  # the library raises its own kinds and the network's
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DatasetError(f"cannot fetch {HUB}{address}: {reason}") from error
    joined: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return joined
