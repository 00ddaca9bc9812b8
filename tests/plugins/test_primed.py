"""The helper that primes a coder once: its bytes, its errors, and how it dies."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from harness import CodingError
from harness.contract.codes import shared_length, varint
from harness.contract.compressor import Codec
from harness.contract.registry import load_registry

ROOT = Path(__file__).parents[2]
REGISTRY = load_registry()
TEXT = b"".join(b"%d bottles of beer on the wall, " % i for i in range(4000))
RANDOM = np.random.default_rng(1).bytes(3000)
SAMPLES = [TEXT[i * 999 : i * 999 + 300] for i in range(6)] + [b"", b"a", RANDOM]
PRIMED = sys.modules[
    REGISTRY.find("ppmd").kind.__module__.rpartition(".")[0] + "._primed"
]


def codec(spec: str) -> Codec:
    made = REGISTRY.parse(spec)
    assert isinstance(made, Codec)
    return made


@pytest.mark.parametrize("size", [1, 700, 70_000])
@pytest.mark.parametrize(
    "spec",
    ["ppmd", "ppmd(order=2)", "brotli(quality=5)", "brotli", "lzma", "lzma(preset=1)"],
)
def test_a_primed_coder_gives_the_bytes_of_pack_after(
    spec: str, size: int, monkeypatch: pytest.MonkeyPatch
):
    one, prefix = codec(spec), TEXT[:size]
    module = sys.modules[type(one).__module__]
    always = {False: 0, True: 0} if one.name == "brotli" else 0
    monkeypatch.setattr(module, "PRIMED_FROM", always)
    written = [one.pack_after(sample, prefix) for sample in SAMPLES]
    assert one.pack_each_after(SAMPLES, prefix) == written
    lengths = one.packed_lengths_after(SAMPLES, prefix).tolist()
    assert lengths == [8 * len(code) for code in written]


def test_primed_tails_are_the_very_bytes_of_the_whole_code():
    coder_spec, prefix = lzma_coder_spec(), TEXT[:50_000]
    n_out, (end, tail) = PRIMED.tails_after(coder_spec, prefix, [b"", SAMPLES[0]])
    one = codec("lzma")
    code = one.pack_after(SAMPLES[0], prefix)
    shared = shared_length(end, tail)
    assert n_out > 0
    assert code == varint(len(end) - shared) + tail[shared:]


def test_a_batch_larger_than_all_pipes_does_not_block():
    # 4 MB in, and more than 64 KiB out before the last sample is read.
    samples = [RANDOM[:1000]] * 150 + [bytes(4_000_000)]
    _, tails = PRIMED.tails_after(lzma_coder_spec(), TEXT[:5000], samples)
    assert len(tails) == 151
    assert sum(map(len, tails)) > 1 << 16


def test_a_coder_that_fails_is_an_error_with_its_reason():
    broken = PRIMED.StreamingCoder(
        module="zlib", factory="compressobj", feed="compress", finish="no_such_method"
    )
    with pytest.raises(CodingError, match=r"1 of 2 answers.*no_such_method"):
        PRIMED.tails_after(broken, b"prefix", [b"sample"])
    assert not helpers(psutil.Process())


def test_a_missing_codec_is_named():
    missing = PRIMED.StreamingCoder(
        module="no_such_codec", factory="Coder", feed="feed", finish="finish"
    )
    with pytest.raises(ModuleNotFoundError, match="no_such_codec"):
        PRIMED.tails_after(missing, b"", [b""])


def test_the_helper_dies_with_its_parent():
    # Level 9 with long samples: seconds of work when the parent is killed.
    program = (
        "from harness.contract.registry import load_registry\n"
        "one = load_registry().parse('lzma(preset=9, extreme=True)')\n"
        "text = bytes(range(256)) * 4000\n"
        "one.packed_lengths_after([text] * 400, text)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    try:
        seen = waited_for(lambda: helpers(psutil.Process(parent.pid)))
    finally:
        parent.kill()
        parent.wait()
    assert seen
    assert not psutil.wait_procs(seen, timeout=5)[1]


@pytest.mark.parametrize("prefix", [b"", TEXT[:3000]])
def test_ppmd_codes_a_large_batch_as_it_codes_each_sample(prefix: bytes):
    one = codec("ppmd(order=3)")
    # More than one helper codes, with the empty sample among them.
    samples = [TEXT[i : i + 1 + i % 40] for i in range(1100)] + [b""]
    lengths = one.code_lengths(samples, context=prefix)
    coded = [one.compress(sample, context=prefix) for sample in samples]
    assert lengths.tolist() == [8 * len(code) for code in coded]


def test_ppmd_leaks_little_memory_over_many_contexts():
    # pyppmd leaks 19 KB with every encoder: 38 MB, were they of this process.
    one, samples = codec("ppmd(order=2)"), [b"sample"] * 500
    one.code_lengths(samples, context=b"context")
    before = psutil.Process().memory_info().rss
    for i in range(4):
        one.code_lengths(samples, context=b"context %d" % i)
    assert psutil.Process().memory_info().rss - before < 10e6


def lzma_coder_spec():
    return codec("lzma")._coder_spec(1 << 16)


def helpers(process: psutil.Process) -> list[psutil.Process]:
    """Return the helper and the children it has forked, once there is one."""
    found = process.children(recursive=True)
    return found if any("_priming.py" in " ".join(p.cmdline()) for p in found) else []


def waited_for(condition):
    for _ in range(200):
        if found := condition():
            return found
        time.sleep(0.05)
    return condition()
