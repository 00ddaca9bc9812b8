"""Files through the tool come back, or are refused; nothing is left where they are not."""

import hashlib
import io
import subprocess
import sys
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import CodingError
from harness.cli import main
from harness.commands.files import (
    Files,
    compress_file,
    decompress_file,
    load_compressor,
)
from harness.commands.fit import fit_to
from harness.contract import artifact, coded_file, coding
from harness.contract.coded_file import Layout, compress, decompress, default_layout
from harness.contract.codes import varint
from harness.contract.registry import load_registry
from harness.data.dataset import subset
from harness.data.load import load_dataset
from harness.errors import ContainerError, StoreError, UsageError

BITPROBE = Path(sys.executable).parent / "bitprobe"
REGISTRY = load_registry()
TEXT = Path(coding.__file__).read_bytes()
SMALL = Layout(block_bytes=60, stream_bytes=20)
WHOLE = Layout(block_bytes=60, stream_bytes=60)
LAYOUTS = {"context_model(order=1)": SMALL, "zstd": WHOLE, "gzip": WHOLE}
DATA = b"the same again, " * 8 + bytes(range(250, 256)) * 12


def packed(spec: str, data: bytes = DATA) -> bytes:
    target = io.BytesIO()
    compress(REGISTRY.parse(spec), io.BytesIO(data), target, LAYOUTS[spec])
    return target.getvalue()


def unpacked(spec: str, code: bytes) -> bytes:
    target = io.BytesIO()
    decompress(REGISTRY.parse(spec), io.BytesIO(code), target)
    return target.getvalue()


CODES = {spec: packed(spec) for spec in LAYOUTS}


def bitprobe(*args: object, **kwargs) -> subprocess.CompletedProcess[bytes]:
    command = [BITPROBE, *map(str, args)]
    return subprocess.run(command, capture_output=True, check=False, **kwargs)


