"""Digits by zip: Kirsch 2019, "MNIST by zip".

One file for each class holds all its training images. An image belongs to the class whose
compressed file grows least by it; the first class of equals wins.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from harness.data.load import load_dataset


def zip_accuracy(*, level: int, window_bits: int, threshold: int = 0) -> float:
    """Return the accuracy on the 10,000 test images of MNIST.

    Args:
        level: of zlib; -1 is its default.
        window_bits: as zlib names them; below 0 without header and checksum.
        threshold: from which grey level a pixel is 1, else 0; 0 leaves grey levels.
    """
    data = load_dataset("mnist")
    train, test = (
        [binary(image, threshold) for image in split.samples]
        for split in (data.train, data.test)
    )
    texts = [
        b"".join(train[i] for i in np.flatnonzero(data.train.labels == label))
        for label in range(len(data.classes))
    ]
    growth = np.array(
        [_growth(text, test, level=level, window_bits=window_bits) for text in texts]
    )  # (n_classes, n_test)
    # argmin takes the first of equals, as the author does.
    return float(np.mean(growth.argmin(axis=0) == data.test.labels))


def binary(image: bytes, threshold: int) -> bytes:
    """Return an image with pixels 0 and 1, or as it is for a threshold of 0."""
    if not threshold:
        return image
    return (np.frombuffer(image, np.uint8) >= threshold).astype(np.uint8).tobytes()


def _growth(
    text: bytes, images: list[bytes], *, level: int, window_bits: int
) -> NDArray[np.int64]:
    """Return the bytes by which each image lengthens the code of a text: (n_images,)."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, window_bits)
    n_out = len(compressor.compress(text))
    whole = n_out + len(compressor.copy().flush())
    sizes = []
    for image in images:
        # A copy holds the state after the text: the text is compressed once, not per image.
        fork = compressor.copy()
        sizes.append(n_out + len(fork.compress(image)) + len(fork.flush()) - whole)
    return np.array(sizes)
