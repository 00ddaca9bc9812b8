"""Artifacts: fitted compressors on disk, fields as JSON and arrays as safetensors."""

from __future__ import annotations

import hashlib
import json
import lzma
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.contract.compressor import Compressor, hyperparameters
from harness.errors import ContainerError
from harness.units import bytes_to_bits

FIELDS_FILE = "compressor.json"
LEARNED_FILE = "learned.safetensors"


def save(compressor: Compressor, folder: Path) -> None:
    """Write a fitted (or unfitted) compressor into an existing folder."""
    # Imported here: it is slow, and few callers need it.
    from safetensors.numpy import save as to_bytes

    about = {"name": compressor.name, "fields": hyperparameters(compressor)}
    (folder / FIELDS_FILE).write_text(json.dumps(about, sort_keys=True, default=list))
    if compressor.learned is not None:
        arrays = {k: np.ascontiguousarray(v) for k, v in compressor.learned.items()}
        (folder / LEARNED_FILE).write_bytes(to_bytes(arrays))


def load(
    folder: Path, make: Callable[[str, Mapping[str, Any]], Compressor]
) -> Compressor:
    """Return the compressor saved in `folder`; `make` builds it from its name and fields.

    Raises:
        ContainerError: the folder holds no artifact, or a damaged artifact.
    """
    # Not pickle, which runs code when it is loaded.
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        about = json.loads((folder / FIELDS_FILE).read_text())
        compressor = make(about["name"], about["fields"])
        if not (folder / LEARNED_FILE).exists():
            return compressor
        learned = from_bytes((folder / LEARNED_FILE).read_bytes())
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        msg = f"no usable artifact in {folder.name}: {error}; fit it again"
        raise ContainerError(msg) from error
    return replace(compressor, learned=learned)


def identity(compressor: Compressor) -> bytes:
    """Return 8 bytes that change whenever fields or learned arrays change."""
    digest = hashlib.sha256(
        json.dumps(
            [compressor.name, hyperparameters(compressor)], sort_keys=True, default=list
        ).encode()
    )
    # Sorted, since a dictionary's order says nothing about what was learned.
    for name, array in sorted((compressor.learned or {}).items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()[:8]


def weigh(folder: Path) -> float:
    """Return the size in bits of this artifact for a receiver: min(raw, xz -9e) of its files."""
    # Both files: the receiver needs the fields to build the model at all.
    raw = b"".join(
        (folder / name).read_bytes()
        for name in (FIELDS_FILE, LEARNED_FILE)
        if (folder / name).exists()
    )
    # The strongest general compressor of the standard library, as anyone can repeat.
    packed = lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)
    return bytes_to_bits(min(len(raw), len(packed)))
