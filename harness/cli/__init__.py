"""The command line: each command calls one function."""

import os

# One thread: jobs share the cores, and BLAS threads on a busy core are far slower. numpy
# reads these variables when it is imported.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

from harness.cli.app import main  # noqa: E402  (after the environment is set)

__all__ = ["main"]
