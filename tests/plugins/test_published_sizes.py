"""Sizes that others measured with the same tools on the Canterbury corpus."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from harness.contract.compressor import Codec
from harness.contract.registry import load_registry

REGISTRY = load_registry()


@pytest.fixture(scope="module")
def canterbury() -> dict[str, bytes]:
    mirror = os.environ.get("BITPROBE_DATA_MIRROR")
    if not mirror:
        pytest.skip("BITPROBE_DATA_MIRROR is not set")
    with tarfile.open(Path(mirror) / "canterbury" / "cantrbry.tar.gz") as archive:
        files = {m.name: archive.extractfile(m) for m in archive if m.isfile()}
        return {name: file.read() for name, file in files.items() if file}


def size(spec: str, data: bytes) -> int:
    one = REGISTRY.parse(spec)
    assert isinstance(one, Codec)
    return len(one.compress(data))


def test_an_empty_message_costs_its_container():
    assert size("bz2", b"") == 14
    assert size("xz", b"") == 32
    assert size("zstd(frame=True)", b"") == 9
    assert size("brotli", b"") == 1


def test_bz2_on_alice29_is_exactly_what_bzip2_writes(canterbury: dict[str, bytes]):
    assert size("bz2", canterbury["alice29.txt"]) == 43_202


@pytest.mark.parametrize(
    ("spec", "published"),
    [
        ("xz(preset=9, extreme=True)", 48_528),
        ("brotli(lgwin=24)", 46_487),
        ("zstd(level=19, frame=True)", 49_211),
    ],
)
def test_alice29_is_within_one_percent_of_the_published_size(
    spec: str, published: int, canterbury: dict[str, bytes]
):
    found = size(spec, canterbury["alice29.txt"])
    assert found == pytest.approx(published, rel=0.01)


def test_bz2_on_the_whole_corpus_is_exactly_what_bzip2_writes(
    canterbury: dict[str, bytes],
):
    assert len(canterbury) == 11
    assert sum(size("bz2", data) for data in canterbury.values()) == 542_710


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "published"),
    [
        ("xz(preset=9, extreme=True)", 493_080),
        ("brotli(lgwin=24)", 490_662),
        ("zstd(level=19, frame=True)", 516_357),
    ],
)
def test_the_whole_corpus_is_within_one_percent_of_the_published_size(
    spec: str, published: int, canterbury: dict[str, bytes]
):
    found = sum(size(spec, data) for data in canterbury.values())
    assert found == pytest.approx(published, rel=0.01)


def test_better_parsers_of_one_format_write_less(canterbury: dict[str, bytes]):
    alice = canterbury["alice29.txt"]
    ladders = (
        ["lz4", "lz4(level=3)", "lz4(level=12)"],
        ["brotli_fast(quality=0)", "brotli(quality=5)", "brotli"],
        ["lzma(preset=0)", "lzma"],
        ["zstd(level=1)", "zstd(level=9)", "zstd(level=19)"],
    )
    for ladder in ladders:
        sizes = [size(spec, alice) for spec in ladder]
        assert sizes == sorted(sizes, reverse=True)
        assert len(set(sizes)) == len(sizes)


def test_raw_formats_spare_short_samples_the_container():
    sample = b"a short sample of some text"
    assert size("lzma", sample) + 40 < size("xz", sample)
    assert size("lz4", sample) <= len(sample) + 2
    assert size("zstd", sample) + 4 <= size("zstd(frame=True)", sample)


@pytest.mark.parametrize("order", [2, 4, 6])
def test_ppmd_remembers_its_window_of_english_text(
    order: int, canterbury: dict[str, bytes]
):
    one = REGISTRY.make("ppmd", {"order": order, "memory_mib": 4})
    assert one.window == 512 << 10
    filler = canterbury["lcet10.txt"] + canterbury["plrabn12.txt"]
    repeated = np.random.default_rng(0).bytes(1024)
    known = repeated + filler[: one.window - 1024]
    (alone,) = one.code_lengths([repeated])
    (again,) = one.code_lengths([repeated], context=known)
    assert again < 0.5 * alone
