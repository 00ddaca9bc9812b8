"""One thread for every test: BLAS threads on busy cores are far slower."""

import os

# Before numpy is imported anywhere.
for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
