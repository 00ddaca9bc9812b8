"""Bytes of the MNIST-5k test images: a network, with and without its weights, and codecs.

Run: .venv/bin/python benchmarks/mnist_sizes.py [--steps 100 300 1000] [--size 50k]

All code the same 1,000 images in the same seeded, class-blind order as one stream (an
image codec gets them as one tall image, and in another row one by one; a network one
beside the other), and all codes are decoded here and compared. "weights" is what a receiver
needs who has nothing: the artifact as the harness weighs it, min(raw, xz -9e); for a codec
that is given train, the whole of train.
"images to beat" is the number of such images from which weights have paid for themselves
against the shortest code that was given nothing, and against xz. A codec that is not
installed is left out.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.contract import artifact, coding
from harness.contract.compressor import Compressor
from harness.contract.registry import Registry, load_registry
from harness.data.dataset import Dataset, subset
from harness.data.load import load_dataset
from harness.errors import UnavailableError
from harness.units import bits_to_bytes

XZ = "xz(preset=9, extreme=True)"
GIVEN_NOTHING = (
    "store",
    "gzip(level=9)",
    XZ,
    "zstd(level=19)",
    "ppmd",
    "zpaq(level=5)",
    "png{shape}",
    "webp{shape}",
    "jpegls{shape}",
    "jpegxl{shape}",
    "mix",
    "mix{shape}",
)
IMAGE_BY_IMAGE = ("png{shape}", "webp{shape}", "jpegls{shape}", "jpegxl{shape}")
GIVEN_TRAIN = ("mix", "mix{shape}")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One decoded code.

    Attributes:
        name: spec, without what the card says.
        given: what the decoder has.
        code_bytes: of all images.
        weight_bytes: of what it was given.
        seconds: CPU time of learning, and of coding and decoding.
    """

    name: str
    given: str
    code_bytes: int
    weight_bytes: float
    seconds: tuple[float, float]


def main() -> None:
    """Print the table, shortest code first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--size", default="50k", help="of pixel_mlp")
    parser.add_argument("--seed", type=int, default=0, help="of order and training")
    asked = parser.parse_args()
    data = subset(load_dataset("mnist_5k"), n_train=None, n_test=None, seed=asked.seed)
    registry, rows = load_registry(), []
    for row in (
        *networks(registry, data, asked),
        *with_train(registry, data, asked.seed),
        *without_knowledge(registry, data),
    ):
        rows.append(row)
        print(f"{row.name} done", file=sys.stderr)
    print_table(rows, data)


def without_knowledge(registry: Registry, data: Dataset) -> Iterator[Row]:
    """Yield a row for each codec that is given nothing."""
    for spec in GIVEN_NOTHING:
        codec = made(registry, spec, data)
        if codec is not None:
            yield row_of(codec, data, name=spec, given="nothing", learning=0.0)
            if spec in IMAGE_BY_IMAGE:
                yield alone(codec, data, name=spec)


def with_train(registry: Registry, data: Dataset, seed: int) -> Iterator[Row]:
    """Yield a row for each codec that is given the training images."""
    for spec in GIVEN_TRAIN:
        codec = made(registry, spec, data)
        if codec is not None:
            fitted = codec.fit(data.train.samples, seed=seed)
            yield row_of(fitted, data, name=spec, given="train", learning=0.0)


def networks(
    registry: Registry, data: Dataset, asked: argparse.Namespace
) -> Iterator[Row]:
    """Yield a row for each budget: one training, of which each is a stage."""
    spec = f"pixel_mlp(shape={data.shape}, size={asked.size!r})"
    start = time.process_time()
    for fitted in registry.parse(spec).fit_ladder(
        data.train.samples, sorted(asked.steps), seed=asked.seed
    ):
        learning = time.process_time() - start
        steps = fitted.steps  # type: ignore[attr-defined]  # its ladder's field
        name = f"pixel_mlp(size={asked.size!r}, steps={steps})"
        yield row_of(fitted, data, name=name, given="weights", learning=learning)
        start = time.process_time() - learning


def made(registry: Registry, spec: str, data: Dataset) -> Compressor | None:
    """Return a compressor with the card's shape; None where its package is missing."""
    try:
        return registry.parse(spec.replace("{shape}", f"(shape={data.shape})"))
    except UnavailableError as error:
        print(f"{spec} is left out: {error}")
        return None


