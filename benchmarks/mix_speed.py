"""CPU time per bit of one compressor in two checkouts, whose codes are compared.

Run: .venv/bin/python benchmarks/mix_speed.py OLD_CHECKOUT NEW_CHECKOUT [--spec mix]
Each run is a process of its own, and the two checkouts take turns, so that other load on
the machine meets both. The text is dickens (Silesia), by download or from
BITPROBE_DATA_MIRROR, the images are MNIST-5k. A run also decodes its code.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.coding import code_after, decode_after
from harness.contract.compressor import Compressor
from harness.contract.registry import load_registry
from harness.data.load import load_dataset

N_BYTES = 1 << 17
REPEATS = 7

Result = dict[str, Any]
"""Hash of the code, and CPU ns per bit of encoding and decoding."""


def main() -> None:
    """Measure one checkout, or compare two and print their medians and ranges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", type=Path, nargs="*", metavar="CHECKOUT")
    parser.add_argument(
        "--spec", default="mix", help="compressor, as on a command line"
    )
    parser.add_argument("--bytes", type=int, default=N_BYTES)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    if not options.checkouts:
        print(json.dumps(measurements(options.spec, options.bytes)))
        return
    if len(options.checkouts) != 2:
        parser.error("give two checkouts, the old one first")
    with tempfile.TemporaryDirectory() as caches:
        sides = [
            Side(checkout, options.spec, options.bytes, Path(caches) / str(i))
            for i, checkout in enumerate(options.checkouts)
        ]
        # The first run of each fills an empty cache of compiled code.
        seconds = [measured(side)["warm-up"]["seconds"] for side in sides]
        print(f"CPU seconds of the first call: {seconds[0]:.1f} {seconds[1]:.1f}")
        report([[measured(side) for side in sides] for _ in range(options.repeats)])


@dataclass(frozen=True)
class Side:
    """One checkout, and the job of its runs."""

    checkout: Path
    spec: str
    n_bytes: int
    cache: Path


def measured(side: Side) -> dict[str, Result]:
    """Return the measurements of a fresh process that imports the checkout of a side."""
    script = str(Path(__file__).resolve())
    command = [sys.executable, script, "--spec", side.spec]
    command += ["--bytes", str(side.n_bytes)]
    environment = os.environ | {
        "PYTHONPATH": str(side.checkout.resolve()),
        "NUMBA_CACHE_DIR": str(side.cache),
    }
    done = subprocess.run(
        command, cwd=side.checkout, env=environment, capture_output=True, check=True
    )
    result: dict[str, Result] = json.loads(done.stdout)
    return result


def measurements(spec: str, n_bytes: int) -> dict[str, Result]:
    """Return hash of the code and CPU ns per bit of both directions, per input."""
    compressor = load_registry().parse(spec)
    # Loads the compiled code, or compiles it.
    start = time.process_time()
    roundtrip(compressor, b"warm-up")
    results = {"warm-up": {"seconds": time.process_time() - start}}
    for name, data in inputs(n_bytes):
        results[name] = roundtrip(compressor, data)
    return results


def roundtrip(compressor: Compressor, data: bytes) -> Result:
    """Return hash of the code and CPU ns per bit of encoding and decoding."""
    start = time.process_time()
    code = code_after(compressor, data, b"")
    middle = time.process_time()
    decoded = decode_after(compressor, code, len(data), b"")
    end = time.process_time()
    if decoded != data:
        raise SystemExit("the code decodes to other bytes")
    unit = 8e-9 * len(data)
    return {
        "code": hashlib.sha256(code).hexdigest(),
        "encode": (middle - start) / unit,
        "decode": (end - middle) / unit,
    }


def inputs(n_bytes: int) -> list[tuple[str, bytes]]:
    """Return a text and a row of images."""
    silesia = load_dataset("silesia_9")
    dickens = silesia.test.samples[silesia.names.index("dickens")]
    images = b"".join(load_dataset("mnist_5k").test.samples)
    return [("text", dickens[:n_bytes]), ("images", images[:n_bytes])]


def report(runs: list[list[dict[str, Result]]]) -> None:
    """Print a line per input and direction; the ratio is of medians."""
    print(f"{'':<16}{'old ns/bit':>20}{'new ns/bit':>20}{'ratio':>8}  codes")
    for name in ("text", "images"):
        equal = len({side[name]["code"] for pair in runs for side in pair}) == 1
        for direction in ("encode", "decode"):
            times = [sorted(pair[i][name][direction] for pair in runs) for i in (0, 1)]
            medians = [statistics.median(side) for side in times]
            cells = "".join(
                f"{f'{median:.0f} ({side[0]:.0f}-{side[-1]:.0f})':>20}"
                for median, side in zip(medians, times, strict=True)
            )
            ratio = medians[0] / medians[1]
            print(
                f"{name + ' ' + direction:<16}{cells}{ratio:>8.2f}"
                f"  {'equal' if equal else 'DIFFERENT'}"
            )


if __name__ == "__main__":
    main()
