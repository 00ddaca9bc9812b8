"""The fork server: preloaded and idle, it forks one child per request and watches it.

Started by a real exec, so it is clean and single-threaded. It loads no plugin and no data.
Requests come as JSON lines on stdin, outcomes leave as JSON lines on stdout; when stdin
closes, it kills every child group and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.run.messages import Outcome, Request, Verdict, read_request, to_line

PRELOADED = (
    "numpy",
    "numba",
    "scipy.stats",
    "sklearn.svm",
    "sklearn.pipeline",
    "sklearn.feature_extraction.text",
    "safetensors.numpy",
    "harness.run.worker",
)
TICK_SECONDS = 0.02
MEMORY_TICK_SECONDS = 0.25
PR_SET_PDEATHSIG = 1
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class _Child:
    """A running child and its limits."""

    request: Request
    started: float
    peak_bytes: int = 0
    verdict: Verdict | None = None


def serve() -> None:
    """Answer requests until stdin closes."""
    for name in PRELOADED:
        importlib.import_module(name)
    libc = ctypes.CDLL(None)
    # Frozen objects stay out of collections, so that their pages stay shared.
    gc.collect()
    gc.freeze()
    answers = os.dup(1)
    os.dup2(2, 1)  # nothing that a child prints may mix with the answers
    wake, wake_end = os.pipe()
    os.set_blocking(wake_end, False)
    # Without a handler, the end of a child would not wake `select`.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # Ctrl-C is for the runner, which closes the pipe and so ends this loop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake_end)
    children: dict[int, _Child] = {}
    pending, looked = b"", time.monotonic()
    while True:
        # Without children no limit needs watching: sleep until a request comes.
        timeout = TICK_SECONDS if children else None
        ready, _, _ = select.select([0, wake], [], [], timeout)
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready:
            received = os.read(0, 1 << 16)
            # The runner has ended, in order or not.
            if not received:
                break
            # A read may end inside a line; its beginning waits for the next read.
            *lines, pending = (pending + received).split(b"\n")
            for line in lines:
                _start(read_request(line), children, libc, answers)
        if time.monotonic() - looked > MEMORY_TICK_SECONDS:
            looked = time.monotonic()
            _watch_memory(children)
        _watch_time(children)
        _reap(children, answers)
    for pid in children:
        _kill_group(pid)


def _start(
    request: Request, children: dict[int, _Child], libc: Any, answers: int
) -> None:
    pid = os.fork()
    if pid:
        children[pid] = _Child(request=request, started=time.monotonic())
        return
    code = 1
    try:
        # A session of its own, so that one kill reaches all descendants.
        os.setsid()
        # The kernel kills the child if the server dies.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A plugin must not be able to write outcomes.
        os.close(answers)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        importlib.import_module("harness.run.worker").perform(request)
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not `sys.exit`: exit handlers are the server's, not the child's.
        os._exit(code)


def _watch_time(children: dict[int, _Child]) -> None:
    for pid, child in children.items():
        elapsed = time.monotonic() - child.started
        if not child.verdict and elapsed > child.request.timeout_seconds:
            child.verdict = "timeout"
            _kill_group(pid)


def _watch_memory(children: dict[int, _Child]) -> None:
    for pid, child in children.items():
        members = _group(pid)
        # Shared pages count in every resident size: below the limit that bound is enough,
        # and of a single process the kernel tells the peak when it ends.
        resident = sum(_resident_bytes(member) for member in members)
        if len(members) == 1 and resident <= child.request.memory_bytes:
            continue
        used = sum(_pss_bytes(member) for member in members)
        child.peak_bytes = max(child.peak_bytes, used)
        if not child.verdict and used > child.request.memory_bytes:
            child.verdict = "out_of_memory"
            _kill_group(pid)


def _group(leader: int) -> list[int]:
    """Return the processes of the session that `leader` leads."""
    members = [leader]
    with contextlib.suppress(OSError):
        task = Path(f"/proc/{leader}/task/{leader}/children").read_text()
        for child in task.split():
            members += _group(int(child))
    return members


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    return 0


def _pss_bytes(pid: int) -> int:
    # The kernel walks all pages of the process for this: milliseconds for some 100 MB.
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            # Pages shared with the server count in part, not once for every child.
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _reap(children: dict[int, _Child], answers: int) -> None:
    for pid in list(children):
        # Of this child alone, unlike `getrusage`, which sums over all children.
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if not done:
            continue
        child = children.pop(pid)
        _kill_group(pid)  # its descendants may outlive it
        code = os.waitstatus_to_exitcode(status)
        outcome = Outcome(
            id=child.request.id,
            verdict=child.verdict or ("exited" if code == 0 else "crashed"),
            exit_code=code,
            wall_seconds=time.monotonic() - child.started,
            cpu_seconds=usage.ru_utime + usage.ru_stime,
            peak_bytes=max(child.peak_bytes, usage.ru_maxrss * 1024),
        )
        os.write(answers, to_line(outcome))


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
