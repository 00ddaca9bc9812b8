import struct
import zlib

import numpy as np
import pytest

from harness.errors import UsageError
from harness.report import gallery

SHAPE, N, K = (8, 6), 3, 2


def completed(shape=SHAPE, levels=4):
    rng = np.random.default_rng(0)
    size = int(np.prod(shape))
    cut = shape[0] // 2 * size // shape[0]
    images = rng.integers(0, levels, (N, 2, size), np.uint8)
    drawn = rng.integers(0, levels, (N, K, size - cut), np.uint8)
    return {
        "prefixes": images[:, 0, :cut],
        "truth": images[:, 0, cut:],
        "completions": drawn,
        "nearest": images[:, 1],
        "shape": np.array(shape),
        "levels": np.array(levels),
    }


def decoded(png: bytes) -> np.ndarray:
    """Read an 8-bit RGB file without filters by the standard, checking every checksum."""
    assert png[:8] == bytes([137, 80, 78, 71, 13, 10, 26, 10])
    chunks, start = {}, 8
    while start < len(png):
        length, kind = struct.unpack_from(">I4s", png, start)
        data = png[start + 8 : start + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, start + 8 + length)
        assert checksum == zlib.crc32(kind + data)
        chunks[kind] = data
        start += 12 + length
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert rest == [8, 2, 0, 0, 0]
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8)
    lines = lines.reshape(height, 1 + 3 * width)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, 3)


def tile(sheet, row, column, shape=SHAPE):
    """Return a tile of the sheet at the size of the data."""
    factor = -(-gallery.TILE_PIXELS // max(shape[:2]))
    height, width = (factor * side for side in shape[:2])
    top = gallery.GAP_PIXELS + row * (height + gallery.GAP_PIXELS)
    left = gallery.GAP_PIXELS + column * (width + gallery.GAP_PIXELS)
    return sheet[top : top + height : factor, left : left + width : factor]


def test_a_png_decodes_to_the_image_it_was_made_from():
    image = np.random.default_rng(1).integers(0, 256, (9, 13, 3), np.uint8)
    assert (decoded(gallery.png_bytes(image)) == image).all()


def test_a_row_shows_given_truth_completions_and_nearest_in_this_order():
    arrays = completed()
    sheet = decoded(gallery.gallery_png(arrays))
    grey = np.array([0, 85, 170, 255])
    for i in range(N):
        given = arrays["prefixes"][i]
        wholes = [
            np.concatenate([given, arrays["truth"][i]]),
            *(np.concatenate([given, rest]) for rest in arrays["completions"][i]),
            arrays["nearest"][i],
        ]
        for column, pixels in enumerate(wholes, start=1):
            shown = tile(sheet, i, column)
            assert (shown == grey[pixels.reshape(SHAPE)][:, :, None]).all()
        shown = tile(sheet, i, 0)
        assert (shown[:4] == grey[given.reshape(4, 6)][:, :, None]).all()
        assert (shown[4:] == gallery.HIDDEN).all()


def test_colours_are_shown_as_they_are():
    arrays = completed(shape=(4, 4, 3), levels=256)
    sheet = gallery.contact_sheet(arrays)
    wanted = arrays["nearest"][2].reshape(4, 4, 3)
    assert (tile(sheet, 2, 1 + 1 + K, shape=(4, 4)) == wanted).all()


def test_a_sheet_has_at_most_the_rows_asked_for():
    arrays = completed()
    tall, short = (gallery.contact_sheet(arrays, n_rows=n) for n in (N, 1))
    assert short.shape[1] == tall.shape[1]
    assert (tall[: len(short)] == short).all()
    assert len(tall) - gallery.GAP_PIXELS == N * (len(short) - gallery.GAP_PIXELS)


def test_a_table_has_a_row_per_text_and_no_byte_that_breaks_it():
    arrays = {
        "prefixes": np.frombuffer(b"a|b\n", np.uint8)[None],
        "truth": np.frombuffer(b"<i>*", np.uint8)[None],
        "completions": np.frombuffer("é\xff_".encode("latin-1"), np.uint8)[None, None],
    }
    head, rule, line = gallery.continuation_table(arrays).splitlines()
    assert head == "| given | truth | drawn 1 |"
    assert rule == "| --- | --- | --- |"
    assert line.count("|") == 4
    assert "<i>" not in line
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[0] == "<code>a&#124;b&#92;n</code>"


def test_the_caption_counts_the_completions():
    assert f"{K} completions" in gallery.gallery_caption(completed())


def test_arrays_of_another_task_are_refused_by_name():
    with pytest.raises(UsageError, match="missing: nearest, shape, levels"):
        gallery.contact_sheet(
            {name: completed()[name] for name in ("prefixes", "truth", "completions")}
        )
