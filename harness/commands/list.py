"""What there is, and what of it works on this machine: `bitprobe list` and `doctor`."""

from __future__ import annotations

import os
import platform
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from harness.contract import coding
from harness.contract.compressor import Codec, Compressor, Stepwise
from harness.contract.registry import Entry, load_registry
from harness.data.card import card_names, load_card
from harness.data.fetch import cache_folder
from harness.errors import SpecError
from harness.planning.suite import load_suite, suite_names
from harness.tasks.catalog import TASKS

SAMPLES = (b"the cat sat on the mat. " * 8, b"", b"on the mat")
CONTEXT = b"the cat sat on the log. " * 8


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of `bitprobe doctor`."""

    name: str
    message: str
    is_fine: bool = True


def inventory(what: str, plugins_dir: Path | None = None) -> list[dict[str, Any]]:
    """Return one row per compressor, dataset, suite or task, each with name and about."""
    if what == "compressors":
        return [_compressor(e) for e in load_registry(plugins_dir).entries.values()]
    if what == "datasets":
        return [_dataset(name) for name in card_names()]
    if what == "suites":
        return [_suite(name) for name in suite_names()]
    return [
        {
            "name": task.name,
            "about": task.title,
            "version": task.version,
            "reads_fit": task.reads_fit,
            "parameters": {f.name: f.default for f in fields(task.parameters)},
        }
        for task in TASKS.values()
    ]


def examine() -> list[Finding]:
    """Return what works here. Compressors are tried on a few bytes, which also compiles."""
    found = [_python(), _torch(), _cache(), _mirror()]
    entries = load_registry().entries.values()
    return found + [_tried(entry) for entry in entries]


def _compressor(entry: Entry) -> dict[str, Any]:
    if entry.kind is None:
        about = f"unavailable: {entry.unavailable}"
        return {"name": entry.name, "about": about, "available": False}
    kind = entry.kind
    own = {f.name: f.default for f in fields(kind) if f.name != "learned"}
    options = ", ".join(f"{name}={value!r}" for name, value in own.items())
    return {
        "name": entry.name,
        "about": f"{kind.family}; {kind.route}; {options or 'no fields'}",
        "available": True,
        "family": kind.family,
        "route": kind.route,
        "determinism": kind.determinism,
        "prior_bytes": kind.prior_bytes,
        "requires": list(kind.requires),
        "fields": own,
    }


def _dataset(name: str) -> dict[str, Any]:
    card = load_card(name)
    about = f"{card.title} ({card.n_train}/{card.n_test})"
    return {"name": name, "about": about, **card.model_dump(exclude={"source", "name"})}


def _suite(name: str) -> dict[str, Any]:
    suite = load_suite(name)
    return {
        "about": suite.title,
        **suite.model_dump(exclude={"tasks", "name"}),
        "name": name,
        "tasks": [row.name for row in suite.tasks],
    }


def _python() -> Finding:
    about = (
        f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"
    )
    return Finding(name="python", message=about)


def _torch() -> Finding:
    try:
        import torch
    except ImportError as error:
        message = f"cannot be imported ({error}); networks will not run"
        return Finding(name="torch", message=message, is_fine=False)
    device = "CUDA device" if torch.cuda.is_available() else "no CUDA device"
    return Finding(name="torch", message=f"{torch.__version__}, {device}")


def _cache() -> Finding:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"cannot write: {error.strerror}; set BITPROBE_CACHE"
        return Finding(name="cache", message=message, is_fine=False)
    return Finding(name="cache", message="can be written")


def _mirror() -> Finding:
    folder = os.environ.get("BITPROBE_DATA_MIRROR")
    if not folder:
        return Finding(name="mirror", message="none; data comes from its addresses")
    if not Path(folder).is_dir():
        message = "BITPROBE_DATA_MIRROR names no folder; correct or unset it"
        return Finding(name="mirror", message=message, is_fine=False)
    return Finding(name="mirror", message="data comes from BITPROBE_DATA_MIRROR")


def _tried(entry: Entry) -> Finding:
    if entry.kind is None:
        # A package of an extra that is not there is a choice, not a fault.
        message = f"unavailable: {entry.unavailable}"
        is_fine = "not installed" in entry.unavailable
        return Finding(name=entry.name, message=message, is_fine=is_fine)
    try:
        message = _try(entry.kind())
    except SpecError as error:  # no default is legal: it is for the user to choose
        return Finding(name=entry.name, message=f"loads; {error}")
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what is wrong)
        message = f"{type(error).__name__}: {error}"
        return Finding(name=entry.name, message=message, is_fine=False)
    return Finding(name=entry.name, message=message)


def _try(compressor: Compressor) -> str:
    """Return "works" if a few samples come back, with a context and after a fit."""
    if "fit" in compressor.needs:
        return "loads (it must be fitted before it codes)"
    for one in (compressor, compressor.fit([CONTEXT], seed=0)):
        one.code_lengths(SAMPLES, context=CONTEXT)
        one.pair_code_lengths(SAMPLES[:1], SAMPLES[2:])
        lengths = [len(sample) for sample in SAMPLES]
        if isinstance(one, Codec):
            for sample in SAMPLES:
                code = one.compress(sample, context=CONTEXT)
                if one.decompress(code, length=len(sample), context=CONTEXT) != sample:
                    raise ValueError("a sample did not come back; do not use it")
        elif isinstance(one, Stepwise):
            code = coding.encode(one, SAMPLES, context=CONTEXT)
            if coding.decode(one, code, lengths, context=CONTEXT) != list(SAMPLES):
                raise ValueError("samples did not come back; do not use it")
    return "works"
