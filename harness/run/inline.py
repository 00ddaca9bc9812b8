"""Stand-in for the fork server that carries out every request in this process.

For debugging, and for compressors that live in a program alone: the same stages with the
same answers, but no limits, and a crash of the compressor is a crash of the program.
"""

from __future__ import annotations

import os
import time
from collections import deque
from pathlib import Path

import psutil

from harness.run.messages import Outcome, Request
from harness.run.worker import RegistryOf, perform


class Inline:
    """Requests and outcomes as of `Server`, one at a time."""

    def __init__(self, registry_of: RegistryOf) -> None:
        """Take what gives the registry of a plugin by its origin."""
        self._registry_of = registry_of
        self._outcomes = deque[Outcome]()

    def submit(self, request: Request) -> None:
        """Carry out a request; what it prints is seen."""
        folder, started, cpu = Path.cwd(), time.perf_counter(), time.process_time()
        try:
            perform(request, self._registry_of)
        finally:
            os.chdir(folder)  # decoding works in its scratch folder
        self._outcomes.append(
            Outcome(
                id=request.id,
                verdict="exited",
                exit_code=0,
                wall_seconds=time.perf_counter() - started,
                cpu_seconds=time.process_time() - cpu,
                peak_bytes=psutil.Process().memory_info().rss,
            )
        )

    def wait(self) -> Outcome:
        """Return the outcome of the earliest request."""
        return self._outcomes.popleft()
