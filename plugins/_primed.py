"""Primed coders: code a prefix once, then fork per sample, at the cost of the sample.

A library for plugins whose codec streams but cannot be copied. The primed coder lives in a
small process of its own, started by a real exec (no site, no numpy: little to fork), which
reads its whole batch, primes, and forks one child per sample; each child writes its bytes
to the same pipe and ends. One child runs at a time: a job keeps to one core. Helper and
children end with the process that started them (PR_SET_PDEATHSIG; a closed pipe elsewhere).

This file is both the library and the program of the helper, so it imports little.
"""

import importlib
import importlib.util
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

_PR_SET_PDEATHSIG = 1
_LENGTH = struct.Struct("<q")


@dataclass(frozen=True, kw_only=True)
class StreamingCoder:
    """Construction of a streaming coder, and the names of its methods.

    Attributes:
        module: dotted name of a module, not a package; it is imported without its parents,
            whose own imports cost more than everything else.
        factory: the coder's class in it.
        args, kwargs: its arguments; plain JSON values.
        feed: method that takes bytes and returns the code that they complete.
        finish: method that ends the stream.
        seal: method called between prefix and sample, "" for none; it flushes the prefix.
        chunk: bytes per call of `feed`, 0 for all at once.
    """

    module: str
    factory: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    feed: str
    finish: str
    seal: str = ""
    chunk: int = 0


def tails_after(
    coder_spec: StreamingCoder, prefix: bytes, samples: Sequence[bytes]
) -> tuple[int, list[bytes]]:
    """Return the number of code bytes before the first sample, and the code of each sample.

    Raises:
        CodingError: the helper did not return all its codes.
    """
    from harness import CodingError

    parcels = [json.dumps(asdict(coder_spec)).encode(), prefix, *samples]
    batch = b"".join(_LENGTH.pack(len(parcel)) + parcel for parcel in parcels)
    command = [sys.executable, "-I", "-S", __file__, str(os.getpid())]
    command += [_folder_of(coder_spec.module)]
    # `run` reads and writes at once, and kills the helper if it is interrupted itself.
    done = subprocess.run(command, input=batch, capture_output=True, check=False)
    answers = _parcels(done.stdout)
    if done.returncode or len(answers) != len(samples) + 1:
        error_lines = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise CodingError(
            f"the primed {coder_spec.module} coder ended with status {done.returncode} after "
            f"{len(answers)} of {len(samples) + 1} answers: {(error_lines or ['silent'])[0]}"
        )
    return _LENGTH.unpack(answers[0])[0], answers[1:]


def suffix_codes(
    coder_spec: StreamingCoder, prefix: bytes, samples: Sequence[bytes]
) -> list[bytes]:
    """Return each sample's code by the suffix route, as `pack_after` writes it."""
    from harness import shared_length, varint

    # Code that the prefix completed by itself is common to all samples.
    _, (end, *tails) = tails_after(coder_spec, prefix, [b"", *samples])
    shares = [shared_length(end, tail) for tail in tails]
    return [
        varint(len(end) - shared) + tail[shared:]
        for shared, tail in zip(shares, tails, strict=True)
    ]


def _folder_of(module: str) -> str:
    """Return the folder of a module."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {module!r}", name=module)
    return str(Path(spec.origin).parent)


def _parcels(data: bytes) -> list[bytes]:
    """Return the complete length-prefixed parcels in `data`."""
    parcels, start = [], 0
    # A helper that died early leaves an incomplete parcel, which the caller counts.
    while start + _LENGTH.size <= len(data):
        end = start + _LENGTH.size + _LENGTH.unpack_from(data, start)[0]
        if end > len(data):
            break
        parcels.append(data[start + _LENGTH.size : end])
        start = end
    return parcels


def _serve(parent: int, folder: str, batch: bytes, out: BinaryIO) -> None:
    """Answer one batch: the length of the head, then a tail for each sample."""
    die_with_parent = _deathwish()
    die_with_parent()
    # The parent may have ended before the request to die with it.
    if os.getppid() != parent:
        return
    sys.path.append(folder)
    head, prefix, *samples = _parcels(batch)
    coder_spec = StreamingCoder(**json.loads(head))
    coder, n_out = _primed(coder_spec, prefix)
    _answer(out, _LENGTH.pack(n_out))
    for sample in samples:
        # One child at a time: a job keeps to one core.
        child = os.fork()
        if child == 0:
            die_with_parent()
            _answer(out, _finished(coder_spec, coder, sample))
            # Without the clean-up of the interpreter: its buffers belong to the parent.
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            raise SystemExit(1)


def _primed(coder_spec: StreamingCoder, prefix: bytes) -> tuple[Any, int]:
    module = importlib.import_module(coder_spec.module.rpartition(".")[2])
    coder = getattr(module, coder_spec.factory)(*coder_spec.args, **coder_spec.kwargs)
    n_out = len(_fed(coder_spec, coder, prefix))
    if coder_spec.seal:
        n_out += len(getattr(coder, coder_spec.seal)())
    return coder, n_out


def _finished(coder_spec: StreamingCoder, coder: Any, sample: bytes) -> bytes:
    return _fed(coder_spec, coder, sample) + bytes(getattr(coder, coder_spec.finish)())


def _fed(coder_spec: StreamingCoder, coder: Any, data: bytes) -> bytes:
    feed, step = getattr(coder, coder_spec.feed), coder_spec.chunk or max(len(data), 1)
    pieces = (data[start : start + step] for start in range(0, len(data), step))
    return b"".join(map(feed, pieces))


def _answer(out: BinaryIO, parcel: bytes) -> None:
    out.write(_LENGTH.pack(len(parcel)) + parcel)
    out.flush()


def _deathwish() -> Any:
    """Return a function after which the kernel kills this process when its parent ends."""
    if not sys.platform.startswith("linux"):
        return lambda: 0
    import ctypes

    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2], sys.stdin.buffer.read(), sys.stdout.buffer)