def command(*args: object) -> int:
    """Run the command in this process; return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["bitprobe", *map(str, args)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code)


@pytest.mark.parametrize("spec", LAYOUTS)
@settings(max_examples=25, deadline=None)
@given(data=st.binary(max_size=200))
def test_every_file_comes_back(spec, data):
    assert unpacked(spec, packed(spec, data)) == data


def test_the_layout_of_a_file_is_the_documented_one():
    model = REGISTRY.parse("zstd")
    block = b"a" * 60
    head = b"BPF\x01" + artifact.identity(model) + bytes([60, 60, 4]) + b"zstd"
    code = model.compress(block)
    first = bytes([60, 1, len(code)]) + zlib.crc32(block).to_bytes(4, "little") + code
    second = bytes([1, 0, 1]) + zlib.crc32(b"b").to_bytes(4, "little") + b"b"
    end = bytes([0, 61]) + hashlib.blake2b(block + b"b", digest_size=16).digest()
    expected = crc = b""
    for part in (head, first, second, end):
        crc += part
        expected += part + zlib.crc32(crc).to_bytes(4, "little")
    assert packed("zstd", block + b"b") == expected


@pytest.mark.parametrize("spec", LAYOUTS)
def test_no_flipped_bit_and_no_cut_passes(spec):
    code = CODES[spec]
    for bit in range(8 * len(code)):
        flipped = bytearray(code)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ContainerError):
            unpacked(spec, bytes(flipped))
    for n in range(len(code)):
        with pytest.raises(ContainerError):
            unpacked(spec, code[:n])
    for tail in (b"\0", code):
        with pytest.raises(ContainerError, match="continues after its end"):
            unpacked(spec, code + tail)


@settings(max_examples=100, deadline=None)
@given(
    spec=st.sampled_from(sorted(LAYOUTS)),
    start=st.integers(0, 300),
    stop=st.integers(0, 300),
    new=st.binary(max_size=12),
)
def test_no_splice_passes(spec, start, stop, new):
    code = CODES[spec]
    spliced = code[:start] + new + code[max(start, stop) :]
    if spliced == code:
        return
    with pytest.raises(ContainerError) as caught:
        unpacked(spec, spliced)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("swap", [(1, 0, 2), (0, 0, 1, 2), (0, 2), (0, 1), (2, 1, 0)])
def test_blocks_in_another_order_are_refused_before_they_are_decoded(swap, monkeypatch):
    parts = blocks_of(60 * [1], 60 * [2], 60 * [3])
    head, end = parts[0], parts[-1]
    assert unpacked("zstd", b"".join(parts)) == bytes(60 * [1] + 60 * [2] + 60 * [3])
    moved = head + b"".join(parts[1 + i] for i in swap) + end
    decoded = []
    whole = coded_file.coding.decode_each
    monkeypatch.setattr(
        coded_file.coding,
        "decode_each",
        lambda *args, **kwargs: decoded.append(1) or whole(*args, **kwargs),
    )
    with pytest.raises(ContainerError, match="CRC32"):
        unpacked("zstd", moved)
    in_place = [i for i, j in enumerate(swap) if i == j]
    assert len(decoded) <= len(in_place)


def blocks_of(*blocks: list[int]) -> list[bytes]:
    """Return a zstd file of these blocks in parts: head, blocks, end."""
    ends, grown = [], []
    for n in range(len(blocks) + 1):
        code = packed("zstd", b"".join(map(bytes, blocks[:n])))
        ends.append(len(code) - 22)  # 0, total (2 bytes from 128 on), 16, 4
        grown.append(code)
    sizes = [ends[0]]
    for n in range(1, len(blocks) + 1):
        wide = len(varint(60 * n)) - 1
        sizes.append(len(grown[n]) - 22 - wide - sum(sizes))
    whole, parts, start = grown[-1], [], 0
    for size in sizes:
        parts.append(whole[start : start + size])
        start += size
    return [*parts, whole[start:]]


@pytest.mark.parametrize("big", [2**27, 2**31, 2**40, 2**62])
@pytest.mark.parametrize("field", ["block", "stream", "spec", "length", "code"])
def test_oversized_numbers_are_refused_at_once_even_with_right_checksums(field, big):
    code = forged(**{field: big})
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with pytest.raises(ContainerError):
            unpacked("zstd", code)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - begun < 1


def forged(block=60, stream=60, spec=4, length=60, code=9) -> bytes:
    """Return a file whose checksums are right and whose numbers may not be."""
    identity = artifact.identity(REGISTRY.parse("zstd"))
    head = (
        b"BPF\x01" + identity + varint(block) + varint(stream) + varint(spec) + b"zstd"
    )
    made = head + zlib.crc32(head).to_bytes(4, "little")
    frame = varint(length) + b"\1" + varint(code) + b"crc!" + b"not zstd!"
    return made + frame + zlib.crc32(head + frame).to_bytes(4, "little")


def test_what_a_library_raises_on_forged_bytes_is_one_line_that_names_it():
    with pytest.raises(ContainerError, match=r"zstd cannot decode byte \d+: ZstdError"):
        unpacked("zstd", forged())


def test_a_plugin_that_decodes_otherwise_is_caught(monkeypatch):
    model = REGISTRY.parse("zstd")
    right = type(model).unpack
    monkeypatch.setattr(
        type(model), "unpack", lambda self, code, n: right(self, code, n)[::-1]
    )
    with pytest.raises(ContainerError, match="does not decode to the original"):
        unpacked("zstd", CODES["zstd"])


def test_another_compressor_or_artifact_is_refused_by_name():
    with pytest.raises(ContainerError, match="written by 'zstd', not by 'gzip'"):
        unpacked("gzip", CODES["zstd"])
    base = REGISTRY.parse("context_model(order=1)")
    one, other = (base.fit([text], seed=0) for text in (b"abcabd", b"abcabe"))
    target = io.BytesIO()
    compress(one, io.BytesIO(DATA), target, SMALL)
    with pytest.raises(ContainerError, match="another 'context_model"):
        decompress(other, io.BytesIO(target.getvalue()), io.BytesIO())


def test_what_was_fitted_shortens_the_code_and_is_loaded_by_name(tmp_path):
    source, folder = tmp_path / "corpus", tmp_path / "artifact"
    source.write_bytes(TEXT)
    fit_to(folder, REGISTRY.parse("context_model"), str(source), seed=0)
    loaded = load_compressor(folder, None)
    sizes = {}
    for name, compressor in {
        "fitted": loaded,
        "cold": load_compressor(None, "context_model"),
    }.items():
        code, back = tmp_path / f"{name}.bpf", tmp_path / f"{name}.txt"
        sizes[name] = compress_file(
            compressor, Files(source=source, target=code), verify=True
        ).coded_bytes
        assert code.stat().st_size == sizes[name]
        decompress_file(compressor, Files(source=code, target=back))
        assert back.read_bytes() == TEXT
    assert sizes["fitted"] < sizes["cold"] / 2


def test_a_fit_on_a_data_set_is_the_fit_of_a_run(tmp_path):
    fitted = fit_to(tmp_path / "a", REGISTRY.parse("mix"), "digits", seed=3)
    assert fitted.shape == (8, 8)
    model = REGISTRY.parse("context_model(order=0)")
    learned = fit_to(tmp_path / "b", model, "digits", seed=3).learned
    train = subset(load_dataset("digits"), n_train=None, n_test=None, seed=3).train
    expected = np.bincount(np.frombuffer(b"".join(train.samples), np.uint8))
    assert sorted(learned["counts"]) == sorted(expected[expected > 0])
    with pytest.raises(StoreError, match="exists"):
        fit_to(tmp_path / "b", model, "digits", seed=3)


def test_images_are_never_cut_across_blocks_or_streams():
    for spec in ("mix(shape=(28, 28))", "pixel_mlp(shape=(28, 28))"):
        layout = default_layout(REGISTRY.parse(spec))
        assert layout.block_bytes % 784 == layout.stream_bytes % 784 == 0
        assert layout.block_bytes > 500_000
    assert (
        default_layout(REGISTRY.parse("pixel_mlp(shape=(28, 28))")).stream_bytes == 784
    )


@pytest.mark.parametrize("layout", [(10, 20), (0, 0), (2**27, 2**27), (9000, 2)])
def test_a_layout_that_cannot_be_is_refused(layout):
    with pytest.raises(UsageError):
        Layout(block_bytes=layout[0], stream_bytes=layout[1])


def test_nothing_is_left_and_nothing_is_lost_where_decoding_fails(tmp_path):
    code, target = tmp_path / "code", tmp_path / "target"
    target.write_bytes(b"of old")
    code.write_bytes(CODES["zstd"][:-1])
    with pytest.raises(ContainerError):
        decompress_file(REGISTRY.parse("zstd"), Files(source=code, target=target))
    assert target.read_bytes() == b"of old"
    assert sorted(tmp_path.iterdir()) == [code, target]


def test_verify_refuses_what_does_not_decode(tmp_path, monkeypatch):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(DATA)
    model = REGISTRY.parse("gzip")
    monkeypatch.setattr(type(model), "unpack", lambda *args: bytes(args[-1]))
    with pytest.raises(ContainerError):
        compress_file(model, Files(source=source, target=target), WHOLE, verify=True)
    assert not target.exists()


def test_a_plugin_that_fails_while_coding_is_named(monkeypatch):
    def break_down(*_):
        raise RuntimeError("no\nway")

    monkeypatch.setattr(type(REGISTRY.parse("gzip")), "pack", break_down)
    with pytest.raises(
        CodingError, match="gzip failed to code a block: RuntimeError: no way"
    ):
        packed("gzip")


@pytest.mark.parametrize("spec", ["zstd(level=19)", "deflate", "ppmd", "mix", "order0"])
def test_codes_of_codecs_decode_in_a_fresh_process(spec, tmp_path):
    source, code, back = (tmp_path / name for name in ("source", "code", "back"))
    source.write_bytes(TEXT)
    assert command("compress", "--with", spec, source, code) == 0
    assert 8 * code.stat().st_size / len(TEXT) < 6
    done = bitprobe("decompress", "--with", spec, code, back)
    assert done.returncode == 0, done.stderr
    assert back.read_bytes() == TEXT


def test_a_model_is_fitted_codes_and_decodes_through_pipes(tmp_path, capsys):
    corpus, folder, cut = (tmp_path / name for name in ("corpus", "artifact", "cut"))
    corpus.write_bytes(TEXT)
    assert command("fit", "context_model(order=2)", corpus, "-o", folder) == 0
    options = ("--artifact", folder, "--block", 3000, "--stream", 700)
    coded = bitprobe("compress", *options, "-", "-", input=TEXT)
    assert coded.returncode == 0, coded.stderr
    assert len(coded.stdout) < len(TEXT) / 2
    back = bitprobe("decompress", *options[:2], "-", "-", input=coded.stdout)
    assert back.stdout == TEXT
    cut.write_bytes(coded.stdout[:-1])
    capsys.readouterr()
    assert command("decompress", *options[:2], cut, "-") == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("bitprobe: the file is cut off")


@pytest.mark.parametrize(
    "mistake",
    [
        (("compress", "--with", "gzip", "IN"), 2, "missing argument 'OUT'"),
        (("compress", "IN", "OUT"), 2, "--artifact FOLDER or --with SPEC"),
        (
            ("compress", "--with", "pixel_mlp", "IN", "OUT"),
            2,
            "first run: bitprobe fit",
        ),
        (("compress", "--with", "gzip", "absent", "OUT"), 2, "no such file"),
        (("decompress", "--with", "gzip", "IN", "OUT"), 1, "not with b'BPF'"),
        (("decompress", "--artifact", "absent", "IN", "OUT"), 1, "no usable artifact"),
        (("compress", "--with", "gzip", "IN", "a/OUT"), 2, "there is no folder"),
        (("compress", "--with", "gzip", "IN", "."), 2, "is not a regular file"),
        (("compress", "--with", "gzip", "--stream", 9, "IN", "OUT"), 2, "is a codec"),
        (("fit", "gzip", "absent", "-o", "OUT"), 2, "neither a file nor a data set"),
    ],
)
def test_mistakes_are_one_line_with_the_exit_code_of_the_command(
    mistake, tmp_path, monkeypatch, capsys
):
    args, code, says = mistake
    (tmp_path / "IN").write_bytes(TEXT)
    monkeypatch.chdir(tmp_path)
    assert command(*args) == code
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert says.lower() in said[0].lower()
    assert [path.name for path in tmp_path.iterdir()] == ["IN"]


def test_a_fitted_network_completes_images_into_a_gallery(tmp_path: Path):
    spec, folder = "pixel_mlp(size='10k', steps=20)", tmp_path / "artifact"
    fitted = bitprobe("fit", spec, "digits", "-o", str(folder))
    assert fitted.returncode == 0, fitted.stderr
    options = ("-o", str(tmp_path / "g.png"), "--n-prefixes", "10", "--n-samples", "2")
    done = bitprobe("complete", str(folder), "digits", *options)
    assert done.returncode == 0, done.stderr
    assert b"true_half_bpb" in done.stdout
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


def test_a_codec_completes_nothing_and_says_so(tmp_path: Path):
    folder = tmp_path / "artifact"
    assert bitprobe("fit", "zstd", "digits", "-o", str(folder)).returncode == 0
    done = bitprobe("complete", str(folder), "digits", "-o", str(tmp_path / "g.png"))
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "g.png").exists()
