"""Client of the fork server: sends requests, receives outcomes, and ends the server."""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import Self

from harness.errors import HarnessError
from harness.run.messages import Outcome, Request, read_outcome, to_line

# One thread each: jobs share the cores, and two threads on a busy core are far slower.
_ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")
}


class Server:
    """A running fork server; a context manager that ends it and all its children."""

    def __init__(self, device: str = "auto") -> None:
        """Take the device of networks: "auto", "cpu" or "cuda", as plugins read it."""
        self._environment = {**os.environ, **_ONE_THREAD, "BITPROBE_DEVICE": device}
        # Also hides GPUs from plugins that do not read BITPROBE_DEVICE.
        if device == "cpu":
            self._environment["CUDA_VISIBLE_DEVICES"] = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            # -P: nothing is imported from the folder that the user happens to be in.
            [sys.executable, "-P", "-m", "harness.run.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # Ctrl-C reaches the runner, which closes the pipe
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.stdin:
            # The end of its input tells the server to kill its children and end.
            self._process.stdin.close()
        self._process.wait(timeout=30)
        if self._process.stdout:
            self._process.stdout.close()

    def submit(self, request: Request) -> None:
        """Send a request.

        Raises:
            HarnessError: the server is not running.
        """
        if self._process.stdin is None:
            raise HarnessError("the fork server is not running")
        self._process.stdin.write(to_line(request))
        # Unflushed, the request would stay here while the runner waits for its outcome.
        self._process.stdin.flush()

    def wait(self) -> Outcome:
        """Return the next outcome.

        Raises:
            HarnessError: the server ended.
        """
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise HarnessError("the fork server ended; run again to resume")
        return read_outcome(line)
