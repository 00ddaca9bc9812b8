"""Deflate's lengths against zlib itself, and the codecs against the published sizes."""

import gzip
import os
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Codec, SpecError
from harness.contract.registry import load_plugin

PATH = Path(__file__).parents[2] / "plugins" / "deflate"
MIRROR = os.environ.get("BITPROBE_DATA_MIRROR")
CANTERBURY = "canterbury/cantrbry.tar.gz"
LAZY_LEVELS = range(4, 10)
BLOCK_SYMBOLS, WINDOW_BYTES = 16383, 32768


# By the registry, as in a run: numba finds its cache by the name of the module.
KINDS = {entry.name: entry.kind for entry in load_plugin(PATH)}
Gzip, Deflate = KINDS["gzip"], KINDS["deflate"]
lengths = sys.modules[Gzip.__module__ + ".lengths"]


def from_zlib(xs: list[bytes], ys: list[bytes], level: int = 9) -> list[list[int]]:
    return [[len(zlib.compress(x + y, level, -15)) for y in ys] for x in xs]


def check(xs: list[bytes], ys: list[bytes], level: int = 9) -> None:
    """Compare the engine itself, which must have an answer, with zlib."""
    got = lengths.by_engine(xs, ys, level)
    assert got.tolist() == from_zlib(xs, ys, level)


