"""What a job costs before it does anything: a fork of the server against a new Python.

Run: .venv/bin/python benchmarks/empty_job.py
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.run.isolate import Server
from harness.run.messages import Request

N_FORKS, N_STARTS = 50, 3
WARM_UP = 3


def main() -> None:
    """Print both medians, measured in one run."""
    forked = fork_seconds()
    started = start_seconds()
    print(f"{'an empty job':<34} {'median':>10} {'best':>10}")
    for name, seconds in (
        ("forked from the idle server", forked),
        ("a new Python with its imports", started),
    ):
        median, best = statistics.median(seconds), min(seconds)
        print(f"{name:<34} {1e3 * median:>7.1f} ms {1e3 * best:>7.1f} ms")


def fork_seconds() -> list[float]:
    """Return the wall time of single empty jobs, one after the other."""
    seconds = []
    with tempfile.TemporaryDirectory() as folder, Server() as server:
        for i in range(WARM_UP + N_FORKS):
            request = Request(
                id=str(i),
                stage="nothing",
                scratch=folder,
                log=str(Path(folder, "log")),
                timeout_seconds=60,
                memory_bytes=1 << 32,
            )
            start = time.perf_counter()
            server.submit(request)
            server.wait()
            seconds.append(time.perf_counter() - start)
    return seconds[WARM_UP:]


def start_seconds() -> list[float]:
    """Return the wall time of starting Python and importing what the server preloads."""
    code = (
        "from harness.run import server; import importlib\n"
        "for name in server.PRELOADED: importlib.import_module(name)"
    )
    seconds = []
    for _ in range(1 + N_STARTS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


if __name__ == "__main__":
    main()
