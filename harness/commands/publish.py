"""`bitprobe publish`: a finished run as a folder that others read, cite and check."""

from __future__ import annotations

import gzip
import io
import shlex
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.analysis.results import Results, results_of
from harness.atomic import write_atomic
from harness.commands.report import write_charts
from harness.errors import StoreError
from harness.planning.manifest import FILE, Manifest, RunSet
from harness.planning.registered_design import FILE as REGISTRATION
from harness.planning.registered_design import registration_text
from harness.records.store import PUBLISHED, PUBLISHED_ARRAYS, Store
from harness.report.document import document

JOINT_TASKS = ("joint", "transfer")
RATE_BITS = ("heldout_bits", "isolated_bits", "stream_bits", "cold_bits", "n_bytes")
"""Arrays of code lengths that intervals of rates resample."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def publish(folder: Path, target: Path) -> list[Path]:
    """Write tables, page, records, arrays, manifest and figures of a run; return paths.

    Everything but the figures can be read back: `target` is a folder for `bitprobe report`
    and the other reading commands. Nothing is written before all that is read back is made.

    Raises:
        StoreError: the folder has no records or no manifest, the run is unofficial, or the
            target cannot be written.
    """
    results = results_of(Store(folder))
    manifest = results.manifest
    if manifest is None:
        raise StoreError(
            f"{folder} has no {FILE}; run its suite again, then publish it"
        )
    if not results.is_official:
        raise StoreError(
            f"{folder} holds a run with --limit or --seed; run the whole suite, then "
            "publish it"
        )
    manifest = _portable(manifest)
    results = replace(results, manifest=manifest)
    files = _files(results, manifest)
    if arrays := _arrays(results):
        files[PUBLISHED_ARRAYS] = arrays
    # Only a folder that a publication made may lose files to the next one.
    was_published = (target / PUBLISHED).is_file() and (target / FILE).is_file()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_atomic(target / name, content)
    except OSError as error:
        raise StoreError(
            f"cannot write to {target}: {error.strerror}; give another --output"
        ) from error
    paths = [
        *(target / name for name in files),
        *write_charts(results, target / "figures"),
    ]
    if was_published:
        _remove_stale(target, paths)
    return paths


def _remove_stale(target: Path, paths: list[Path]) -> None:
    """Remove what an earlier publication wrote here and the present one did not."""
    optional = (PUBLISHED_ARRAYS, REGISTRATION, "hypothesis.md", "joint.md")
    earlier = [target / name for name in optional]
    for path in [*earlier, *(target / "figures").glob("*.svg")]:
        if path not in paths:
            path.unlink(missing_ok=True)


def _files(results: Results, manifest: Manifest) -> dict[str, bytes]:
    """Return the contents of all files by name."""
    files = {
        "leaderboard.md": document(results, "markdown").encode(),
        "leaderboard.html": document(results, "html").encode(),
        "scores.csv.gz": _packed(document(results, "csv")),
        PUBLISHED: _packed(document(results, "json")),
        FILE: _published(manifest)
        .model_dump_json(indent=1, exclude_defaults=True)
        .encode()
        + b"\n",
    }
    if results.registered is not None:
        # As it is, so that its hash can be checked by anyone.
        files[REGISTRATION] = registration_text(results.registered)
    if results.test is not None:
        from harness.report.preregistered import hypothesis_document

        files["hypothesis.md"] = hypothesis_document(results.test, "markdown").encode()
    if any(record.job.task in JOINT_TASKS for record in results.records):
        from harness.report.joint import joint_markdown

        files["joint.md"] = joint_markdown(results.records).encode()
    return files


def _arrays(results: Results) -> bytes:
    """Return the archive of arrays for the test and paired comparisons; b"" if none.

    Features, distances and completions are left out: they are large, and no reading
    command needs them.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as members:
        for record in sorted(results.records, key=lambda record: record.key):
            arrays = {
                name: array
                for name, array in results.arrays(record.key).items()
                if name.startswith(("credit", "labels")) or name in RATE_BITS
            }
            if arrays:
                # Not compressed inside: the archive compresses each member whole.
                content = io.BytesIO()
                np.savez(content, allow_pickle=False, **arrays)
                # A fixed date: the same records give the same bytes.
                info = zipfile.ZipInfo(f"{record.key}.npz", LONG_AGO)
                members.writestr(info, content.getvalue(), zipfile.ZIP_LZMA)
        is_empty = not members.namelist()
    return b"" if is_empty else archive.getvalue()


def _packed(text: str) -> bytes:
    # No time in the header: the same records give the same bytes.
    return gzip.compress(text.encode(), 9, mtime=0)


def _portable(manifest: Manifest) -> Manifest:
    """Return the manifest with a command that names no folder of this machine."""
    words = shlex.split(manifest.current.command)
    names = [Path(word).name if Path(word).is_absolute() else word for word in words]
    current = manifest.current.model_copy(update={"command": shlex.join(names)})
    return manifest.model_copy(update={"sets": [*manifest.sets[:-1], current]})


def _published(manifest: Manifest) -> Manifest:
    """Return the manifest of the newest set alone; the records say which keys are in it."""
    current: RunSet = manifest.current.model_copy(update={"keys": {}})
    return manifest.model_copy(update={"sets": [current]})
