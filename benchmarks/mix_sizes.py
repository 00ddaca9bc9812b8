"""What `mix` gains over PPMd, zpaq and xz: Reuters R8, dickens, MNIST-5k.

Run: .venv/bin/python benchmarks/mix_sizes.py
Dickens (Silesia) comes by download or from BITPROBE_DATA_MIRROR, zpaq from pip; what is not
at hand is left out. Every code is decoded here and compared.
"""

from collections.abc import Iterator

from harness.contract.compressor import Codec
from harness.contract.registry import load_registry
from harness.data.dataset import Dataset
from harness.data.load import load_dataset
from harness.errors import DatasetError, UnavailableError

SPECS = (
    "mix",
    "mix(shape=(28, 28))",
    "ppmd",
    "zpaq(level=5)",
    "xz(preset=9, extreme=True)",
)
MEBIBYTE = 1 << 20


def main() -> None:
    """Print bytes and bits per byte of each compressor on each text."""
    registry = load_registry()
    print(f"{'data':<28} {'compressor':<28} {'bytes':>9} {'bpb':>7}")
    for name, prefix, data in texts():
        for spec in SPECS:
            try:
                codec = registry.parse(spec)
            except UnavailableError as error:
                print(f"{name:<28} {error}")
                continue
            if not isinstance(codec, Codec) or (prefix and codec.route == "none"):
                continue
            if "shape" in spec and not name.startswith("MNIST"):
                continue
            code = codec.compress(data, context=prefix)
            if codec.decompress(code, length=len(data), context=prefix) != data:
                print(f"{name:<28} {spec:<28} decodes to other bytes")
                continue
            bpb = 8 * len(code) / len(data)
            print(f"{name:<28} {spec:<28} {len(code):>9,} {bpb:>7.3f}")


def texts() -> Iterator[tuple[str, bytes, bytes]]:
    """Yield a name, what the decoder knows, and what is coded."""
    reuters = load_dataset("reuters_r8")
    train, test = (joined(reuters, split) for split in ("train", "test"))
    yield "R8 test, given train", train, test
    mnist = load_dataset("mnist_5k")
    yield "MNIST-5k test, given nothing", b"", joined(mnist, "test")
    try:
        silesia = load_dataset("silesia_9")
    except DatasetError as error:
        print(f"dickens is left out: {error}")
        return
    dickens = silesia.test.samples[silesia.names.index("dickens")]
    yield "dickens, first MiB", b"", dickens[:MEBIBYTE]


def joined(dataset: Dataset, name: str) -> bytes:
    """Return a split as one stream."""
    split = dataset.train if name == "train" else dataset.test
    return b"".join(sample + dataset.separator for sample in split.samples)


if __name__ == "__main__":
    main()
