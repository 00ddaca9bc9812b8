"""`bitprobe doctor`: packages, devices, data and compressors that work on this machine."""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness.contract import coding
from harness.contract.compressor import Codec, Compressor, Stepwise
from harness.contract.registry import Entry, load_registry
from harness.data.fetch import cache_folder
from harness.errors import SpecError

# With an empty sample, an edge at which codecs often fail.
SAMPLES = (b"the cat sat on the mat. " * 8, b"", b"on the mat")
CONTEXT = b"the cat sat on the log. " * 8


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """One line of `bitprobe doctor`."""

    name: str
    message: str
    is_fine: bool = True


def examine() -> list[Diagnosis]:
    """Return a diagnosis of each part; compressors code a few bytes, which compiles them."""
    machine = [_python(), _torch(), _cache(), _mirror()]
    return machine + [_compressor(e) for e in load_registry().entries.values()]


def _python() -> Diagnosis:
    about = (
        f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"
    )
    return Diagnosis(name="python", message=about)


def _torch() -> Diagnosis:
    try:
        import torch  # seconds to import, and other commands work without it
    except ImportError as error:
        message = f"cannot be imported ({error}); networks will not run"
        return Diagnosis(name="torch", message=message, is_fine=False)
    device = "CUDA device" if torch.cuda.is_available() else "no CUDA device"
    return Diagnosis(name="torch", message=f"{torch.__version__}, {device}")


def _cache() -> Diagnosis:
    folder = cache_folder()
    # Permission bits do not tell of a full or read-only disk; a file does.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"cannot write: {error.strerror}; set BITPROBE_CACHE"
        return Diagnosis(name="cache", message=message, is_fine=False)
    return Diagnosis(name="cache", message="can be written")


def _mirror() -> Diagnosis:
    folder = os.environ.get("BITPROBE_DATA_MIRROR")
    if not folder:
        return Diagnosis(name="mirror", message="none; data comes from its addresses")
    if not Path(folder).is_dir():
        message = "BITPROBE_DATA_MIRROR names no folder; correct or unset it"
        return Diagnosis(name="mirror", message=message, is_fine=False)
    return Diagnosis(name="mirror", message="data comes from BITPROBE_DATA_MIRROR")


def _compressor(entry: Entry) -> Diagnosis:
    if entry.kind is None:
        # An optional package that is not installed is a choice, not a fault.
        message = f"unavailable: {entry.unavailable}"
        is_fine = "not installed" in entry.unavailable
        return Diagnosis(name=entry.name, message=message, is_fine=is_fine)
    try:
        message = _try(entry.kind())
    except SpecError as error:  # no default is legal: the user must choose a value
        return Diagnosis(name=entry.name, message=f"loads; {error}")
    except Exception as error:  # noqa: BLE001  (any fault of a plugin is its diagnosis)
        message = f"{type(error).__name__}: {error}"
        return Diagnosis(name=entry.name, message=message, is_fine=False)
    return Diagnosis(name=entry.name, message=message)


def _try(compressor: Compressor) -> str:
    """Return "works" if a few samples come back, with a context and after a fit."""
    if "fit" in compressor.needs:
        return "loads (it must be fitted before it codes)"
    # Both states: a prefix comes from the context, or from the fit.
    for candidate in (compressor, compressor.fit([CONTEXT], seed=0)):
        # A compressor may have separate code for lengths and pairs, beside codes.
        candidate.code_lengths(SAMPLES, context=CONTEXT)
        candidate.pair_code_lengths(SAMPLES[:1], SAMPLES[2:])
        if _decoded(candidate) != list(SAMPLES):
            raise ValueError("a sample did not come back; do not use it")
    return "works"


def _decoded(compressor: Compressor) -> list[bytes]:
    """Return the samples coded and decoded again, where the compressor writes bytes."""
    lengths = [len(sample) for sample in SAMPLES]
    if isinstance(compressor, Codec):
        codes = [compressor.compress(sample, context=CONTEXT) for sample in SAMPLES]
        return [
            compressor.decompress(code, length=length, context=CONTEXT)
            for code, length in zip(codes, lengths, strict=True)
        ]
    if isinstance(compressor, Stepwise):
        code = coding.encode(compressor, SAMPLES, context=CONTEXT)
        return coding.decode(compressor, code, lengths, context=CONTEXT)
    return list(SAMPLES)
