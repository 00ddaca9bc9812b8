"""Checks that a fresh process, with only the artifact, decodes codes of this one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.conformance import models
from harness.conformance.lengths import same_lengths
from harness.conformance.subject import (
    EXACT_CLASSES,
    Check,
    State,
    Subject,
    alphabet_of,
    attempt,
    fail,
    one_line,
    tolerance,
    without_bitstream,
)
from harness.contract import artifact
from harness.contract.compressor import Compressor, Stepwise
from harness.contract.registry import Registry, load_plugin
from harness.errors import PluginError

TIMEOUT_SECONDS = 300
# A new interpreter, not a fork: a fork would share what the plugin keeps in memory.
_RUN = "from harness.conformance.fresh import answer_request; answer_request()"
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
_OTHER_KERNELS = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
}


@dataclass(frozen=True, kw_only=True)
class Coded:
    """Code of one input, and the side information of its decoder."""

    name: str
    code: bytes
    length: int
    fitted: bool
    context: bytes
    here: str


def _fresh_process(subject: Subject) -> str:
    answer = _ask(subject, n_threads=1, other_kernels=False)
    here = artifact.identity(subject.fitted).hex()
    if answer["identity"] != here:
        fail(
            "the artifact loaded in a fresh process has other fields or arrays than the"
            " saved artifact; use plain fields, and `learned` for all that fit learns"
        )
    # Lengths are compared as well, since a model may have no bitstream.
    state = subject.fitted_states[0]
    sources = ("code_lengths in a fresh process", "here")
    names = [f"{case}, {state.label}" for case in subject.few]
    got = np.array(answer["lengths"], np.float64)
    want = state.code_lengths([case.data for case in subject.few])
    same_lengths(got, want, names, sources, tolerance(subject.compressor))
    return ""


def _determinism_class(subject: Subject) -> str:
    here = fingerprints(subject.fitted, subject.context)
    rows = {name: value for name, value in here.items() if name.startswith("rows")}
    if len(set(rows.values())) > 1:
        fail(
            f"class {subject.compressor.determinism!r} is declared, but {_unequal(rows)}"
            " differ from those of single streams (16 inputs of 48 bytes); make sums"
            " exact, or declare 'host'"
        )
    # Two threads split a sum, and other kernels order it differently.
    for n_threads, other in ((1, False), (2, True)):
        there = _ask(subject, n_threads=n_threads, other_kernels=other)["fingerprints"]
        differ = [name for name in here if there.get(name) != here[name]]
        if differ:
            where = " and other CPU kernels" if other else ""
            fail(
                f"class {subject.compressor.determinism!r} is declared, but"
                f" {', '.join(differ)} (of inputs of 48 bytes) differ in a fresh"
                f" process with {n_threads} thread(s){where}; make sums exact, or"
                " declare 'host'"
            )
    device = subject.compressor.determinism == "device"
    return "on this CPU only, without a GPU" if device else ""


def _unequal(rows: Mapping[str, str]) -> str:
    single = rows["rows of 1 stream"]
    return ", ".join(name for name, value in rows.items() if value != single)


def fingerprints(compressor: Compressor, context: bytes) -> dict[str, str]:
    """Return digests of codes and frequencies that must agree between machines."""
    # Short and fixed, so that digests of two machines can be compared by hand.
    samples = models.class_batch(alphabet_of(compressor))
    state = State(label="fitted", compressor=compressor, context=context)
    codes = [state.encode(sample) for sample in samples[:4]]
    digests = {"codes": _digest(b"".join(codes))}
    if isinstance(compressor, Stepwise):
        for n_batch in (1, 7, len(samples)):
            name = f"rows of {n_batch} stream{'' if n_batch == 1 else 's'}"
            digests[name] = models.digest_of_batches(
                compressor, samples, context, n_batch=n_batch
            )
    return digests


def _ask(subject: Subject, *, n_threads: int, other_kernels: bool) -> dict[str, Any]:
    """Return the answer of a fresh process, after a check of its decoded samples."""
    # Two checks ask the same question, and a process takes seconds to start.
    key = f"{n_threads} threads, other kernels: {other_kernels}"
    if key not in subject.shared:
        environment = _environment(n_threads, other_kernels=other_kernels)
        subject.shared[key] = _ask_in(subject, environment)
    answer: dict[str, Any] = subject.shared[key]
    return answer


def _ask_in(subject: Subject, environment: Mapping[str, str]) -> dict[str, Any]:
    if subject.plugin is None:
        name = type(subject.compressor).__name__
        fail(
            f"{name} is defined in no file that a fresh process can load; make it a plugin"
        )
    coded = _coded(subject)
    with tempfile.TemporaryDirectory(prefix="bitprobe-") as name:
        folder = Path(name)
        _write_request(subject, coded, folder)
        answer = _run(folder, environment)
    for item, there in zip(coded, answer["decoded"], strict=True):
        if there != item.here:
            fail(
                f"{item.name}: a fresh process with the artifact decoded {there},"
                f" this one {item.here}; decode from the code and `learned` alone"
            )
    return answer


def _coded(subject: Subject) -> list[Coded]:
    if without_bitstream(subject.compressor):
        return []
    items = []
    for state in subject.states:
        for case in subject.few:
            with attempt(f"coding {case}, {state.label},"):
                code = state.encode(case.data)
            item = Coded(
                name=f"{case}, {state.label}",
                code=code,
                length=len(case.data),
                fitted=state.compressor.is_fitted,
                context=state.context,
                here=_decoded(state, code, len(case.data)),
            )
            items.append(item)
    return items


def _write_request(subject: Subject, coded: Sequence[Coded], folder: Path) -> None:
    with attempt("saving the artifact"):
        artifact.save(subject.fitted, folder)
    # Other classes claim nothing, and digests take time.
    exact = subject.compressor.determinism in EXACT_CLASSES
    request = {
        "plugin": str(subject.plugin),
        "context": subject.context.hex(),
        "samples": [case.data.hex() for case in subject.few],
        "fingerprints": exact,
        "coded": [
            {
                "code": item.code.hex(),
                "length": item.length,
                "fitted": item.fitted,
                "context": item.context.hex(),
            }
            for item in coded
        ],
    }
    (folder / "request.json").write_text(json.dumps(request))


def _environment(n_threads: int, *, other_kernels: bool) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    # This checkout first: the process must not load an installed bitprobe.
    paths = [root, os.environ.get("PYTHONPATH", "")]
    changes = dict.fromkeys(_THREADS, str(n_threads))
    changes["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    if other_kernels and platform.machine() in ("x86_64", "AMD64"):
        # Kernels of an old processor add in another order, as another machine would.
        changes |= _OTHER_KERNELS
    return {**os.environ, **changes}


def _run(folder: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    command = [sys.executable, "-c", _RUN]
    try:
        done = subprocess.run(
            command,
            cwd=folder,  # nothing of the user's folder may help to decode
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        fail(f"a fresh process did not end within {TIMEOUT_SECONDS} s; make it faster")
    target = folder / "answer.json"
    if not target.exists():
        # The last line of a traceback names the error.
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        fail(
            f"a fresh process ended with code {done.returncode}: {last}; make the plugin"
            " load from its file alone"
        )
    answer: dict[str, Any] = json.loads(target.read_text())
    return answer


def answer_request() -> None:
    """Answer request.json of the working folder; this runs in the fresh process."""
    request = json.loads(Path("request.json").read_text())
    registry = _registry(Path(request["plugin"]))
    fitted = artifact.load(Path(), registry.make)
    about = json.loads(Path(artifact.FIELDS_FILE).read_text())
    unfitted = registry.make(about["name"], about["fields"])
    answer: dict[str, Any] = {
        "identity": artifact.identity(fitted).hex(),
        "decoded": [
            _decoded(
                State(
                    label="",
                    compressor=fitted if item["fitted"] else unfitted,
                    context=bytes.fromhex(item["context"]),
                ),
                bytes.fromhex(item["code"]),
                item["length"],
            )
            for item in request["coded"]
        ],
    }
    samples = [bytes.fromhex(sample) for sample in request["samples"]]
    answer["lengths"] = fitted.code_lengths(samples).tolist()
    context = bytes.fromhex(request["context"])
    if request["fingerprints"]:
        answer["fingerprints"] = fingerprints(fitted, context)
    Path("answer.json").write_text(json.dumps(answer))


def _decoded(state: State, code: bytes, length: int) -> str:
    """Describe the decoded sample of a code, in words that two processes can compare."""
    try:
        data = state.decode(code, length)
    except Exception as error:  # noqa: BLE001  (a plugin may fail in any way; it is reported)
        return f"nothing ({type(error).__name__}: {one_line(error)})"
    return f"{len(data)} bytes of sha256 {_digest(data)[:12]}"


def _registry(plugin: Path) -> Registry:
    """Return a registry of one plugin."""
    entries = load_plugin(plugin)
    broken = [entry.unavailable for entry in entries if entry.unavailable]
    if broken:
        raise PluginError(f"{plugin.name}: {broken[0]}")
    return Registry(entries={entry.name: entry for entry in entries})


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _no_class(compressor: Compressor) -> str:
    if compressor.determinism in EXACT_CLASSES:
        return ""
    return f"class {compressor.determinism!r} claims nothing about other machines"


CHECKS = (
    Check(
        name="fresh_process",
        claim="a fresh process that loads the artifact decodes the codes of this process",
        run=_fresh_process,
    ),
    Check(
        name="determinism_class",
        claim="codes and frequencies agree over batches, threads and CPU kernels",
        run=_determinism_class,
        not_for=_no_class,
    ),
)
