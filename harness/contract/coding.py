"""Entropy coder of every model: integer frequencies to bytes and back.

All streams of a block go in step through one range coder (constriction, Bamler 2022,
arXiv:2201.01741), so that a block pays for one coder only. Container, integers as varint
or little-endian:

    "BPC" | format version | length and text of the coder's version | artifact id (8 bytes)
    then, for every MAX_STREAMS samples:
    kind (0 stored, 1 coded) | CRC32 | payload length | payload

The CRC32 is of the block's number, its kind, the sample lengths, the payload and the
decoded bytes, so that no flipped bit passes, not even one that the coder would not read,
and no block that stands in another's place. Sample lengths and order are side information
that the decoder has; memory is taken by them, never by a number in the container. A block
whose samples leave the alphabet, or that coding would expand, is stored.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any, TypeVar

import constriction
import numpy as np
from numpy.typing import NDArray

from harness.contract.codes import read_varint, varint
from harness.contract.compressor import (
    START,
    TOTAL_FREQUENCY,
    Codec,
    Compressor,
    Stepwise,
    writes_bytes,
)
from harness.contract.symbols import coding_order, running_streams, steps_of
from harness.errors import CodingError, ContainerError, NotApplicableError

Item = TypeVar("Item")

MAGIC = b"BPC"
FORMAT_VERSION = 2
MAX_STREAMS = 4096
NO_ARTIFACT = bytes(8)

_STORED, _CODED = 0, 1
# A patch release keeps the coder's bytes; a minor one need not.
_CODER_VERSION = ".".join(version("constriction").split(".")[:2]).encode()


def code_stream(
    compressor: Compressor,
    samples: Sequence[bytes],
    separator: bytes,
    *,
    artifact: bytes,
) -> bytes:
    """Return the code of a whole split in the order given, as one stream.

    Codecs and adapting models code the samples joined, each ended by the separator; other
    models code each sample as a stream of its own from the same state.

    Raises:
        NotApplicableError: the compressor has no bitstream.
    """
    if isinstance(compressor, Codec):
        return compressor.compress(join(samples, separator))
    model = _model(compressor)
    # Joined, an adapting model learns from each sample for the next.
    pieces = [join(samples, separator)] if model.adapts else samples
    return encode(model, pieces, artifact=artifact)


def decode_stream(
    compressor: Compressor,
    code: bytes,
    lengths: Sequence[int],
    separator: bytes,
    *,
    artifact: bytes,
) -> list[bytes]:
    """Return the samples of `code_stream` from its code and their lengths."""
    total = sum(lengths) + len(separator) * len(lengths)
    if isinstance(compressor, Codec):
        return split(compressor.decompress(code, length=total), lengths, separator)
    model = _model(compressor)
    if model.adapts:
        (joined,) = decode(model, code, [total], artifact=artifact)
        return split(joined, lengths, separator)
    return decode(model, code, lengths, artifact=artifact)


def code_each(
    compressor: Compressor, samples: Sequence[bytes], *, artifact: bytes
) -> list[bytes]:
    """Return codes of samples, each coded without knowledge of the others.

    A codec gives one code per sample; a model gives a single container, its streams
    sharing one coder but no information.
    """
    if isinstance(compressor, Codec):
        return compressor.compress_each(samples)
    return [encode(_model(compressor), samples, artifact=artifact)]


def decode_each(
    compressor: Compressor,
    codes: Sequence[bytes],
    lengths: Sequence[int],
    *,
    artifact: bytes,
) -> list[bytes]:
    """Return the samples of `code_each` from their codes and lengths."""
    if isinstance(compressor, Codec):
        pairs = zip(codes, lengths, strict=True)
        return [compressor.decompress(code, length=length) for code, length in pairs]
    (code,) = codes
    return decode(_model(compressor), code, lengths, artifact=artifact)


def code_after(compressor: Compressor, data: bytes, context: bytes) -> bytes:
    """Return the code of `data` for a decoder that has `context` and nothing else.

    Raises:
        NotApplicableError: the compressor writes no bytes.
    """
    if isinstance(compressor, Codec):
        return compressor.compress(data, context=context)
    return encode(_model(compressor), [data], context=context)


def decode_after(
    compressor: Compressor, code: bytes, length: int, context: bytes
) -> bytes:
    """Return the `length` bytes of `code_after` from their code."""
    if isinstance(compressor, Codec):
        return compressor.decompress(code, length=length, context=context)
    return decode(_model(compressor), code, [length], context=context)[0]


def join(samples: Sequence[bytes], separator: bytes) -> bytes:
    """Return the samples as one stream, each ended by the separator."""
    return b"".join(sample + separator for sample in samples)


def split(joined: bytes, lengths: Sequence[int], separator: bytes) -> list[bytes]:
    """Return the samples of a stream made by `join`.

    Raises:
        CodingError: the separators are not where the lengths say.
    """
    samples, start = [], 0
    for length in lengths:
        samples.append(joined[start : start + length])
        start += length + len(separator)
    # A decoder must not return wrong samples of the right lengths.
    if join(samples, separator) != joined:
        msg = "the decoded stream does not fall into samples of the given lengths"
        raise CodingError(msg)
    return samples


def encode(
    model: Stepwise,
    samples: Sequence[bytes],
    *,
    context: bytes = b"",
    artifact: bytes = NO_ARTIFACT,
) -> bytes:
    """Return the container of all samples, each coded after `context` alone.

    Args:
        model: gives the frequencies.
        samples: any byte strings; those outside the model's alphabet are stored.
        context: bytes that the decoder has.
        artifact: 8 bytes that identify the fitted arrays; the decoder must present the same.

    Raises:
        CodingError: the model's frequencies are not legal.
    """
    head = (
        MAGIC + bytes([FORMAT_VERSION, len(_CODER_VERSION)]) + _CODER_VERSION + artifact
    )
    return head + b"".join(
        _encode_block(model, block, context, number)
        for number, block in enumerate(_blocks(samples))
    )


def decode(
    model: Stepwise,
    code: bytes,
    lengths: Sequence[int],
    *,
    context: bytes = b"",
    artifact: bytes = NO_ARTIFACT,
) -> list[bytes]:
    """Return the samples of a container.

    Raises:
        ContainerError: the container is damaged, of another format, made with another
            artifact, or does not decode to samples of these lengths.
        CodingError: a length is negative.
    """
    # Slices would take a negative length for one from the end.
    if min(lengths, default=0) < 0:
        msg = f"a sample length is {min(lengths)}; give lengths of 0 or more"
        raise CodingError(msg)
    start = _check_head(code, artifact)
    samples: list[bytes] = []
    # The number of blocks follows from the lengths, never from the container.
    for number, block in enumerate(_blocks(lengths)):
        kind, checksum, payload, start = _read_block(code, start)
        decoded = _decode_payload(model, kind, payload, block, context)
        if _checksum(number, kind, payload, decoded) != checksum:
            # A wrong length moves every later symbol, so both show as this checksum.
            msg = "the container is damaged, or was not coded with these lengths"
            raise ContainerError(msg)
        samples += decoded
    if start != len(code):
        msg = (
            f"the container goes on for {len(code) - start} bytes after its last block"
        )
        raise ContainerError(msg)
    return samples


def check_frequencies(rows: NDArray[np.int64], alphabet: int) -> None:
    """Raise CodingError unless every row is legal: >= 1 each, summing to 2**24."""
    if rows.ndim != 2 or rows.shape[1] != alphabet or rows.dtype != np.int64:
        msg = (
            f"frequencies must be int64 (m, {alphabet}), got {rows.dtype} {rows.shape}"
        )
        raise CodingError(msg)
    if len(rows) and rows.min() < 1:
        msg = f"a frequency is {rows.min()}; each must be at least 1"
        raise CodingError(msg)
    sums = rows.sum(axis=1)
    if (sums != TOTAL_FREQUENCY).any():
        msg = f"frequencies sum to {sums[sums != TOTAL_FREQUENCY][0]}, not to 2**24"
        raise CodingError(msg)


def payload_of(
    model: Stepwise, samples: Sequence[bytes], *, context: bytes = b""
) -> bytes:
    """Return the range coder's words for samples inside the alphabet, without a container."""
    ordered = [samples[i] for i in coding_order(samples)]
    symbols = np.concatenate([*steps_of(ordered), np.empty(0, np.int64)]).astype(
        np.int32
    )
    # A queue, not a stack: the decoder must read symbols in the order they were coded.
    encoder = constriction.stream.queue.RangeEncoder()
    done = 0
    for rows in model.frequencies(samples, context=context):
        check_frequencies(rows, model.alphabet)
        encoder.encode(
            symbols[done : done + len(rows)], _family(), _probabilities(rows)
        )
        done += len(rows)
    if done != len(symbols):
        msg = f"{model.name} gave {done} rows of frequencies for {len(symbols)} symbols"
        raise CodingError(msg)
    words = encoder.get_compressed()
    return bytes(words.astype("<u4").tobytes())


