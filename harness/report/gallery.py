"""Show what a model drew: a contact sheet of images as PNG, a table of texts as Markdown.

Both are made from the arrays of a `completion` record. PNG is written here (ISO/IEC 15948:
8-bit RGB, no filter, one zlib stream), which needs no package.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError

Image = NDArray[np.uint8]
N_ROWS = 12
TILE_PIXELS = 56
"""Least side of an image on the sheet; smaller ones are enlarged by a whole factor."""
GAP_PIXELS = 4
BACKGROUND = (255, 255, 255)
HIDDEN = (176, 196, 222)
"""Where nothing was given."""


def gallery_png(arrays: Mapping[str, NDArray[Any]], *, n_rows: int = N_ROWS) -> bytes:
    """Return a PNG file: a row per held-out image, columns as `gallery_caption` says.

    Raises:
        UsageError: the arrays are not those of completed images.
    """
    return png_bytes(contact_sheet(arrays, n_rows=n_rows))


def gallery_caption(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return what the columns of the sheet are, in one sentence."""
    n_samples = arrays["completions"].shape[1]
    return (
        f"From left to right: the half that is given, the true image, {n_samples} "
        f"completions drawn by the model, the train image with the nearest upper half."
    )


def contact_sheet(arrays: Mapping[str, NDArray[Any]], *, n_rows: int = N_ROWS) -> Image:
    """Return the sheet, (H, W, 3).

    Args:
        arrays: "prefixes" (n, g), "truth" (n, r), "completions" (n, k, r), "nearest"
            (n, g + r), "shape" and "levels" of the images.
        n_rows: of the sheet, at most; the first of the images.

    Raises:
        UsageError: the arrays are not those of completed images.
    """
    wanted = ("prefixes", "truth", "completions", "nearest", "shape", "levels")
    if missing := [name for name in wanted if name not in arrays]:
        raise UsageError(
            f"a gallery needs the arrays of completed images; missing: {', '.join(missing)}"
        )
    rows = [_tiles(arrays, i) for i in range(min(n_rows, len(arrays["prefixes"])))]
    return _joined([_joined(tiles, axis=1) for tiles in rows], axis=0)


def png_bytes(image: Image) -> bytes:
    """Return an image (H, W, 3) as a PNG file."""
    height, width, _ = image.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    lines = np.zeros((height, 1 + 3 * width), np.uint8)  # each starts with filter 0
    lines[:, 1:] = image.reshape(height, -1)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def continuation_table(
    arrays: Mapping[str, NDArray[Any]], *, n_rows: int = N_ROWS
) -> str:
    """Return a Markdown table: what is given, the truth, what the model drew.

    Bytes that are not printable UTF-8 stand as escapes.

    Raises:
        UsageError: the arrays are not those of a completion.
    """
    wanted = ("prefixes", "truth", "completions")
    if missing := [name for name in wanted if name not in arrays]:
        raise UsageError(
            f"a table needs the arrays of completed texts; missing: {', '.join(missing)}"
        )
    given, truth, drawn = (arrays[name] for name in wanted)
    n_samples = drawn.shape[1]
    heads = ["given", "truth", *(f"drawn {k + 1}" for k in range(n_samples))]
    rows = [(given[i], truth[i], *drawn[i]) for i in range(min(n_rows, len(given)))]
    cells = [heads, ["---"] * len(heads), *([*map(_text, row)] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def _tiles(arrays: Mapping[str, NDArray[Any]], i: int) -> list[Image]:
    """Return the images of one row, left to right."""
    given, shape = arrays["prefixes"][i], tuple(map(int, arrays["shape"]))
    top = int(arrays["levels"]) - 1
    rests = (arrays["truth"][i], *arrays["completions"][i])
    whole = [np.concatenate([given, rest]) for rest in rests]
    truth, *others = (
        _tile(pixels, shape, top) for pixels in (*whole, arrays["nearest"][i])
    )
    hidden = truth.copy()
    hidden[len(truth) * len(given) // len(whole[0]) :] = HIDDEN
    return [hidden, truth, *others]


def _tile(pixels: NDArray[np.uint8], shape: tuple[int, ...], top: int) -> Image:
    """Return an image in 256 levels of three colours, enlarged: (h, w, 3)."""
    image = pixels.reshape(*shape[:2], -1)
    full = np.rint(image * (255 / max(top, 1))).clip(0, 255).astype(np.uint8)
    colours = full if full.shape[2] == 3 else np.repeat(full[:, :, :1], 3, axis=2)
    factor = max(1, -(-TILE_PIXELS // max(shape[:2])))
    return colours.repeat(factor, axis=0).repeat(factor, axis=1)


def _joined(images: list[Image], *, axis: int) -> Image:
    """Return images side by side, or one below the other, with gaps around them."""
    size = list(images[0].shape)
    size[axis] = GAP_PIXELS
    gap = np.full(size, BACKGROUND, np.uint8)
    parts = [gap, *(part for image in images for part in (image, gap))]
    return np.concatenate(parts, axis=axis)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _text(row: NDArray[np.uint8]) -> str:
    """Return bytes as one table cell of code."""
    decoded = row.tobytes().decode("utf-8", errors="backslashreplace")
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in decoded)
    return "<code>" + _escaped(shown) + "</code>"


def _escaped(text: str) -> str:
    for character in "&<>|`*_[]\\":  # what HTML or Markdown would read as markup
        text = text.replace(character, f"&#{ord(character)};")
    return text
