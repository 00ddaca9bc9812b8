"""Image formats, parsed to one byte per pixel and channel, row by row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from harness.data.formats.rows import Row, Rows
from harness.data.reading import Reading, Shrink
from harness.errors import DatasetError

Bytes = NDArray[np.uint8]
CIFAR_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
CIFAR_PIXELS = 32 * 32


def parse_idx(members: Mapping[str, bytes], _: Reading) -> Rows:
    """Parse a file of images and a file of labels in LeCun's idx format.

    Raises:
        DatasetError: a header is not idx, or sizes do not agree.
    """
    arrays = {name: _idx_array(name, data) for name, data in members.items()}
    # Labels have one dimension, images have more; file names vary between mirrors.
    images = [array for array in arrays.values() if array.ndim > 1]
    labels = [array for array in arrays.values() if array.ndim == 1]
    if (len(images), len(labels)) != (1, 1) or len(images[0]) != len(labels[0]):
        shapes = {name: array.shape for name, array in arrays.items()}
        raise DatasetError(f"expected one idx file each of images and labels: {shapes}")
    pairs = zip(images[0], labels[0].tolist(), strict=True)
    return [Row(str(label), image.tobytes()) for image, label in pairs]


def parse_mnist_csv(members: Mapping[str, bytes], _: Reading) -> Rows:
    """Parse rows of pixels with the label last.

    Raises:
        DatasetError: a row has other columns, or a value is not a byte.
    """
    rows: Rows = []
    for name, data in members.items():
        try:
            table = np.loadtxt(data.decode().splitlines(), np.uint8, delimiter=",")
        except (ValueError, OverflowError) as error:
            raise DatasetError(f"{name} is not a table of bytes: {error}") from error
        table = np.atleast_2d(table)
        rows += [Row(str(row[-1]), row[:-1].tobytes()) for row in table]
    return rows


def parse_cifar_binary(members: Mapping[str, bytes], _: Reading) -> Rows:
    """Parse CIFAR-10's binary batches: label, then red, green, blue planes.

    Returns:
        Samples in order height, width, channel, as their shape (32, 32, 3) says.

    Raises:
        DatasetError: a file is not a whole number of records, or a label is above 9.
    """
    rows: Rows = []
    for name, data in members.items():
        if not data or len(data) % (1 + 3 * CIFAR_PIXELS):
            raise DatasetError(f"{name}: {len(data)} bytes are not CIFAR-10 records")
        records = np.frombuffer(data, np.uint8).reshape(-1, 1 + 3 * CIFAR_PIXELS)
        if records[:, 0].max() >= len(CIFAR_CLASSES):
            raise DatasetError(f"{name}: label {records[:, 0].max()} is above 9")
        planes = records[:, 1:].reshape(-1, 3, CIFAR_PIXELS)  # (n, 3, 1024)
        pixels = planes.transpose(0, 2, 1)  # (n, 1024, 3)
        rows += [
            Row(CIFAR_CLASSES[label], image.tobytes())
            for label, image in zip(records[:, 0].tolist(), pixels, strict=True)
        ]
    return rows


def shrunk(rows: Rows, shape: tuple[int, ...] | None, shrink: Shrink) -> Rows:
    """Return images of `by` times the shape, (height, width), in this shape and levels.

    Raises:
        DatasetError: the images have another size.
    """
    if shape is None or len(shape) != 2:
        raise DatasetError(
            f"shrink makes images of height x width, the card has {shape}"
        )
    (height, width), by = shape, shrink.by
    n_pixels = height * width * by**2
    wrong = [len(row.sample) for row in rows if len(row.sample) != n_pixels]
    if wrong:
        raise DatasetError(
            f"an image has {wrong[0]} pixels, shrink needs {n_pixels}; correct the card"
        )
    pixels = np.frombuffer(b"".join(row.sample for row in rows), np.uint8)
    blocks = pixels.reshape(len(rows), height, by, width, by)
    means = blocks.sum(axis=(2, 4), dtype=np.int64) // by**2  # (n, height, width)
    small = (means * shrink.levels // 256).astype(np.uint8)
    return [
        row._replace(sample=image.tobytes())
        for row, image in zip(rows, small, strict=True)
    ]


def _idx_array(name: str, data: bytes) -> Bytes:
    # Magic number: two zeros, type 8 (unsigned byte), number of dimensions.
    if len(data) < 8 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 3:
        raise DatasetError(f"{name}: not an idx file of bytes: {data[:4]!r}")
    start = 4 + 4 * data[3]
    sizes = np.frombuffer(data[4:start], ">u4").astype(np.int64)
    n_bytes = int(sizes.prod())
    if len(data) - start != n_bytes:
        raise DatasetError(
            f"{name}: {len(data) - start} bytes, its header says {n_bytes}; fetch it again"
        )
    return np.frombuffer(data, np.uint8, n_bytes, start).reshape(sizes)
