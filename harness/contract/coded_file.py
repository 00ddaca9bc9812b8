"""Format of coded files: blocks by any compressor, decoded exactly or refused.

Integers are varints, CRC32s little-endian:

    "BPF" | format version | identity of compressor and artifact (8 bytes)
    | most bytes of a block | bytes of a stream | length and text of the spec | CRC32
    then for every block
    original length, at least 1 | kind (0 stored, 1 coded) | code length
    | CRC32 of the original | code | CRC32
    and at the end
    0 | original length of all | BLAKE2b of all (16 bytes) | CRC32

A CRC32 at an end covers all earlier bytes of the file except such CRC32s: a block that is
damaged, or in another's place, is refused before it is decoded. A block is cut into streams
that a model codes in step; a codec takes the whole block. No number in the file makes the
decoder allocate more than a block, and a block has at most 64 MiB.
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
"""Called with the number of input bytes done."""

MAGIC = b"BPF"
FORMAT_VERSION = 1
LARGEST_BLOCK = 1 << 26

_STORED, _CODED = 0, 1
_IDENTITY_BYTES = 8
_DIGEST_BYTES = 16
_LONGEST_SPEC = 1 << 12


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Sizes of the blocks and streams of a file.

    Attributes:
        block_bytes: of a block, which is coded and checked as one; the last may be shorter.
        stream_bytes: of a stream; streams of a block are coded independently.
    """

    block_bytes: int
    stream_bytes: int

    def __post_init__(self) -> None:
        if not 1 <= self.stream_bytes <= self.block_bytes <= LARGEST_BLOCK:
            raise UsageError(
                f"streams of {self.stream_bytes} in blocks of {self.block_bytes} bytes; "
                f"give 1 <= stream <= block <= {LARGEST_BLOCK}"
            )
        # More streams would need a second coder within a block.
        if self.block_bytes > self.stream_bytes * coding.MAX_STREAMS:
            raise UsageError(
                f"a block of {self.block_bytes} bytes has more than {coding.MAX_STREAMS} "
                f"streams of {self.stream_bytes}; make streams longer or blocks smaller"
            )

    def lengths(self, n_bytes: int) -> list[int]:
        """Return the lengths of the streams of a block of `n_bytes`."""
        n_whole, remainder = divmod(n_bytes, self.stream_bytes)
        return [self.stream_bytes] * n_whole + [remainder] * (remainder > 0)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Bytes of a file before and after coding, everything counted."""

    original_bytes: int
    coded_bytes: int


def default_layout(compressor: Compressor) -> Layout:
    """Return long blocks for codecs, and for models the number of streams that is fastest.

    A stream always holds whole images.
    """
    # A model of images needs whole images to know the row and column of a byte.
    image = prod(hyperparameters(compressor).get("shape") or (1,))
    if isinstance(compressor, Codec):
        # A longer block compresses better, but is decoded as a whole.
        size = max((1 << 22) // image, 1) * image
        return Layout(block_bytes=size, stream_bytes=size)
    if isinstance(compressor, Stepwise) and compressor.adapts:
        # It learns within a stream, so streams are long; longer still, and a block would
        # have too few of them to code at once.
        stream = 1 << 18
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
    """Write the coded file of all bytes of `source`."""
    sink, digest, n_bytes = _Sink(target), _digest(), 0
    identity = artifact.identity(compressor)
    spec = spec_of(compressor).encode()
    sink.put(MAGIC + bytes([FORMAT_VERSION]) + identity)
    sink.put(varint(layout.block_bytes) + varint(layout.stream_bytes))
    sink.put(varint(len(spec)) + spec)
    sink.seal()
    # One block in memory at a time: files may be larger than it.
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
        ContainerError: the file is damaged, or was written by another compressor or
            artifact.
    """
    origin, digest, n_bytes = _Origin(source), _digest(), 0
    identity = artifact.identity(compressor)
    layout = _read_head(origin, compressor, identity)
    while length := origin.number(layout.block_bytes):
        block = _decode(compressor, _read_block(origin, length), layout, identity)
        # Verified by its own CRC already: a pipe may use it at once.
        digest.update(block)
        target.write(block)
        n_bytes += len(block)
        progress(origin.n_bytes)
    total, whole = origin.number(), origin.take(_DIGEST_BYTES)
    origin.check()
    if source.read(1):
        raise ContainerError(
            f"the file continues after its end at byte {origin.n_bytes}; get it again"
        )
    if (total, whole) != (n_bytes, digest.digest()):
        raise ContainerError(
            f"decoded {n_bytes} bytes that differ from the {total} original bytes; "
            "compress the original again"
        )
    return Sizes(original_bytes=n_bytes, coded_bytes=origin.n_bytes)


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Block as it stands in the file, its own CRC checked."""

    start: int
    length: int
    kind: int
    original_crc: bytes
    code: bytes


def _read_head(origin: _Origin, compressor: Compressor, identity: bytes) -> Layout:
    if (start := origin.take(len(MAGIC))) != MAGIC:
        raise ContainerError(
            f"the file starts with {start!r}, not with {MAGIC!r}; give a file that "
            "bitprobe compress wrote"
        )
    if (version := origin.take(1)[0]) != FORMAT_VERSION:
        raise ContainerError(
            f"the file has format {version}, this is {FORMAT_VERSION}; use the bitprobe "
            "that wrote it"
        )
    writer = origin.take(_IDENTITY_BYTES)
    block_bytes, stream_bytes = origin.number(), origin.number()
    spec = origin.take(origin.number(_LONGEST_SPEC)).decode(errors="replace")
    origin.check()
    if writer != identity:
        reader = spec_of(compressor)
        # The same spec with other learned arrays has another identity.
        names = (
            f"{spec!r}, not by {reader!r}" if spec != reader else f"another {spec!r}"
        )
        raise ContainerError(
            f"the file was written by {names}; give the artifact or spec that wrote it"
        )
    try:
        return Layout(block_bytes=block_bytes, stream_bytes=stream_bytes)
    except UsageError as error:
        # A legal writer never writes such a layout.
        raise ContainerError(f"the file is damaged: {error}") from error


def _read_block(origin: _Origin, length: int) -> _Block:
    start = origin.n_bytes
    kind = origin.take(1)[0]
    # A code longer than its block would have been stored instead.
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
    streams = coding.split(block, layout.lengths(len(block)), b"")
    with _plugin_errors(compressor, CodingError, "failed to code a block"):
        (code,) = coding.code_each(compressor, streams, artifact=identity)
    return (_CODED, code) if len(code) < len(block) else (_STORED, block)


def _decode(
    compressor: Compressor, block: _Block, layout: Layout, identity: bytes
) -> bytes:
    data = block.code
    if block.kind == _CODED:
        lengths = layout.lengths(block.length)
        with _plugin_errors(
            compressor, ContainerError, f"cannot decode byte {block.start}"
        ):
            data = b"".join(
                coding.decode_each(compressor, [block.code], lengths, artifact=identity)
            )
    if len(data) != block.length or _crc_bytes(zlib.crc32(data)) != block.original_crc:
        raise ContainerError(
            f"the block at byte {block.start} is undamaged, but does not decode to the "
            f"original; use the machine and the version of {compressor.name} that wrote it"
        )
    return data


@contextmanager
def _plugin_errors(
    compressor: Compressor, kind: type[HarnessError], failure: str
) -> Iterator[None]:
    """Turn any error of a plugin into one line that names the plugin."""
    try:
        yield
    except HarnessError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        msg = f"{compressor.name} {failure}: {type(error).__name__}: {text}"
        raise kind(msg) from error


class _Sink:
    """Writer of a coded file, which counts bytes and updates their CRC."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._crc, self.n_bytes = stream, 0, 0

    def put(self, data: bytes) -> None:
        """Write bytes."""
        self._crc = zlib.crc32(data, self._crc)
        self._stream.write(data)
        self.n_bytes += len(data)

    def seal(self) -> None:
        """Write the CRC of all bytes so far; CRCs themselves are not covered."""
        self._stream.write(_crc_bytes(self._crc))
        self.n_bytes += 4


class _Origin:
    """Reader of a coded file, which counts bytes and checks their CRC."""

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
        # Byte by byte: a pipe cannot give back what is read too much.
        while groups[-1] >= 0x80 and len(groups) < LONGEST_VARINT:
            groups += self.take(1)
        start = self.n_bytes - len(groups)
        try:
            value, _ = read_varint(groups)
        except CodingError as error:
            raise ContainerError(
                f"the file is damaged: an integer at byte {start} does not end"
            ) from error
        # Before any allocation: a damaged length must not exhaust the memory.
        if value > most:
            raise ContainerError(
                f"the file is damaged: {value} at byte {start}, at most {most} is legal"
            )
        return value

    def check(self) -> None:
        """Raise ContainerError unless the CRC of all bytes so far comes next."""
        end, crc = self.n_bytes, _crc_bytes(self._crc)
        if self._raw(4) != crc:
            raise ContainerError(
                f"the file is damaged before byte {end}: wrong CRC32; get it again"
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
