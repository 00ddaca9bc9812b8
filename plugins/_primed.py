"""Primed coders: code a prefix once, then fork per sample, at the cost of the sample.

A library for plugins whose codec streams but cannot be copied. The primed coder lives in a
small process of its own (`_priming`), started by a real exec (no site, no numpy: little to
fork), which reads its whole batch, primes, and forks one child per sample; each child writes
its bytes to the same pipe and ends. One child runs at a time: a job keeps to one core. Helper
and children end with the process that started them (PR_SET_PDEATHSIG; a closed pipe elsewhere).
"""

import importlib.util
import marshal
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from . import _priming
from ._priming import LENGTH, framed, parcels_of


@dataclass(frozen=True, kw_only=True)
class StreamingCoder:
    """Construction of a streaming coder, and the names of its methods.

    Attributes:
        module: dotted name of a module, not a package; it is imported without its parents,
            whose own imports cost more than everything else.
        factory: the coder's class in it.
        args, kwargs: its arguments; plain values that `marshal` writes.
        feed: method that takes bytes and returns the code that they complete.
        finish: method that ends the stream.
        seal: method called between prefix and sample, "" for none; it flushes the prefix.
        chunk: bytes per call of `feed`, 0 for all at once.
        forks: False primes anew for each sample, which is cheaper than to fork where the
            prefix is short. Memory that the library leaks still ends with the helper.
    """

    module: str
    factory: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    feed: str
    finish: str
    seal: str = ""
    chunk: int = 0
    forks: bool = True


def tails_after(
    coder_spec: StreamingCoder, prefix: bytes, samples: Sequence[bytes]
) -> tuple[int, list[bytes]]:
    """Return the number of code bytes before the first sample, and the code of each sample.

    Raises:
        CodingError: the helper did not return all its codes.
    """
    from harness import CodingError

    batch = framed([marshal.dumps(asdict(coder_spec)), prefix, *samples])
    command = [sys.executable, "-I", "-S", _priming.__file__, str(os.getpid())]
    command += [_folder_of(coder_spec.module)]
    # `run` reads and writes at once, and kills the helper if it is interrupted itself.
    done = subprocess.run(command, input=batch, capture_output=True, check=False)
    answers = parcels_of(done.stdout)
    if done.returncode or len(answers) != len(samples) + 1:
        error_lines = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise CodingError(
            f"the primed {coder_spec.module} coder ended with status {done.returncode} after "
            f"{len(answers)} of {len(samples) + 1} answers: {(error_lines or ['silent'])[0]}"
        )
    return LENGTH.unpack(answers[0])[0], answers[1:]


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