def _model(compressor: Compressor) -> Stepwise:
    if not isinstance(compressor, Stepwise) or not writes_bytes(compressor):
        msg = f"{compressor.name} gives likelihoods only; it writes no bytes"
        raise NotApplicableError(msg)
    return compressor


def _blocks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, max(len(items), 1), MAX_STREAMS):
        yield items[start : start + MAX_STREAMS]


def _encode_block(
    model: Stepwise, samples: Sequence[bytes], context: bytes, number: int
) -> bytes:
    kind, payload = _STORED, b"".join(samples)
    if payload and max(payload) < model.alphabet:
        coded = payload_of(model, model.arrange(samples), context=context)
        if len(coded) < len(payload):
            kind, payload = _CODED, coded
    checksum = _checksum(number, kind, payload, samples)
    return bytes([kind]) + checksum + varint(len(payload)) + payload


def _checksum(
    number: int, kind: int, payload: bytes, samples: Sequence[bytes]
) -> bytes:
    about = varint(number) + bytes([kind])
    about += b"".join(varint(len(sample)) for sample in samples)
    crc = zlib.crc32(payload, zlib.crc32(about))
    return zlib.crc32(b"".join(samples), crc).to_bytes(4, "little")


def _check_head(code: bytes, artifact: bytes) -> int:
    """Return the offset of the first block."""
    start = len(MAGIC) + 2
    if code[: len(MAGIC)] != MAGIC or len(code) < start:
        msg = "not a bitprobe container: it does not start with 'BPC'"
        raise ContainerError(msg)
    if code[len(MAGIC)] != FORMAT_VERSION:
        msg = (
            f"container format {code[len(MAGIC)]} is not {FORMAT_VERSION}; use the"
            " bitprobe that wrote it"
        )
        raise ContainerError(msg)
    coder = code[start : start + code[start - 1]]
    if coder != _CODER_VERSION:
        msg = f"coded with constriction {coder!r}, this is {_CODER_VERSION!r}; install that version"
        raise ContainerError(msg)
    start += len(coder) + len(NO_ARTIFACT)
    if code[start - len(NO_ARTIFACT) : start] != artifact:
        msg = "the container was coded with another artifact; present the one it was made with"
        raise ContainerError(msg)
    return start


