"""The coded file: blocks by any compressor, decoded exactly or refused.

Integers are varints, CRC32s little-endian:

    "BPF" | format version | identity of compressor and artifact (8 bytes)
    | most bytes of a block | bytes of a stream | length and text of the spec | CRC32
    then for every block
    original length, at least 1 | kind (0 stored, 1 coded) | code length
    | CRC32 of the original | code | CRC32
    and at the end
    0 | original length of all | BLAKE2b of all (16 bytes) | CRC32

A CRC32 at an end is of all that lies before it in the file but other such CRC32s: a block
that is damaged, or in another's place, is refused before anything decodes it. A block is cut
into streams that a model codes in step; a codec takes it whole. No number in the file
makes the decoder take more than a block, and a block has at most 64 MiB.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

from harness.contract import artifact, coding
from harness.contract.codes import LONGEST_VARINT, read_varint, varint
from harness.contract.compressor import (
    Codec,
    Compressor,
    Stepwise,
    hyperparameters,
    spec_of,
)
from harness.errors import CodingError, ContainerError, HarnessError, UsageError

Progress = Callable[[int], None]
"""Called with the number of bytes of the input that are done."""

MAGIC = b"BPF"
FORMAT_VERSION = 1
LARGEST_BLOCK = 1 << 26

_STORED, _CODED = 0, 1
_IDENTITY_BYTES = 8
_DIGEST_BYTES = 16
_LONGEST_SPEC = 1 << 12


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a file is cut.

    Attributes:
        block_bytes: of a block, which is coded and checked as one; the last may be shorter.
        stream_bytes: of a stream; the streams of a block know nothing of each other.
    """

    block_bytes: int
    stream_bytes: int

    def __post_init__(self) -> None:
        if not 1 <= self.stream_bytes <= self.block_bytes <= LARGEST_BLOCK:
            raise UsageError(
                f"streams of {self.stream_bytes} in blocks of {self.block_bytes} bytes; "
                f"give 1 <= stream <= block <= {LARGEST_BLOCK}"
            )
        if self.block_bytes > self.stream_bytes * coding.MAX_STREAMS:
            raise UsageError(
                f"a block of {self.block_bytes} bytes has more than {coding.MAX_STREAMS} "
                f"streams of {self.stream_bytes}; make streams longer or blocks smaller"
            )

    def lengths(self, n_bytes: int) -> list[int]:
        """Return the lengths of the streams of a block of so many bytes."""
        n_whole, rest = divmod(n_bytes, self.stream_bytes)
        return [self.stream_bytes] * n_whole + [rest] * (rest > 0)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Bytes of a file before and after, everything counted."""

    original_bytes: int
    coded_bytes: int


def default_layout(compressor: Compressor) -> Layout:
    """Return long blocks for codecs, and as many streams as a model's speed asks for.

    Images are never cut.
    """
    image = prod(hyperparameters(compressor).get("shape") or (1,))
    if isinstance(compressor, Codec):
        size = max((1 << 22) // image, 1) * image
        return Layout(block_bytes=size, stream_bytes=size)
    if isinstance(compressor, Stepwise) and compressor.adapts:
        stream = 1 << 18  # longer, and its speed is that of one stream
    else:
        stream = image if image > 1 else 1 << 12
    n_streams = min(max((1 << 20) // stream, 1), coding.MAX_STREAMS)
    return Layout(block_bytes=n_streams * stream, stream_bytes=stream)


def compress(
    compressor: Compressor,
    source: BinaryIO,
    target: BinaryIO,
    layout: Layout,
    progress: Progress = lambda _: None,
) -> Sizes:
    """Write the coded file of all that `source` gives."""
    sink, digest, n_bytes = _Sink(target), _digest(), 0
    identity = artifact.identity(compressor)
    spec = spec_of(compressor).encode()
    sink.put(MAGIC + bytes([FORMAT_VERSION]) + identity)
    sink.put(varint(layout.block_bytes) + varint(layout.stream_bytes))
    sink.put(varint(len(spec)) + spec)
    sink.seal()
    while block := source.read(layout.block_bytes):
        digest.update(block)
        kind, code = _code(compressor, block, layout, identity)
        sink.put(varint(len(block)) + bytes([kind]) + varint(len(code)))
        sink.put(_crc_bytes(zlib.crc32(block)) + code)
        sink.seal()
        n_bytes += len(block)
        progress(n_bytes)
    sink.put(varint(0) + varint(n_bytes) + digest.digest())
    sink.seal()
    return Sizes(original_bytes=n_bytes, coded_bytes=sink.n_bytes)


def decompress(
    compressor: Compressor,
    source: BinaryIO,
    target: BinaryIO,
    progress: Progress = lambda _: None,
) -> Sizes:
    """Write the original of a coded file; each block is verified before it is written.

    Raises:
        ContainerError: the file is damaged, or was made with another compressor or artifact.
    """
    origin, digest, n_bytes = _Origin(source), _digest(), 0
    identity = artifact.identity(compressor)
    layout = _read_head(origin, compressor, identity)
    while length := origin.number(layout.block_bytes):
        block = _decode(compressor, _read_block(origin, length), layout, identity)
        digest.update(block)
        target.write(block)
        n_bytes += len(block)
        progress(origin.n_bytes)
    total, whole = origin.number(), origin.take(_DIGEST_BYTES)
    origin.check()
    if source.read(1):
        raise ContainerError(
            f"the file goes on after its end at byte {origin.n_bytes}; get it again"
        )
    if (total, whole) != (n_bytes, digest.digest()):
        raise ContainerError(
            f"decoded {n_bytes} bytes that are not the {total} that were coded; "
            "compress the original again"
        )
    return Sizes(original_bytes=n_bytes, coded_bytes=origin.n_bytes)


@dataclass(frozen=True, kw_only=True)
class _Block:
    """A block as it lies in the file, its own CRC checked."""

    start: int
    length: int
    kind: int
    original_crc: bytes
    code: bytes


def _read_head(origin: _Origin, compressor: Compressor, identity: bytes) -> Layout:
    if (found := origin.take(len(MAGIC))) != MAGIC:
        raise ContainerError(
            f"the file starts with {found!r}, not with {MAGIC!r}; bitprobe compress makes "
            "such files"
        )
    if (version := origin.take(1)[0]) != FORMAT_VERSION:
        raise ContainerError(
            f"the file has format {version}, this is {FORMAT_VERSION}; use the bitprobe "
            "that wrote it"
        )
    made_with = origin.take(_IDENTITY_BYTES)
    block_bytes, stream_bytes = origin.number(), origin.number()
    spec = origin.take(origin.number(_LONGEST_SPEC)).decode(errors="replace")
    origin.check()
    if made_with != identity:
        own = spec_of(compressor)
        other = f"{spec!r}, not with {own!r}" if spec != own else f"another {spec!r}"
        raise ContainerError(
            f"the file was made with {other}; give the artifact or spec it was made with"
        )
    try:
        return Layout(block_bytes=block_bytes, stream_bytes=stream_bytes)
    except UsageError as error:
        raise ContainerError(f"the file is damaged: {error}") from error


def _read_block(origin: _Origin, length: int) -> _Block:
    start = origin.n_bytes
    kind = origin.take(1)[0]
    # A code that is longer than the original would have been stored.
    n_code = origin.number(length)
    original_crc, code = origin.take(4), origin.take(n_code)
    origin.check()
    if kind not in (_STORED, _CODED):
        raise ContainerError(f"the file is damaged: a block of kind {kind} at {start}")
    return _Block(
        start=start, length=length, kind=kind, original_crc=original_crc, code=code
    )


def _code(
    compressor: Compressor, block: bytes, layout: Layout, identity: bytes
) -> tuple[int, bytes]:
    """Return the kind and the code of a block."""
    pieces = coding.split(block, layout.lengths(len(block)), b"")
    with _blamed(compressor, CodingError, "failed to code a block"):
        (code,) = coding.code_each(compressor, pieces, artifact=identity)
    return (_CODED, code) if len(code) < len(block) else (_STORED, block)


def _decode(
    compressor: Compressor, block: _Block, layout: Layout, identity: bytes
) -> bytes:
    data = block.code
    if block.kind == _CODED:
        lengths = layout.lengths(block.length)
        with _blamed(compressor, ContainerError, f"cannot decode byte {block.start}"):
            data = b"".join(
                coding.decode_each(compressor, [block.code], lengths, artifact=identity)
            )
    if len(data) != block.length or _crc_bytes(zlib.crc32(data)) != block.original_crc:
        raise ContainerError(
            f"the block at byte {block.start} is whole, but does not decode to what was "
            f"coded; use the machine and the versions of {compressor.name} it was made with"
        )
    return data


@contextmanager
def _blamed(
    compressor: Compressor, kind: type[HarnessError], doing: str
) -> Iterator[None]:
    """Turn whatever a plugin raises into one line that names it."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        msg = f"{compressor.name} {doing}: {type(error).__name__}: {said}"
        raise kind(msg) from error


