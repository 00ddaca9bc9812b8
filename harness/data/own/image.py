"""Images of a user's own, read by Pillow: one byte per pixel and channel."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.errors import DatasetError

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
)
GREY = frozenset({"1", "L", "LA"})
"""Modes of Pillow without colour."""
Pixels = NDArray[np.uint8]


def pixels_of(data: bytes, where: str) -> Pixels:
    """Return an image's pixels: shape (height, width), or (height, width, 3) with colour.

    Transparency is dropped; of an animation, the first picture is taken.

    Raises:
        DatasetError: it is no image.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            picture = image.convert("L" if image.mode in GREY else "RGB")
            return np.asarray(picture, np.uint8)
    # Pillow's own errors are of these kinds, but for the bomb, which is an image too large.
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{where} is no image: {reason}") from error


def one_shape(images: Sequence[Pixels], names: Sequence[str]) -> list[Pixels]:
    """Return images of one shape; grey ones get equal channels where others have colour.

    Raises:
        DatasetError: an image has another size than the first.
    """
    alike = list(images)
    if any(image.ndim == 3 for image in images):
        alike = [
            image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
            for image in images
        ]
    for name, image in zip(names, alike, strict=True):
        if image.shape != alike[0].shape:
            (height, width), (first_height, first_width) = (
                each.shape[:2] for each in (image, alike[0])
            )
            raise DatasetError(
                f"{name} is {width}x{height} pixels, {names[0]} is "
                f"{first_width}x{first_height}; give all images one size"
            )
    return alike
