"""Laws that every classical codec keeps: round trips, lengths, conditions, windows."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import SpecError
from harness.contract.compressor import Codec
from harness.contract.registry import load_plugin, load_registry

PLUGINS = Path(__file__).parents[2] / "plugins"
REGISTRY = load_registry()
CONDITIONED = [
    "brotli",
    "brotli(quality=2)",
    "brotli(quality=9, lgwin=16)",
    "lz4",
    "lz4(level=9)",
    "lzma",
    "lzma(preset=9, extreme=True)",
    "order0",
    "ppmd",
    "ppmd(order=2)",
    "zstd(level=1)",
    "zstd(level=22)",
    "zstd(level=3, window_log=27)",
    "zstd(level=19, window_log=10)",
]
ALONE = [
    "brotli_fast",
    "brotli_fast(quality=0)",
    "bz2",
    "bz2(level=1)",
    "bzip3",
    "jpegls(shape=(4, 4))",
    "jpegxl(shape=(4, 4))",
    "png(shape=(4, 4))",
    "snappy",
    "webp(shape=(2, 2, 3))",
    "xz",
    "zpaq(level=1)",
    "zpaq(level=3)",
    "zpaq(level=3, hints=True)",
]
TEXT = b"".join(b"%d bottles of beer on the wall, " % i for i in range(400))
RANDOM = np.random.default_rng(0).bytes(6000)
SAMPLES = [b"", b"a", TEXT[:300], TEXT[4000:9000], RANDOM[:700], TEXT[-50:]]


def codec(spec: str) -> Codec:
    entry = REGISTRY.entries.get(spec.partition("(")[0])
    if entry is None or entry.kind is None:
        pytest.skip(entry.unavailable if entry else "needs the package imagecodecs")
    made = REGISTRY.parse(spec)
    assert isinstance(made, Codec)
    return made


@pytest.mark.parametrize("spec", CONDITIONED + ALONE)
@given(data=st.binary(max_size=600), context=st.binary(max_size=200))
@settings(max_examples=15, deadline=None)
def test_every_input_comes_back_with_and_without_context_and_fit(
    spec: str, data: bytes, context: bytes
):
    plain = codec(spec)
    for one in (plain, plain.fit([TEXT[:2000]], seed=0)):
        for known in (b"", context):
            code = one.compress(data, context=known)
            assert one.decompress(code, length=len(data), context=known) == data


@pytest.mark.parametrize("spec", CONDITIONED + ALONE)
def test_batched_lengths_are_those_of_the_bytes_written(spec: str):
    plain = codec(spec)
    fitted = plain.fit([TEXT], seed=0)
    for one in (plain, fitted):
        written = [8 * len(one.compress(sample)) for sample in SAMPLES]
        assert one.code_lengths(SAMPLES).tolist() == written


@pytest.mark.parametrize("spec", CONDITIONED)
def test_lengths_after_a_prefix_are_those_of_pack_after(spec: str):
    one, prefix = codec(spec), TEXT[-3000:]
    written = [8 * len(one.pack_after(sample, prefix)) for sample in SAMPLES]
    assert one.packed_lengths_after(SAMPLES, prefix).tolist() == written


@pytest.mark.parametrize("spec", CONDITIONED)
def test_a_related_prefix_shortens_the_code(spec: str):
    one = codec(spec)
    sample, related = TEXT[-900:], TEXT[:-900]
    assert len(one.compress(sample, context=related)) < len(one.compress(sample))


@pytest.mark.parametrize("spec", CONDITIONED)
def test_a_code_depends_on_values_not_on_where_they_lie_in_memory(spec: str):
    one, data = codec(spec), RANDOM[:500]
    code = one.compress(data, context=data)
    assert code == one.compress(data, context=bytes(bytearray(data)))
    assert one.decompress(code, length=len(data), context=data) == data


@pytest.mark.parametrize("spec", ALONE)
def test_a_codec_without_a_route_ignores_its_context(spec: str):
    one = codec(spec)
    assert one.route == "none"
    assert one.compress(TEXT, context=TEXT) == one.compress(TEXT)


@pytest.mark.parametrize("spec", ["zpaq(level=1)", "lzma", "brotli", "lz4", "zstd"])
def test_concatenations_cost_what_each_costs_alone(spec: str):
    one = codec(spec)
    xs, ys = [b"", TEXT[:100]], [TEXT[50:200], RANDOM[:50], b"z"]
    table = [[8.0 * len(one.compress(x + y)) for y in ys] for x in xs]
    assert one.pair_code_lengths(xs, ys).tolist() == table


@pytest.mark.parametrize(
    ("spec", "longest"),
    [
        ("brotli(lgwin=16)", 65_520),
        ("brotli(quality=4, lgwin=18)", 262_128),
        ("lz4", 65_535),
        ("lz4(level=12)", 65_535),
        ("lzma(preset=0)", 262_144),
        ("zstd(level=1)", 131_072),
        ("zstd(level=2)", 524_288),
        ("zstd(level=3)", 1_048_576),
        ("zstd(level=4)", 2_097_152),
        ("zstd(level=19, window_log=16)", 65_536),
        ("zstd(level=1, window_log=17)", 131_072),
    ],
)
def test_a_context_helps_up_to_the_window_and_no_further(spec: str, longest: int):
    one, repeated = codec(spec), RANDOM[:1024]
    assert one.window == longest
    (alone,) = one.code_lengths([repeated])

    def share(distance: int) -> float:
        filler = (RANDOM[1024:5120] * (distance // 4096 + 1))[:distance]
        return float(one.code_lengths([repeated], context=repeated + filler)[0] / alone)

    assert share(longest // 2 - 3000) < 0.5
    assert share(3 * longest // 4) < 0.5
    assert share(longest - 3000) < 0.5
    assert share(longest + 100) > 0.9


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_zstd_cuts_no_prefix_that_its_library_would_use(level: int):
    one = codec(f"zstd(level={level})")
    longest = one.window
    filler = (RANDOM[1024:5120] * (2 * longest // 4096 + 1))[: 2 * longest]
    # `pack_after` gives the library all of a prefix, whatever the window is.
    repeated = RANDOM[:1024]
    shares = [
        len(one.pack_after(repeated, filler + repeated + filler[:distance]))
        / len(one.pack(repeated))
        for distance in (longest - 1024, longest)
    ]
    assert shares[0] < 0.5
    assert shares[1] > 0.9


@pytest.mark.parametrize("level", range(1, 20))
def test_zstd_reaches_all_of_a_prefix_of_any_size_up_to_its_window(level: int):
    one, repeated = codec(f"zstd(level={level})"), RANDOM[:1024]
    for n in (20_000, 50_000, 80_000, 130_000, 200_000, 300_000, 600_000):
        distance = min(n, one.window or n) - 1024
        filler = (RANDOM[1024:5120] * (distance // 4096 + 1))[:distance]
        code = one.compress(repeated, context=repeated + filler)
        assert len(code) < 512, n


def test_a_dictionary_helps_beyond_the_window_of_streams_and_comes_back():
    # The level's own window has 4 MiB.
    one, prefix = codec("zstd(level=12)"), np.random.default_rng(1).bytes(6 << 20)
    code = one.compress(prefix[:3000], context=prefix)
    assert len(code) < 30
    assert one.decompress(code, length=3000, context=prefix) == prefix[:3000]
    assert one.window == 8 << 23
    assert codec("zstd(level=19)").window is None


@pytest.mark.parametrize(
    ("spec", "longest"),
    [
        ("brotli_fast(lgwin=18)", 262_128),
        ("bz2(level=1)", 100_000),
        ("png(shape=(32, 32))", 32_768),
        ("snappy", 65_536),
        ("webp(shape=(8, 128), effort=0)", 1_048_456),
        ("webp(shape=(32, 4))", 65_408),
        ("xz(preset=0)", 262_144),
    ],
)
def test_a_stream_repeats_itself_up_to_the_window_and_no_further(
    spec: str, longest: int
):
    one, repeated = codec(spec), RANDOM[:1024]
    assert one.window == longest
    (alone,) = one.code_lengths([repeated])

    def share(distance: int) -> float:
        filler = (RANDOM[1024:5120] * (distance // 4096 + 1))[:distance]
        with_both, without = one.code_lengths(
            [repeated + filler + repeated, repeated + filler]
        )
        return float((with_both - without) / alone)

    # Multiples of 1024, so that images stay whole.
    assert share((longest - 4096) // 1024 * 1024) < 0.5
    assert share((longest + 2048) // 1024 * 1024) > 0.5


@pytest.mark.parametrize(
    "spec",
    [
        "brotli(quality=1)",
        "brotli(lgwin=9)",
        "brotli_fast(quality=2)",
        "bz2(level=0)",
        "bzip3(block_mib=0)",
        "jpegxl(effort=0)",
        "lz4(level=13)",
        "lzma(preset=10)",
        "png(level=10)",
        "png(shape=(3,))",
        "png(shape=(0, 3))",
        "png(levels=257)",
        "ppmd(order=7)",
        "ppmd(memory_mib=1)",
        "webp(effort=7)",
        "xz(preset=-1)",
        "zpaq(level=0)",
        "zstd(level=23)",
        "zstd(window_log=28)",
    ],
)
def test_a_value_out_of_range_is_a_spec_error(spec: str):
    name = spec.partition("(")[0]
    codec(name)
    with pytest.raises(SpecError, match=r"is \(?-?\d"):
        REGISTRY.parse(spec)


@pytest.mark.parametrize(
    ("plugin", "package"),
    [
        ("lz4", "lz4"),
        ("snappy", "cramjam"),
        ("bzip3", "bz3"),
        ("zpaq", "zpaq"),
        ("image", "imagecodecs"),
    ],
)
def test_without_its_package_a_plugin_is_listed_with_the_reason(
    plugin: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copied = Path(shutil.copy(PLUGINS / f"{plugin}.py", tmp_path))
    for module in [m for m in sys.modules if m.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    (entry,) = load_plugin(copied)
    assert entry.kind is None
    assert f"'{package}" in entry.unavailable


@pytest.mark.parametrize("order", range(2, 7))
def test_ppmd_gives_back_codes_of_more_than_32_kib(order: int):
    # pyppmd loses a byte there unless it is fed in pieces.
    rng = np.random.default_rng(order)
    noisy = np.where(rng.random(200_000) < 0.4, rng.integers(0, 256, 200_000), 0)
    data, one = noisy.astype(np.uint8).tobytes(), codec(f"ppmd(order={order})")
    code = one.pack(data)
    assert len(code) > 3 << 15
    assert one.unpack(code, len(data)) == data
    primed = one.pack_each_after([data[:90_000]] * 8, data[90_000:])[0]
    assert primed == one.pack_after(data[:90_000], data[90_000:])
