"""`bitprobe compress` and `decompress`: files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.atomic import atomic_file
from harness.commands.progress import bar, say
from harness.contract import artifact
from harness.contract.coded_file import (
    Layout,
    Progress,
    Sizes,
    compress,
    decompress,
    default_layout,
)
from harness.contract.compressor import Codec, Compressor
from harness.contract.registry import load_registry
from harness.errors import SpecError, UsageError
from harness.units import bits_per_byte, bytes_to_bits

PIPE = Path("-")


@dataclass(frozen=True, kw_only=True)
class Files:
    """Source and target of one coding, "-" for a pipe, and a progress callback."""

    source: Path
    target: Path
    progress: Progress = lambda _: None


def compress_and_report(
    compressor: Compressor,
    source: Path,
    target: Path,
    layout: Layout,
    *,
    verify: bool = False,
) -> None:
    """Compress one file, showing progress and then the sizes; raise as `compress_file`."""
    with bar("compressing", source) as progress:
        files = Files(source=source, target=target, progress=progress)
        sizes = compress_file(compressor, files, layout, verify=verify)
    before, after = sizes.original_bytes, sizes.coded_bytes
    text = f"{before:,} -> {after:,} bytes"
    # An empty file has no rate.
    if before:
        text += f", {bits_per_byte(bytes_to_bits(after), before):.3f} bits per byte"
    say(f"{text} ({'decoded' if verify else 'not decoded yet'})")


def decompress_and_report(compressor: Compressor, source: Path, target: Path) -> None:
    """Decompress one file, showing progress and then the size; raise as `decompress_file`."""
    with bar("decompressing", source) as progress:
        files = Files(source=source, target=target, progress=progress)
        sizes = decompress_file(compressor, files)
    say(f"{sizes.original_bytes:,} bytes, verified")


def load_compressor(
    folder: Path | None, spec: str | None, plugins_dir: Path | None = None
) -> Compressor:
    """Return the compressor of an artifact's folder, or of a spec.

    Raises:
        UsageError: both or neither are given, or the spec is unknown or needs a fit.
        ContainerError: the folder holds no artifact, or a damaged artifact.
    """
    registry = load_registry(plugins_dir)
    if folder is not None and spec is None:
        return artifact.load(folder, registry.make)
    if spec is None or folder is not None:
        raise UsageError("give either --artifact FOLDER or --with SPEC")
    compressor = registry.parse(spec)
    if "fit" in compressor.needs:
        raise SpecError(
            f"{compressor.name} cannot code before it is fitted; first run: bitprobe "
            f"fit {spec!r} DATASET_OR_FILE -o ARTIFACT"
        )
    return compressor


def layout_of(
    compressor: Compressor, block_bytes: int | None, stream_bytes: int | None
) -> Layout:
    """Return the default layout of a compressor, changed by the sizes that are not None.

    Raises:
        UsageError: the sizes are not legal, or a codec is given a stream size.
    """
    default = default_layout(compressor)
    if isinstance(compressor, Codec):
        if stream_bytes is not None:
            raise UsageError(
                f"{compressor.name} is a codec, its block is one stream; give --block alone"
            )
        size = block_bytes or default.block_bytes
        return Layout(block_bytes=size, stream_bytes=size)
    # A size that is given wins over the default of the other one.
    stream = stream_bytes or min(
        default.stream_bytes, block_bytes or default.stream_bytes
    )
    block = block_bytes or max(default.block_bytes, stream)
    return Layout(block_bytes=block, stream_bytes=stream)


def compress_file(
    compressor: Compressor,
    files: Files,
    layout: Layout | None = None,
    *,
    verify: bool = False,
) -> Sizes:
    """Compress one file; the target appears whole or not at all.

    Args:
        compressor: fitted, or one that needs no fit.
        files: the original, and the target of its code.
        layout: sizes of blocks and streams; None for the compressor's default.
        verify: decode all of it before the target appears.

    Raises:
        NotApplicableError: the compressor gives likelihoods only.
        CodingError: the compressor fails.
        ContainerError: the code did not decode to the original.
        UsageError: a file cannot be read or written.
    """
    layout = layout or default_layout(compressor)
    with (
        file_errors(),
        _source(files.source) as source,
        _target(files.target) as target,
    ):
        sizes = compress(compressor, source, target, layout, files.progress)
        # Decoded from the disk, so that a write error shows too.
        if verify:
            target.seek(0)
            with Path(os.devnull).open("wb") as nowhere:
                decompress(compressor, target, nowhere)
    return sizes


def decompress_file(compressor: Compressor, files: Files) -> Sizes:
    """Decompress one file; the target appears, whole and verified, or not at all.

    Raises:
        ContainerError: the file is damaged, or was written by another compressor or
            artifact.
        UsageError: a file cannot be read or written.
    """
    with (
        file_errors(),
        _source(files.source) as source,
        _target(files.target) as target,
    ):
        return decompress(compressor, source, target, files.progress)


@contextmanager
def file_errors() -> Iterator[None]:
    """Turn an error of the file system into a UsageError of one line."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        place = f"{error.filename}: " if error.filename else ""
        raise UsageError(f"{place}{reason}") from error


@contextmanager
def _source(path: Path) -> Iterator[BinaryIO]:
    if path == PIPE:
        yield sys.stdin.buffer
        return
    with path.open("rb") as stream:
        yield stream


@contextmanager
def _target(path: Path) -> Iterator[BinaryIO]:
    """Yield a stream that becomes the file `path` if no error is raised.

    A pipe gets its bytes at the end, so that it too gets nothing unverified.
    """
    if path == PIPE:
        # Bytes sent down a pipe cannot be taken back.
        with tempfile.TemporaryFile() as stream:
            yield stream
            stream.seek(0)
            shutil.copyfileobj(stream, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    # A link is followed: the file it names is replaced, not the link.
    path = path.resolve()
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a regular file; give a file to write, or -")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}; create it first")
    with atomic_file(path) as stream:
        yield stream
