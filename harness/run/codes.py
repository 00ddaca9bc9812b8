"""Codes on their way through a job: written, decoded by a fresh process, and compared.

The folder `codes` holds a file per rate, a file of contexts where there are any, and
index.json with the lengths that a decoder may know. The runner takes sizes from the files
themselves and writes them, with the hashes of the decoder, beside the measurements.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.contract import artifact, coding
from harness.contract.compressor import Compressor
from harness.contract.online_code import (
    Learner,
    Schedule,
    decode_blocks,
    learner_of,
    online,
)
from harness.errors import HarnessError
from harness.tasks.outcome import Coded, CodeFile

INDEX = "index.json"
CODE_FILES = "codes.json"
"""File in a folder of measurements: sizes and hashes of decoded codes."""


class MismatchError(HarnessError):
    """Codes decoded to other bytes than the original."""


def write_codes(coded: Sequence[Coded], folder: Path) -> None:
    """Write the input of the decoder: codes, sample lengths, separators, contexts."""
    folder.mkdir()
    index = []
    for rate in coded:
        (folder / rate.name).write_bytes(b"".join(rate.codes))
        (folder / f"{rate.name}.contexts").write_bytes(b"".join(rate.contexts))
        index.append(
            {
                "name": rate.name,
                "fitted": rate.fitted,
                "stream": rate.stream,
                "code_lengths": [len(code) for code in rate.codes],
                # Lengths and order of samples are side information that every decoder has.
                "lengths": [len(sample) for sample in rate.samples],
                "separator": rate.separator.hex(),
                "context_lengths": [len(context) for context in rate.contexts],
                "schedule": asdict(rate.schedule) if rate.schedule else None,
            }
        )
    (folder / INDEX).write_text(json.dumps(index))


def decode_codes(
    folder: Path, *, fitted: Compressor, unfitted: Compressor
) -> dict[str, str]:
    """Return, by the name of the rate, the sha256 of the samples that its codes decode to."""
    index = json.loads((folder / INDEX).read_text())
    return {
        entry["name"]: hash_of(_decoded(folder, entry, fitted, unfitted))
        for entry in index
    }


def _decoded(
    folder: Path, entry: Mapping[str, Any], fitted: Compressor, unfitted: Compressor
) -> Sequence[bytes]:
    data = (folder / entry["name"]).read_bytes()
    codes = coding.split(data, entry["code_lengths"], b"")
    # A cold code must decode without anything learned, as its rate claims.
    compressor = fitted if entry["fitted"] else unfitted
    identity = artifact.identity(fitted) if entry["fitted"] else coding.NO_ARTIFACT
    learner = None
    if entry["schedule"]:
        # A code by blocks carries no weights: the decoder repeats every training.
        learner = learner_of(unfitted, Schedule(**entry["schedule"]))
    if entry["stream"]:
        return _decoded_stream(entry, codes[0], compressor, identity, learner)
    if entry["context_lengths"]:
        context_data = (folder / f"{entry['name']}.contexts").read_bytes()
        contexts = coding.split(context_data, entry["context_lengths"], b"")
        return _decoded_after(entry, codes, contexts, compressor, learner)
    return coding.decode_each(compressor, codes, entry["lengths"], artifact=identity)


def _decoded_stream(
    entry: Mapping[str, Any],
    code: bytes,
    compressor: Compressor,
    identity: bytes,
    learner: Learner | None,
) -> Sequence[bytes]:
    lengths, separator = entry["lengths"], bytes.fromhex(entry["separator"])
    if learner:
        return decode_blocks(learner, code, lengths, separator)
    return coding.decode_stream(compressor, code, lengths, separator, artifact=identity)


def _decoded_after(
    entry: Mapping[str, Any],
    codes: Sequence[bytes],
    contexts: Sequence[bytes],
    compressor: Compressor,
    learner: Learner | None,
) -> Sequence[bytes]:
    return [
        coding.decode_after(online(compressor, learner, length), code, length, context)
        for code, length, context in zip(codes, entry["lengths"], contexts, strict=True)
    ]


def hash_of(samples: Sequence[bytes]) -> str:
    """Return the sha256 of samples, each with its length before it."""
    digest = hashlib.sha256()
    for sample in samples:
        # With the length, so that bytes moved between samples change the hash.
        digest.update(len(sample).to_bytes(8, "little") + sample)
    return digest.hexdigest()


def write_code_files(codes: Path, hashes: Mapping[str, str], measured: Path) -> None:
    """Write sizes, taken from the files, and hashes of decoded codes to the measurements.

    Raises:
        HarnessError: a file has another size than its index says, or was not decoded.
    """
    table = {}
    for entry in json.loads((codes / INDEX).read_text()):
        name, lengths = str(entry["name"]), [int(n) for n in entry["code_lengths"]]
        # From the disk: lengths that a plugin reports are not trusted.
        size = (codes / name).stat().st_size
        if sum(lengths) != size or min(lengths, default=0) < 0:
            raise HarnessError(
                f"{name}: the file has {size} bytes, its index says {sum(lengths)}"
            )
        if name not in hashes:
            raise HarnessError(f"{name}: the decoder gave nothing back")
        table[name] = {"lengths": lengths, "sha256": hashes[name]}
    (measured / CODE_FILES).write_text(json.dumps(table))


def read_code_files(measured: Path) -> dict[str, CodeFile]:
    """Return sizes and hashes by the name of the rate; empty where no codes were written."""
    path = measured / CODE_FILES
    if not path.is_file():
        return {}
    return {
        name: CodeFile(lengths=tuple(entry["lengths"]), sha256=entry["sha256"])
        for name, entry in json.loads(path.read_text()).items()
    }


def check_originals(
    files: Mapping[str, CodeFile], originals: Mapping[str, Sequence[bytes]]
) -> None:
    """Raise MismatchError unless every code, and no other, decoded to its original."""
    # Comparing common names only would let a missing rate pass.
    if set(files) != set(originals):
        names = sorted(set(files) ^ set(originals))
        raise MismatchError(
            f"{names[0]}: codes were written for other rates than asked"
        )
    for name, samples in originals.items():
        if files[name].sha256 != hash_of(samples):
            raise MismatchError(f"{name} decoded to other bytes")