def _read_block(code: bytes, start: int) -> tuple[int, bytes, bytes, int]:
    """Return kind, checksum and payload of the block at `start`, and the offset after it."""
    try:
        length, body = read_varint(code, start + 5)
    except CodingError as error:
        msg = "the container is truncated inside a block's head"
        raise ContainerError(msg) from error
    kind, end = code[start], body + length
    if kind not in (_STORED, _CODED) or end > len(code):
        msg = f"the container is damaged: a block of kind {kind} ends at {end} of {len(code)} bytes"
        raise ContainerError(msg)
    return kind, code[start + 1 : start + 5], code[body:end], end


def _decode_payload(
    model: Stepwise, kind: int, payload: bytes, lengths: Sequence[int], context: bytes
) -> list[bytes]:
    if sum(lengths) != len(payload) and kind == _STORED:
        msg = (
            f"a stored block holds {len(payload)} bytes, the lengths given sum to"
            f" {sum(lengths)}; give those it was made with"
        )
        raise ContainerError(msg)
    if kind == _STORED:
        return split(payload, lengths, b"")
    if len(payload) % 4 or not sum(lengths):
        msg = (
            f"the container is damaged: {len(payload)} bytes cannot code {sum(lengths)}"
        )
        raise ContainerError(msg)
    # Lengths are all that a decoder has, so the order is made from them as in coding.
    order = np.argsort(-np.array(lengths, np.int64), kind="stable")
    columns = _decode_steps(model, payload, [lengths[i] for i in order], context)
    samples = [b""] * len(lengths)
    for i, column in zip(order, columns, strict=True):
        samples[i] = column
    return model.rearrange(samples)


def _decode_steps(
    model: Stepwise, payload: bytes, lengths: Sequence[int], context: bytes
) -> list[bytes]:
    """Return the streams, which are sorted longest first, in that order."""
    decoder = constriction.stream.queue.RangeDecoder(
        np.frombuffer(payload, "<u4").astype(np.uint32)
    )
    family, state = _family(), model.start(len(lengths), context=context)
    running = running_streams(np.array(lengths, np.int64))
    # Step after step in one array: a table of streams by steps would be mostly empty.
    starts = np.cumsum(running) - running
    decoded = np.empty(sum(lengths), np.uint8)
    last = np.full(len(lengths), START, np.int64)
    for position, (first, n_running) in enumerate(zip(starts, running, strict=True)):
        state, rows = model.step(state, last[:n_running])
        try:
            symbols = decoder.decode(family, _probabilities(rows))
        except (AssertionError, ValueError) as error:
            # constriction asserts where the bytes belong to no symbol.
            msg = f"the container is damaged: no symbol fits at step {position}"
            raise ContainerError(msg) from error
        last = symbols.astype(np.int64)
        decoded[first : first + n_running] = last
    return [
        decoded[starts[:length] + column].tobytes()
        for column, length in enumerate(lengths)
    ]


def _family() -> Any:
    return constriction.stream.model.Categorical(perfect=False, lazy=True)


def _probabilities(rows: NDArray[np.int64]) -> NDArray[np.float32]:
    # Multiples of 2**-24 up to 1, and all their partial sums, are exact in float32.
    return rows.astype(np.float32) * np.float32(1 / TOTAL_FREQUENCY)
