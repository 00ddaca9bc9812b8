"""What was decoded where: codes written in one setting, decoded in all others.

Run: .venv/bin/python benchmarks/exactness_matrix.py [--steps N] [--settings NAME ...]

Small models are trained and code a few samples here, by one thread and the kernels that
this CPU has. For each setting a process is started anew (kernels are chosen once, when
libraries load); it holds the artifacts and the codes, and decodes with its streams one by
one, in sevens, in sixty-fours and all at once. A cell says "decoded" where all four gave
the samples back and where what the setting encodes itself is the same code, byte for byte:
then whatever one of those settings writes, all the others read.

The last row is a control: the float network of the row that it names, coding by rounded
float probabilities: whole samples in parallel where it encodes, step by step where it
decodes. It shows what that does to arithmetic that is not exact.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness import TOTAL_FREQUENCY, HarnessError
from harness.contract import artifact, coding
from harness.contract.registry import Registry, load_registry
from harness.data.load import load_dataset

N_STREAMS, N_SYMBOLS = 70, 32
BATCHES = (1, 7, 64, N_STREAMS)
PIXEL_FIELDS = "size='10k', shape=(8, 8), levels=17"
MODELS = {
    name: f"{name}({PIXEL_FIELDS if name.startswith('pixel') else fields})"
    for name, fields in {
        "pixel_transformer": "",
        "pixel_mixture": "",
        "pixel_mlp": "",
        "pixel_gru": "",
        "pixel_conv": "",
        "byte_transformer": "size='10k'",
        "byte_hybrid": "size='10k'",
        "byte_recurrence": "size='10k'",
        "byte_gru": "size='10k'",
        "byte_mlp": "size='10k'",
        "byte_conv": "size='10k'",
        "byte_linear_attention": "size='10k'",
    }.items()
}
CONTROL, CONTROLLED = "float pixel_transformer (control)", "pixel_transformer"
THREADS = (
    *("BITPROBE_TORCH_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"),
    *("OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"),
)
LOWEST = {
    "ATEN_CPU_CAPABILITY": "default",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    "MKL_CBWR": "COMPATIBLE",
    "OPENBLAS_CORETYPE": "Prescott",
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F",
    "NUMBA_CPU_NAME": "generic",
}

Ints = NDArray[np.int64]
Answer = Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and how a process decodes.

    Attributes:
        environment: of the process, beside the number of threads.
        threads: of every library.
        carrier: of the matmuls.
        device: of the models.
        flag: what the CPU must have.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    carrier: str = "float32"
    device: str = "cpu"
    flag: str = ""


AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
SETTINGS = {
    "best kernels": Setting(),
    "2 threads": Setting(threads=2),
    "avx2": Setting(environment=AVX2, flag="avx2"),
    "lowest": Setting(environment=LOWEST),
    "lowest, 2 threads": Setting(environment=LOWEST, threads=2),
    "float64": Setting(carrier="float64"),
    "int64": Setting(carrier="int64"),
    "cuda": Setting(device="cuda"),
}


def main() -> None:
    """Train, code, let each setting decode, and print the matrix."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40, help="of training")
    parser.add_argument("--settings", nargs="*", default=SETTINGS, choices=SETTINGS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--setting", choices=SETTINGS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.setting:
        print(json.dumps(answers(asked.folder, SETTINGS[asked.setting])))
        return
    with tempfile.TemporaryDirectory(prefix="bitprobe-") as name:
        write_codes(Path(name), asked.steps)
        found = {name_: ask(Path(name), name_) for name_ in asked.settings}
    print_matrix(found)


def samples_of(name: str) -> list[bytes]:
    """Return equally long samples: heads of digits, or text that every machine has."""
    if "pixel" in name:
        digits = load_dataset("digits")
        return [image[:N_SYMBOLS] for image in digits.test.samples[:N_STREAMS]]
    text = Path(argparse.__file__).read_bytes()[-N_STREAMS * N_SYMBOLS :]
    return [text[i : i + N_SYMBOLS] for i in range(0, len(text), N_SYMBOLS)]


def corpus_of(name: str) -> list[bytes]:
    """Return what a model is trained on."""
    if "pixel" in name:
        return list(load_dataset("digits").train.samples)
    text = Path(argparse.__file__).read_bytes()[: -N_STREAMS * N_SYMBOLS]
    return [text[i : i + 256] for i in range(0, len(text), 256)]


def write_codes(folder: Path, steps: int) -> None:
    """Train every model, and leave its artifact and its code in a folder of its name."""
    registry = load_registry()
    for name, spec in MODELS.items():
        model: Any = registry.parse(spec.removesuffix(")") + f", steps={steps})")
        fitted = model.fit(corpus_of(name), seed=0)
        (folder / name).mkdir()
        artifact.save(fitted, folder / name)
        coders = {name: fitted}
        if name == CONTROLLED:
            coders[CONTROL] = FloatCoder(fitted)
        for coder_name, coder in coders.items():
            code = coding.encode(coder, samples_of(name))
            (folder / f"{coder_name}.code").write_bytes(code)


def ask(folder: Path, name: str) -> Answer:
    """Return what a fresh process in this setting says of each model, and of itself."""
    setting = SETTINGS[name]
    if reason := missing(setting):
        return dict.fromkeys((*MODELS, CONTROL), reason)
    threads = dict.fromkeys(THREADS, str(setting.threads))
    done = subprocess.run(
        [sys.executable, __file__, "--folder", str(folder), "--setting", name],
        env={**os.environ, **threads, **setting.environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return dict.fromkeys((*MODELS, CONTROL), f"failed: {last}")
    answer: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return answer


def missing(setting: Setting) -> str:
    """Say what this machine lacks for a setting, or nothing."""
    import torch

    if setting.device == "cuda" and not torch.cuda.is_available():
        return "no GPU here"
    about = Path("/proc/cpuinfo")
    flags = about.read_text().split() if about.exists() else []
    if setting.flag and setting.flag not in flags:
        return f"no {setting.flag} here"
    return ""


def answers(folder: Path, setting: Setting) -> dict[str, str]:
    """Decode every code of the folder in this process; return a cell for each model."""
    import torch

    registry = load_registry()
    found = {}
    for name, coder in coders_of(folder, registry, setting):
        code = (folder / f"{name}.code").read_bytes()
        found[name] = (
            cell(coder, code, samples_of(name)) if coder is not None else "not run"
        )
    kernels = torch.backends.cpu.get_cpu_capability()
    found["torch says"] = f"{kernels}, {os.environ[THREADS[0]]} thread(s)"
    return found


def coders_of(
    folder: Path, registry: Registry, setting: Setting
) -> Iterator[tuple[str, Any]]:
    """Yield each model as this setting has it; None where it has no such form."""
    for name in MODELS:
        fitted: Any = artifact.load(folder / name, registry.make)
        fitted = replace(fitted, device=setting.device)
        plain = setting.carrier == "float32"
        if name == CONTROLLED:
            as_it_is = plain and setting.device == "cpu"
            yield CONTROL, FloatCoder(fitted) if as_it_is else None
        yield name, fitted if plain else carried(fitted, setting.carrier)


def cell(coder: Any, code: bytes, samples: Sequence[bytes]) -> str:
    """Say whether a code decodes for every batch size and is written the same again."""
    lengths = [len(sample) for sample in samples]
    failed = [
        f"{n}"
        for n in BATCHES
        if not decodes(InGroups(coder, n), code, lengths, samples)
    ]
    if failed:
        return f"failed (streams at once: {', '.join(failed)})"
    return "decoded" if coding.encode(coder, samples) == code else "decoded, other code"


def decodes(
    coder: Any, code: bytes, lengths: Sequence[int], samples: Sequence[bytes]
) -> bool:
    """Say whether these samples come back; a refused code is one that did not decode."""
    try:
        return coding.decode(coder, code, lengths) == samples
    except HarnessError:
        return False


class InGroups:
    """A decoder's model whose streams go so many at a time, each group for itself."""

    def __init__(self, model: Any, size: int) -> None:
        self.model, self.size, self.name = model, size, model.name
        self.alphabet, self.rearrange = model.alphabet, model.rearrange

    def start(self, n: int, *, context: bytes = b"") -> list[Any]:
        """Return the states of the groups."""
        sizes = [min(self.size, n - first) for first in range(0, n, self.size)]
        return [self.model.start(size, context=context) for size in sizes]

    def step(self, states: list[Any], symbols: Ints) -> tuple[list[Any], Ints]:
        """Take one symbol of each stream; all streams are equally long."""
        parts = np.split(symbols, range(self.size, len(symbols), self.size))
        found = [
            self.model.step(state, part)
            for state, part in zip(states, parts, strict=True)
        ]
        return [state for state, _ in found], np.concatenate(
            [rows for _, rows in found]
        )


class FloatCoder:
    """What the integers are there to replace: codes by a float network's probabilities."""

    def __init__(self, fitted: Any) -> None:
        self.network = fitted.restore(fitted.learned).eval()
        self.name, self.alphabet = CONTROL, fitted.alphabet
        self.arrange = self.rearrange = list

    def start(self, n: int, *, context: bytes = b"") -> Ints:
        """Return what was read: nothing."""
        del context
        return np.empty((n, 0), np.int64)

    def step(self, read: Ints, symbols: Ints) -> tuple[Ints, Ints]:
        """Read on, and predict from all that was read."""
        if (symbols >= 0).all():
            read = np.concatenate([read, symbols[:, None]], axis=1)
        asked = np.pad(read, ((0, 0), (0, 1)))
        return read, self.rows(asked)[:, -1]

    def frequencies(
        self, samples: Sequence[bytes], *, context: bytes = b""
    ) -> Iterator[Ints]:
        """Yield the rows of all symbols at once, in coding order."""
        del context
        read = np.stack([np.frombuffer(sample, np.uint8) for sample in samples])
        yield self.rows(read.astype(np.int64)).swapaxes(0, 1).reshape(-1, self.alphabet)

    def rows(self, symbols: Ints) -> Ints:
        """Return legal frequencies (n, T, A) of what the network expects."""
        import torch

        with torch.inference_mode():
            shares = (
                self.network(torch.from_numpy(symbols)).double().softmax(-1).numpy()
            )
        rows: Ints = (shares * (TOTAL_FREQUENCY - self.alphabet)).astype(np.int64) + 1
        best = rows.argmax(-1)[..., None]
        left = TOTAL_FREQUENCY - rows.sum(-1, keepdims=True)
        np.put_along_axis(rows, best, np.take_along_axis(rows, best, -1) + left, -1)
        return rows


def carried(fitted: Any, carrier: str) -> Any:
    """Return a fitted model whose matmuls another type carries; None if it has no such knob.

    There is no field for it: all carriers give the same, and float32 is the fastest.
    """
    make = CARRIERS.get(fitted.name)
    if make is None:
        return None
    model = replace(fitted)
    model.__dict__["_engine"] = make(fitted, carrier)  # the cached engine
    return model


def _recurrent(fitted: Any, carrier: str) -> Any:
    engine, carrier_type = type(fitted.engine(fitted.learned)), np.dtype(carrier).type
    # No compiled sums, which have no carrier.
    return engine(fitted.architecture, fitted.learned, carrier=carrier_type, few=0)


def _mlp(fitted: Any, carrier: str) -> Any:
    engine = type(fitted.engine(fitted.learned))
    return engine(fitted.neighbourhood, fitted.learned, np.dtype(carrier).type)


def _transformer(fitted: Any, carrier: str) -> Any:
    import torch

    engine = fitted.transformer(fitted.learned)
    make = type(engine)
    return make(engine.model, carrier=getattr(torch, carrier), form="parallel")


def _hybrid(fitted: Any, carrier: str) -> Any:
    engine = fitted.engine(fitted.learned)
    return type(engine)(_transformer(fitted, carrier), engine.counts)


CARRIERS: Mapping[str, Callable[[Any, str], Any]] = {
    "pixel_transformer": _transformer,
    "byte_transformer": _transformer,
    "byte_hybrid": _hybrid,
    "pixel_mlp": _mlp,
    "pixel_gru": _recurrent,
    "byte_gru": _recurrent,
    "byte_recurrence": _recurrent,
    # Engines of feed-forward networks have the same arguments.
    "byte_mlp": _recurrent,
    "byte_conv": _recurrent,
    "pixel_conv": _recurrent,
}


def print_matrix(found: Mapping[str, Answer]) -> None:
    """Print a Markdown table, models by settings, and what each setting was."""
    print("| model | " + " | ".join(found) + " |")
    print("|---|" + "---|" * len(found))
    for model in (*MODELS, CONTROL):
        cells = [answer.get(model, "not run") for answer in found.values()]
        print(f"| {model} | " + " | ".join(cells) + " |")
    print(f"\n{N_STREAMS} streams of {N_SYMBOLS} symbols, {BATCHES} at once.")
    for name, answer in found.items():
        setting = SETTINGS[name]
        told = " ".join(f"{k}={v!r}" for k, v in setting.environment.items())
        print(f"- {name}: {told or 'nothing set'}; torch says", end=" ")
        print(answer.get("torch says", "nothing, it was not run"))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
