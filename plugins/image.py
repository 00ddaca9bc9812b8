"""Lossless image codecs: PNG, WebP, JPEG-LS and JPEG XL.

A stream of n images goes in as one tall image, cut into pages where a format has no more
rows. A sample that is not whole images, or leaves the card's levels, is stored. Code:
kind (0 stored, 1 pages) | for every page but the last its length as varint, and it | the
last page.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from harness import Codec, CodingError, SpecError, hookimpl, read_varint, varint

Pixels = NDArray[np.uint8]

STORED, PAGES = b"\0", b"\1"


@dataclass(frozen=True, kw_only=True)
class _Image(Codec):
    """Base of the formats, which differ in `_encode` and `_decode` of one page."""

    family = "image codec"
    requires = ("imagecodecs",)
    determinism = "isa"
    waived: ClassVar[Mapping[str, str]] = {
        "window": "blocks at a distance that is not whole images are stored"
    }
    most_rows: ClassVar[int] = 65_535
    reach: ClassVar[int] = 0
    """Largest distance of a repetition in pixels; 0 if only neighbours are used."""

    shape: tuple[int, ...] | None = None
    levels: int | None = None

    def __post_init__(self) -> None:
        if self.shape is not None and (
            len(self.shape) not in (2, 3) or min(self.shape) < 1
        ):
            raise SpecError(
                f"shape is {self.shape}; give (height, width) or (height, width, channels)"
            )
        if self.levels is not None and not 2 <= self.levels <= 256:
            raise SpecError(f"levels is {self.levels}; give 2 to 256")

    @property
    def window(self) -> int:
        """No longer than a page."""
        shape = self.shape
        if shape is None or not self._fits(prod(shape)):
            return 0
        # Nothing is shared between pages.
        page = self.most_rows // shape[0] * prod(shape)
        return min(self.reach * prod(shape[2:]), page)

    def pack(self, data: bytes) -> bytes:
        # Any bytes must have a code, also those that are no images.
        if not self._fits(len(data)) or max(data) >= (self.levels or 256):
            return STORED + data
        pixels = np.frombuffer(data, np.uint8)
        pages, start = [], 0
        for page in self._pages(len(data)):
            size = prod(page)
            pages.append(self._encode(pixels[start : start + size].reshape(page)))
            start += size
        # The last page ends with the code, so that its length need not be stored.
        return PAGES + b"".join(varint(len(p)) + p for p in pages[:-1]) + pages[-1]

    def unpack(self, code: bytes, length: int) -> bytes:
        if code[:1] == STORED:
            return code[1:]
        if code[:1] != PAGES or not self._fits(length):
            raise CodingError(f"{self.name}: these are no pages of shape {self.shape}")
        data, start = b"", 1
        pages = list(self._pages(length))
        for i, page in enumerate(pages):
            # Only the last page has no length before it.
            end = len(code)
            if i < len(pages) - 1:
                size, start = read_varint(code, start)
                end = start + size
            data += self._decode(code[start:end], page).tobytes()
            start = end
        return data

    def _fits(self, length: int) -> bool:
        """Return True if so many bytes are whole images that the format can hold."""
        shape = self.shape
        if shape is None or not length or length % prod(shape):
            return False
        return shape[2:] in ((), (1,), (3,)) and max(shape[:2]) <= self.most_rows

    def _pages(self, length: int) -> Iterator[tuple[int, ...]]:
        """Yield the shape of each page: (rows, width), or (rows, width, 3)."""
        height, width, *channels = self.shape or (0, 0)
        rows = length // (width * prod(channels))
        # A page ends between two images.
        step = self.most_rows // height * height
        for start in range(0, rows, step):
            inner = (width, 3) if channels == [3] else (width,)
            yield (min(step, rows - start), *inner)

    @abstractmethod
    def _encode(self, page: Pixels) -> bytes: ...

    @abstractmethod
    def _decode(self, code: bytes, page: tuple[int, ...]) -> Pixels: ...


@dataclass(frozen=True, kw_only=True)
class Png(_Image):
    """PNG (ISO 15948), with the library's choice of filters."""

    name = "png"
    reach = 32_768
    level: int = 9

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.name, "level", self.level, 0, 9)

    def _encode(self, page: Pixels) -> bytes:
        return bytes(imagecodecs.png_encode(page, level=self.level))

    def _decode(self, code: bytes, page: tuple[int, ...]) -> Pixels:
        return np.asarray(imagecodecs.png_decode(code)).reshape(page)


@dataclass(frozen=True, kw_only=True)
class Webp(_Image):
    """WebP lossless (RFC 9649); grey goes in as three equal channels."""

    name = "webp"
    most_rows = 16_383
    reach = (1 << 20) - 120
    effort: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.name, "effort", self.effort, 0, 6)

    def _encode(self, page: Pixels) -> bytes:
        # The format has no grey images; equal channels cost next to nothing.
        colours = page if page.ndim == 3 else np.repeat(page[..., None], 3, axis=2)
        code = imagecodecs.webp_encode(
            np.ascontiguousarray(colours),
            level=100,
            lossless=True,
            method=self.effort,
            numthreads=1,
        )
        return bytes(code)

    def _decode(self, code: bytes, page: tuple[int, ...]) -> Pixels:
        colours = np.asarray(imagecodecs.webp_decode(code))
        return (colours if len(page) == 3 else colours[..., 0]).reshape(page)


@dataclass(frozen=True, kw_only=True)
class JpegLs(_Image):
    """JPEG-LS (Weinberger, Seroussi and Sapiro 2000)."""

    name = "jpegls"

    def _encode(self, page: Pixels) -> bytes:
        # The library's own guess is too small for noise.
        return bytes(imagecodecs.jpegls_encode(page, out=2 * page.size + 1024))

    def _decode(self, code: bytes, page: tuple[int, ...]) -> Pixels:
        return np.asarray(imagecodecs.jpegls_decode(code)).reshape(page)


@dataclass(frozen=True, kw_only=True)
class JpegXl(_Image):
    """JPEG XL lossless (ISO 18181), a bare codestream."""

    name = "jpegxl"
    effort: int = 7

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.name, "effort", self.effort, 1, 9)

    def _encode(self, page: Pixels) -> bytes:
        code = imagecodecs.jpegxl_encode(
            page, lossless=True, effort=self.effort, numthreads=1, usecontainer=False
        )
        return bytes(code)

    def _decode(self, code: bytes, page: tuple[int, ...]) -> Pixels:
        pixels = imagecodecs.jpegxl_decode(code, numthreads=1)
        return np.asarray(pixels).reshape(page)


def _check(name: str, field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise SpecError(f"{field} is {value}; {name} has {low} to {high}")


@hookimpl
def compressors() -> list[type[Codec]]:
    return [Png, Webp, JpegLs, JpegXl]