class _Sink:
    """Where a coded file goes: counts its bytes and keeps their CRC."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._crc, self.n_bytes = stream, 0, 0

    def put(self, data: bytes) -> None:
        """Write bytes."""
        self._crc = zlib.crc32(data, self._crc)
        self._stream.write(data)
        self.n_bytes += len(data)

    def seal(self) -> None:
        """Write the CRC of all bytes so far; it is not part of itself."""
        self._stream.write(_crc_bytes(self._crc))
        self.n_bytes += 4


class _Origin:
    """Where a coded file comes from: takes no more than it is told, and checks."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._crc, self.n_bytes = stream, 0, 0

    def take(self, n: int) -> bytes:
        """Return the next n bytes."""
        data = self._raw(n)
        self._crc = zlib.crc32(data, self._crc)
        return data

    def number(self, most: int = (1 << 63) - 1) -> int:
        """Return the next integer, at most `most`."""
        groups = self.take(1)
        while groups[-1] >= 0x80 and len(groups) < LONGEST_VARINT:
            groups += self.take(1)
        start = self.n_bytes - len(groups)
        try:
            value, _ = read_varint(groups)
        except CodingError as error:
            raise ContainerError(
                f"the file is damaged: an integer at byte {start} does not end"
            ) from error
        if value > most:
            raise ContainerError(
                f"the file is damaged: {value} at byte {start}, at most {most} is legal"
            )
        return value

    def check(self) -> None:
        """Raise ContainerError unless the CRC of all bytes so far comes next."""
        at, crc = self.n_bytes, _crc_bytes(self._crc)
        if self._raw(4) != crc:
            raise ContainerError(
                f"the file is damaged before byte {at}: wrong CRC32; get it again"
            )

    def _raw(self, n: int) -> bytes:
        data = self._stream.read(n)
        if len(data) < n:
            raise ContainerError(
                f"the file is cut off at byte {self.n_bytes + len(data)}; get it again"
            )
        self.n_bytes += n
        return data


def _digest() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=_DIGEST_BYTES)


def _crc_bytes(crc: int) -> bytes:
    return crc.to_bytes(4, "little")