def prose(n: int, rng: np.random.Generator) -> bytes:
    words = [rng.integers(97, 123, k).astype(np.uint8).tobytes() for k in range(1, 9)]
    drawn = rng.integers(0, 8, n // 2 + 1)
    return b" ".join(words[i] + b"%d" % (i * 7 % 5) for i in drawn)[:n]


def binary(n: int, rng: np.random.Generator) -> bytes:
    return np.cumsum(rng.integers(-2, 3, n)).astype(np.uint8).tobytes()


def repetitive(n: int, rng: np.random.Generator) -> bytes:
    return (rng.bytes(int(rng.integers(1, 12))) * (n + 1))[:n]


def noise(n: int, rng: np.random.Generator) -> bytes:
    return rng.bytes(n)


KIND_NAMES = [prose, binary, repetitive, noise]


CODECS = [Gzip(), Gzip(level=6), Deflate(), Deflate(level=1)]


@pytest.mark.parametrize("codec", CODECS, ids=str)
@given(data=st.binary(max_size=600), context=st.binary(max_size=300))
@settings(max_examples=20, deadline=None)
def test_every_input_comes_back_with_and_without_context_and_fit(
    codec: Codec, data: bytes, context: bytes
):
    for one in (codec, codec.fit([b"the cat sat ", b"on the mat "], seed=0)):
        for known in (b"", context):
            code = one.compress(data, context=known)
            assert one.decompress(code, length=len(data), context=known) == data
            assert one.code_lengths([data], context=known)[0] == 8 * len(code)


@pytest.mark.parametrize("level", LAZY_LEVELS)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_the_engine_has_the_lengths_of_zlib_on_small_alphabets(level: int, data):
    text = st.text("ab\x00é", max_size=80).map(str.encode) | st.binary(max_size=80)
    texts = st.lists(text, min_size=1, max_size=4)
    check(data.draw(texts), data.draw(texts), level)


@pytest.mark.parametrize("level", LAZY_LEVELS)
@pytest.mark.parametrize("kind", KIND_NAMES)
def test_the_engine_has_the_lengths_of_zlib_on_each_kind_of_data(kind, level: int):
    rng = np.random.default_rng(level)
    xs = [kind(n, rng) for n in (0, 1, 2, 3, 40, 500, 3000)]
    ys = [kind(n, rng) for n in (0, 1, 2, 3, 4, 37, 700, 2500)]
    check([*xs, prose(800, rng)], [*ys, xs[4], xs[5][::-1], prose(600, rng)], level)


def test_the_engine_has_the_lengths_of_zlib_on_all_tiny_texts():
    texts = [bytes(s) for n in range(4) for s in np.ndindex((2,) * n)]
    check(texts, texts)


@pytest.mark.parametrize("distance", [1, 5, 4096, 4097, 9000])
def test_the_engine_has_the_lengths_of_zlib_around_the_longest_and_farthest_matches(
    distance: int,
):
    rng = np.random.default_rng(distance)
    filler = rng.bytes(distance)
    repeats = [(filler * 400)[: n + distance] for n in (2, 3, 4, 257, 258, 259, 516)]
    copies = [filler + filler[:n] for n in (3, 4, 31, 32, 33)]
    check([b"", *repeats, *copies], [b"", b"z", filler[:3], filler[:258]])


def test_the_engine_has_the_lengths_of_zlib_on_every_way_to_cut_a_text():
    text = prose(150, np.random.default_rng(3)) * 2 + b"\x00" * 20
    for cut in range(len(text) + 1):
        check([text[:cut]], [text[cut:], text[:5]])


def test_codes_too_long_for_the_format_are_cut_as_zlib_does():
    # Fibonacci counts make the deepest tree: 19 symbols would need codes of 18 bits.
    counts = [1, 1]
    while len(counts) < 19:
        counts.append(counts[-1] + counts[-2])
    rng = np.random.default_rng(0)
    symbols = np.repeat(np.arange(len(counts), dtype=np.uint8) * 13, counts)
    for seed in range(3):
        data = rng.permutation(symbols).tobytes()
        check([data[:9000]], [data[9000 : 14000 + seed]])


def test_the_engine_says_so_where_a_block_would_be_full_and_is_right_up_to_there():
    # A counter of two bytes repeats no three in a row: each byte is a symbol.
    n = BLOCK_SYMBOLS + 1
    data = (np.arange(n // 2, dtype="<u2") + 100 * 256).tobytes()
    got = lengths.by_engine([data[:-2]], [b"", data[-2:-1], data[-2:]], 9)[0]
    assert got[:2].tolist() == from_zlib([data[:-2]], [b"", data[-2:-1]])[0]
    assert got[2] == lengths.TOO_LONG
    # The first bit of a block tells whether it is the last.
    assert [zlib.compress(data[:m], 9, -15)[0] & 1 for m in (n - 1, n)] == [1, 0]


@pytest.mark.parametrize("kind", KIND_NAMES)
def test_pairs_beyond_the_block_and_the_window_are_those_of_zlib(kind):
    rng = np.random.default_rng(2)
    limit = WINDOW_BYTES - 262
    xs = [kind(n, rng) for n in (BLOCK_SYMBOLS - 5, limit - 40, limit + 1, 70_000)]
    ys = [kind(n, rng) for n in (0, 4, 5, 6, 39, 40, 41)]
    got = Deflate().pair_code_lengths(xs, ys)
    assert (got == 8 * np.array(from_zlib(xs, ys))).all()


@pytest.mark.parametrize("level", range(10))
def test_pairs_have_the_length_of_the_code_of_their_concatenation(level: int):
    rng = np.random.default_rng(level)
    xs = [prose(n, rng) for n in (0, 90, 400)]
    ys = [prose(n, rng) for n in (0, 1, 300)]
    for one in (Gzip(level=level), Deflate(level=level)):
        want = [[8 * len(one.compress(x + y)) for y in ys] for x in xs]
        assert one.pair_code_lengths(xs, ys).tolist() == want


def test_pairs_of_nothing_have_the_right_shape():
    for xs, ys in (([], []), ([], [b"a"]), ([b"a", b"b"], [])):
        assert Gzip().pair_code_lengths(xs, ys).shape == (len(xs), len(ys))


def test_pairs_of_a_fitted_codec_know_what_was_fitted():
    text = prose(700, np.random.default_rng(4))
    fitted = Deflate().fit([text], seed=0)
    got = fitted.pair_code_lengths([text[:80]], [text[80:200]])
    assert got[0, 0] == 8 * len(fitted.compress(text[:200])) < 8 * 40


def wrong_engine(xs: list[bytes], ys: list[bytes], level: int) -> np.ndarray:
    right = np.array(from_zlib(xs, ys, level)).reshape(len(xs), len(ys))
    right[-1, -1] += 1
    return right


@pytest.mark.parametrize(
    ("where", "what", "value"),
    [
        (lengths, "by_engine", wrong_engine),
        (zlib, "ZLIB_RUNTIME_VERSION", "1.3.1.zlib-ng"),
    ],
)
def test_zlib_itself_is_asked_where_the_engine_is_not_its_equal(
    monkeypatch: pytest.MonkeyPatch, where: object, what: str, value: object
):
    monkeypatch.setattr(where, what, value)
    lengths.is_exact.cache_clear()
    try:
        assert not lengths.is_exact(9)
        got = Gzip().pair_code_lengths([b"abc", b""], [b"abcabc", b"x"])
    finally:
        monkeypatch.undo()
        lengths.is_exact.cache_clear()
    want = [
        [len(gzip.compress(x + y)) for y in (b"abcabc", b"x")] for x in (b"abc", b"")
    ]
    assert (got == 8 * np.array(want)).all()


def test_the_engine_is_the_equal_of_the_zlib_of_this_machine():
    if not lengths.PLAIN_VERSION.fullmatch(zlib.ZLIB_RUNTIME_VERSION):
        pytest.skip(f"{zlib.ZLIB_RUNTIME_VERSION} is another zlib")
    assert [level for level in range(10) if lengths.is_exact(level)] == [*LAZY_LEVELS]


def test_a_level_that_zlib_does_not_have_is_refused():
    with pytest.raises(SpecError, match="0 to 9"):
        Gzip(level=10)


def test_a_second_process_takes_the_compiled_code_from_the_cache():
    lengths.by_engine([b"a"], [b"b"], 9)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from harness.contract.registry import load_plugin\n"
        f"kinds = {{e.name: e.kind for e in load_plugin(Path({str(PATH)!r}))}}\n"
        "assert 'numba' not in sys.modules, 'loaded before it is needed'\n"
        "kinds['gzip']().pair_code_lengths([b'a'], [b'b'])\n"
        "engine = sys.modules[kinds['gzip'].__module__ + '.engine']\n"
        "print(sum(engine.row_lengths.stats.cache_hits.values()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"


@pytest.fixture(scope="module")
def canterbury() -> dict[str, bytes]:
    if MIRROR is None:
        pytest.skip("BITPROBE_DATA_MIRROR is not set")
    with tarfile.open(Path(MIRROR) / CANTERBURY) as archive:
        files = [member for member in archive if member.isfile()]
        return {Path(f.name).name: archive.extractfile(f).read() for f in files}


def test_gzip_of_the_canterbury_corpus_has_the_published_size(
    canterbury: dict[str, bytes],
):
    sizes = {name: len(Gzip().pack(data)) for name, data in canterbury.items()}
    assert sum(map(len, canterbury.values())) == 2_810_784
    assert (sizes["alice29.txt"], sum(sizes.values())) == (54_182, 727_952)


def test_the_engine_has_the_lengths_of_zlib_on_the_canterbury_corpus(
    canterbury: dict[str, bytes],
):
    chunks = [data[i : i + 3000] for data in canterbury.values() for i in (0, 40_000)]
    check(chunks, [chunk[:900] for chunk in chunks])