def row_of(
    compressor: Compressor, data: Dataset, *, name: str, given: str, learning: float
) -> Row:
    """Code the test images, decode and compare them, and weigh what it took."""
    samples, held = data.test.samples, artifact.identity(compressor)
    start = time.process_time()
    code = coding.code_stream(compressor, samples, data.separator, artifact=held)
    lengths = [len(sample) for sample in samples]
    back = coding.decode_stream(
        compressor, code, lengths, data.separator, artifact=held
    )
    seconds = time.process_time() - start
    if list(back) != list(samples):
        sys.exit(f"{name} decodes to other images; it has no size")
    return Row(
        name=name.replace("{shape}", "(shape)"),
        given=given,
        code_bytes=len(code),
        weight_bytes=0.0 if given == "nothing" else weight_of(compressor),
        seconds=(learning, seconds),
    )


def alone(codec: Compressor, data: Dataset, *, name: str) -> Row:
    """Code every image by itself, with headers each; decode and compare."""
    samples, lengths = data.test.samples, [len(sample) for sample in data.test.samples]
    start = time.process_time()
    codes = coding.code_each(codec, samples, artifact=coding.NO_ARTIFACT)
    back = coding.decode_each(codec, codes, lengths, artifact=coding.NO_ARTIFACT)
    seconds = time.process_time() - start
    if list(back) != list(samples):
        sys.exit(f"{name} decodes to other images; it has no size")
    return Row(
        name=name.replace("{shape}", "(shape)"),
        given="nothing, image by image",
        code_bytes=sum(map(len, codes)),
        weight_bytes=0.0,
        seconds=(0.0, seconds),
    )


def weight_of(compressor: Compressor) -> float:
    """Return the bytes of an artifact as the harness weighs it."""
    with tempfile.TemporaryDirectory(prefix="bitprobe-") as name:
        artifact.save(compressor, Path(name))
        return bits_to_bytes(artifact.weigh(Path(name)))


def print_table(rows: Sequence[Row], data: Dataset) -> None:
    """Print a Markdown table, and what the break-evens are against."""
    n_images, n_bytes = len(data.test.samples), sum(map(len, data.test.samples))
    free = {row.name: row.code_bytes for row in rows if row.given == "nothing"}
    best = min(free, key=lambda name: free[name])
    rivals = {best: free[best], XZ: free[XZ]}
    print("| compressor | given | bytes | bpb | weights | bytes with weights |", end="")
    print("".join(f" images to beat {name} |" for name in rivals), end="")
    print(" CPU s: learn | code and decode |")
    print("|---|---|" + "--:|" * (6 + len(rivals)))
    for row in sorted(rows, key=lambda row: row.code_bytes):
        print(f"| {row.name} | {row.given} | {row.code_bytes:,} ", end="")
        print(
            f"| {8 * row.code_bytes / n_bytes:.4f} | {row.weight_bytes:,.0f} ", end=""
        )
        print(f"| {row.code_bytes + row.weight_bytes:,.0f} ", end="")
        for rival_bytes in rivals.values():
            print(f"| {break_even(row, rival_bytes, n_images)} ", end="")
        print(f"| {row.seconds[0]:.1f} | {row.seconds[1]:.1f} |")
    print(f"\n{n_images:,} images, {n_bytes:,} bytes, every code decoded.")


def break_even(row: Row, rival_bytes: int, n_images: int) -> str:
    """Return the number of images from which weights have paid for themselves."""
    if not row.weight_bytes:
        return ""
    saved = (rival_bytes - row.code_bytes) / n_images
    return f"{row.weight_bytes / saved:,.0f}" if saved > 0 else "never"


if __name__ == "__main__":
    main()
