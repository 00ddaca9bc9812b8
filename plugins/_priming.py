"""Program of the helper of `_primed`: code a prefix once, then answer sample after sample.

There is one helper for each context of a landmark probe, so that this file imports little:
it starts in 14 ms of CPU time, of which Python itself takes 9.
"""

from __future__ import annotations

import importlib
import marshal
import os
import struct
import sys

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
LENGTH = struct.Struct("<q")

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The module typing takes as long to import as all the rest.
    from typing import Any

    Spec = dict[str, Any]
    """Fields of a `StreamingCoder`."""


def framed(parcels: list[bytes]) -> bytes:
    """Return byte strings joined, each behind its length."""
    return b"".join(LENGTH.pack(len(parcel)) + parcel for parcel in parcels)


def parcels_of(data: bytes) -> list[bytes]:
    """Return the complete length-prefixed parcels in `data`."""
    parcels, start = [], 0
    # A helper that died early leaves an incomplete parcel, which the caller counts.
    while start + LENGTH.size <= len(data):
        end = start + LENGTH.size + LENGTH.unpack_from(data, start)[0]
        if end > len(data):
            break
        parcels.append(data[start + LENGTH.size : end])
        start = end
    return parcels


def serve(parent: int, folder: str, batch: bytes) -> None:
    """Answer one batch: the length of the head, then a tail for each sample."""
    _die_with_parent()
    # The parent may have ended before the request to die with it.
    if os.getppid() != parent:
        return
    sys.path.append(folder)
    head, prefix, *samples = parcels_of(batch)
    coder_spec = marshal.loads(head)  # noqa: S302  (written by the parent process)
    coder, n_out = _primed(coder_spec, prefix)
    _answer(LENGTH.pack(n_out))
    for sample in samples:
        if coder_spec["forks"]:
            _answer_forked(coder_spec, coder, sample)
        else:
            _answer(_finished(coder_spec, _primed(coder_spec, prefix)[0], sample))


def _answer_forked(coder_spec: Spec, coder: Any, sample: bytes) -> None:
    """Answer from a child, which leaves the primed coder as it is."""
    # One child at a time: a job keeps to one core.
    child = os.fork()
    if child == 0:
        _die_with_parent()
        _answer(_finished(coder_spec, coder, sample))
        # Without the clean-up of the interpreter: its buffers belong to the parent.
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise SystemExit(1)


def _primed(coder_spec: Spec, prefix: bytes) -> tuple[Any, int]:
    module = importlib.import_module(coder_spec["module"].rpartition(".")[2])
    factory = getattr(module, coder_spec["factory"])
    coder = factory(*coder_spec["args"], **coder_spec["kwargs"])
    n_out = len(_fed(coder_spec, coder, prefix))
    if coder_spec["seal"]:
        n_out += len(getattr(coder, coder_spec["seal"])())
    return coder, n_out


def _finished(coder_spec: Spec, coder: Any, sample: bytes) -> bytes:
    finish = getattr(coder, coder_spec["finish"])
    return _fed(coder_spec, coder, sample) + bytes(finish())


def _fed(coder_spec: Spec, coder: Any, data: bytes) -> bytes:
    feed = getattr(coder, coder_spec["feed"])
    step = coder_spec["chunk"] or max(len(data), 1)
    pieces = (data[start : start + step] for start in range(0, len(data), step))
    return b"".join(map(feed, pieces))


def _answer(parcel: bytes) -> None:
    sys.stdout.buffer.write(LENGTH.pack(len(parcel)) + parcel)
    sys.stdout.buffer.flush()


def _die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2], sys.stdin.buffer.read())
