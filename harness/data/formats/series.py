"""Formats of series: recordings and sensor readings, quantised to one byte per value."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.data.formats.rows import Row, Rows, label_of, quantised
from harness.data.reading import Reading
from harness.errors import DatasetError


def parse_wav(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Parse recordings of one channel and 16 bits, labelled by their names.

    Raises:
        DatasetError: a file is not such a recording, or is truncated.
    """
    rows = []
    for name, data in members.items():
        values = _wav_values(name, data)
        label = label_of(name, reading)
        rows.append(Row(label, quantised(values, reading.quantise)))
    return rows


def parse_ts(members: Mapping[str, bytes], reading: Reading) -> Rows:
    """Parse sktime's .ts files: after @data a line per series, channels and class by ":".

    Channels of equal length are interleaved: values of one time are adjacent.

    Raises:
        DatasetError: there is no @data, or a line is not of this form.
    """
    rows: Rows = []
    for name, data in members.items():
        _, marker, body = data.decode("utf-8-sig", "replace").partition("@data")
        if not marker:
            raise DatasetError(f"{name}: not a .ts file: it has no @data")
        for line in body.strip().splitlines():
            *channels, label = line.strip().split(":")
            try:
                values = np.array([c.split(",") for c in channels], np.float64)
            except ValueError as error:
                raise DatasetError(f"{name}: bad series {line[:40]!r}") from error
            if values.ndim != 2 or not np.isfinite(values).all():
                raise DatasetError(f"{name}: bad series {line[:40]!r}")
            # (channels, time) -> time first.
            rows.append(Row(label, quantised(values.T.ravel(), reading.quantise)))
    return rows


def _wav_values(name: str, data: bytes) -> NDArray[np.float64]:
    try:
        with wave.open(io.BytesIO(data)) as file:
            kind = (file.getnchannels(), file.getsampwidth(), file.getcomptype())
            frames = file.readframes(file.getnframes())
            # wave returns fewer frames, without an error, from a truncated file.
            whole = len(frames) == 2 * file.getnframes()
    except (wave.Error, EOFError) as error:
        raise DatasetError(f"{name} is not a wav file: {error}") from error
    if kind != (1, 2, "NONE") or not whole:
        raise DatasetError(
            f"{name}: expected one channel of 16 bits, whole, got {kind}"
        )
    return np.frombuffer(frames, "<i2").astype(np.float64)
