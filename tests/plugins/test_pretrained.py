"""Language models as compressors: small ones, made here, with tokenizers of every make."""

import argparse
import json
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness import CodingError, SpecError
from harness.conformance import check_all, run_checks
from harness.contract.registry import load_plugin, load_registry
from harness.folders import builtin_folder
from harness.planning.plan import Selection, plan
from harness.planning.suite import load_suite
from harness.records.record import record_from_json

pytest.importorskip("transformers")
torch = import_module("torch")
transformers = import_module("transformers")

KIND: Any = load_plugin(builtin_folder("plugins") / "pretrained")[0].kind
PACKAGE = KIND.__module__
CODER = import_module(f"{PACKAGE}.coder")
MAKE = SimpleNamespace(**run_path(str(Path(__file__).with_name("language_models.py"))))
VOCABULARY = import_module(f"{PACKAGE}.vocabulary")
# A text that every machine has.
TEXT = Path(argparse.__file__).read_bytes()
SAMPLES = {
    "empty": b"",
    "a byte": b"a",
    "text, as bytes": TEXT[:60],
    "longer than the context": TEXT[500:690],
    "no UTF-8": b"caf\xe9 \xff\xfe" + bytes(range(150, 200)),
    "cut inside a character": "naïve \N{SNOWMAN}".encode()[:-1],
    "not normalised": "\N{ANGSTROM SIGN} ﬁt\r\n  two".encode(),
    "names of special tokens": b"<|end|>a<s>b</s> <0x41>",
    "spaces": b"   leading and trailing  ",
    "zeros": bytes(20),
}
MAKES = ["byte_level", "metaspace", "normalising", "bytes"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    byt5 = transformers.ByT5Tokenizer()
    return {
        "byte_level": MAKE.saved(root / "gpt2", MAKE.byte_level()),
        "metaspace": MAKE.saved(root / "llama", MAKE.metaspace(), llama=True),
        "normalising": MAKE.saved(root / "unigram", MAKE.normalising()),
        "bytes": MAKE.saved(root / "byt5", byt5, llama=True),
    }


@pytest.fixture(scope="module")
def model(folders: dict[str, Path]) -> Any:
    return KIND(model=str(folders["byte_level"]), context=64)


def own_bits(folder: Path, text: str) -> float:
    """Return -log2 of the model's probability of a short text, by transformers alone."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text
    given = torch.tensor([[tokenizer.bos_token_id, *ids]])
    with torch.no_grad():
        nats = torch.log_softmax(network(given).logits[0].double(), dim=-1)
    chosen = nats[torch.arange(len(ids)), torch.tensor(ids)]
    return float(-chosen.sum() / np.log(2))


@pytest.mark.parametrize("make", ["byte_level", "metaspace"])
def test_a_code_length_is_the_sum_of_the_models_surprisals(
    make: str, folders: dict[str, Path]
):
    text = "usage: program [options]"
    (bits,) = KIND(model=str(folders[make]), context=64).code_lengths([text.encode()])
    assert bits == pytest.approx(own_bits(folders[make], text), rel=1e-4)


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("name", SAMPLES)
def test_any_bytes_come_back_from_what_their_length_says(
    make: str, name: str, folders: dict[str, Path]
):
    one, sample = KIND(model=str(folders[make]), context=64), SAMPLES[name]
    context = TEXT[2000:2100] if "bytes" in name or "context" in name else b""
    code = one.compress(sample, context=context)
    assert one.decompress(code, length=len(sample), context=context) == sample
    (ideal,) = one.code_lengths([sample], context=context)
    assert -8 < 8 * len(code) - ideal < 8 + 1e-4 * ideal


def test_text_takes_the_tokens_of_the_tokenizer(folders: dict[str, Path]):
    for make in ("byte_level", "metaspace"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folders[make])
        one = KIND(model=str(folders[make]), context=64)
        got = one._network("cpu").vocabulary.symbols_of(TEXT[:500])
        assert got == tokenizer.encode(TEXT[:500].decode(), add_special_tokens=False)


def test_the_name_of_a_special_token_is_text_like_any_other(model: Any):
    vocabulary = model._network("cpu").vocabulary
    sample = b"see <|end|> here"
    tokens = VOCABULARY._encoded(vocabulary.tokenizer, sample.decode())
    assert vocabulary.bytes_of(tokens) == sample
    assert vocabulary.symbols_of(sample) == tokens


def test_one_foreign_byte_costs_the_rest_of_a_text_little(model: Any):
    whole, broken = TEXT[:150], TEXT[:80] + b"\xff" + TEXT[80:150]
    symbols = model._network("cpu").vocabulary.symbols_of
    assert len(symbols(broken)) <= len(symbols(whole)) + 4


def test_a_token_is_predicted_from_half_a_context_or_more(folders: dict[str, Path]):
    one = KIND(model=str(folders["byte_level"]), context=32)
    network = one._network("cpu")
    symbols = network.vocabulary.symbols_of(TEXT[:600])
    seen = []
    for window in network.windows(symbols[:40], symbols[40:], 32):
        at = 40 + len(seen)
        assert window.given == [network.start, *symbols[at - 15 : at]]
        seen += window.symbols
        assert len(window.symbols) == 17 or seen == symbols[40:]
    assert seen == symbols[40:]


def test_a_context_stands_before_the_sample(model: Any):
    ids = model._network("cpu").vocabulary.symbols_of
    context, sample = b"usage: ", b"program"
    both = [model._network("cpu").start, *ids(context), *ids(sample)]
    network = transformers.AutoModelForCausalLM.from_pretrained(model.model)
    with torch.no_grad():
        nats = torch.log_softmax(network(torch.tensor([both])).logits[0].double(), -1)
    first = 1 + len(ids(context))
    want = -sum(float(nats[i - 1, both[i]]) for i in range(first, len(both))) / np.log(
        2
    )
    (got,) = model.code_lengths([sample], context=context)
    assert got == pytest.approx(want, rel=1e-4)


def test_a_fresh_process_decodes(model: Any):
    code, sample = model.compress(TEXT[:300]), TEXT[:300]
    program = (
        "import sys; from harness.contract.registry import load_registry\n"
        "one = load_registry().parse(sys.argv[1])\n"
        "code = bytes.fromhex(sys.argv[2])\n"
        "sys.stdout.buffer.write(one.decompress(code, length=int(sys.argv[3])))"
    )
    spec = f"pretrained(model={model.model!r}, context=64, content={model.content!r})"
    arguments = [spec, code.hex(), str(len(sample))]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, check=True
    )
    assert done.stdout == sample


def test_a_damaged_code_is_refused_or_gives_other_bytes(model: Any):
    code = bytearray(model.compress(TEXT[:100]))
    code[3] ^= 64
    try:
        assert model.decompress(bytes(code), length=100) != TEXT[:100]
    except CodingError as error:
        assert "damaged" in str(error)  # noqa: PT017  (either is right)


def test_frequencies_are_whole_and_leave_no_symbol_out():
    rng = np.random.default_rng(0)
    for n in (2, 1000, 250_000):
        shares = rng.dirichlet(np.full(n, 0.01))
        frequencies = CODER.frequencies_of(shares)
        assert frequencies.sum() == 1 << 32
        assert frequencies.min() >= 1
        lost = (
            shares * np.log2(np.maximum(shares, 1e-300) * 2**32 / frequencies)
        ).sum()
        assert lost < 1e-3
    with pytest.raises(CodingError, match="float32"):
        CODER.frequencies_of(np.array([0.5, np.nan]))


def test_no_run_of_a_symbol_costs_less_than_its_probability_says():
    frequencies = CODER.frequencies_of(np.array([0.5, 0.25, 0.25]))
    for symbol, ideal in ((0, 1), (1, 2), (2, 2)):
        encoder = CODER.Encoder()
        for _ in range(800):
            encoder.encode(frequencies, symbol)
        bits = 8 * len(encoder.finish())
        # All codes of the first symbol are zeros, which only their number tells apart.
        assert 800 * ideal - 8 <= bits <= 800 * ideal + 8


def test_the_coder_carries_and_ends_in_the_byte_where_its_interval_does():
    # One symbol of nearly all, again and again, then rare ones: bytes of 255, then a carry.
    frequencies = np.array([1, (1 << 32) - 2, 1], np.int64)
    for symbols in ([2] * 9, [2] * 5 + [1] * 400 + [2], [1, 2] * 30, [0] * 9, [1] * 50):
        encoder = CODER.Encoder()
        for symbol in symbols:
            encoder.encode(frequencies, symbol)
        code = encoder.finish()
        decoder = CODER.Decoder(code)
        assert [decoder.decode(frequencies) for _ in symbols] == symbols
        ideal = sum(32 - np.log2(frequencies[symbol]) for symbol in symbols)
        assert 8 * len(code) < ideal + 8.001


def test_the_prior_is_what_weights_and_tokenizer_weigh(model: Any):
    names = [
        "model.safetensors",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    sizes = [(Path(model.model) / name).stat().st_size for name in names]
    assert model.prior_bytes == sum(sizes)


def test_weights_in_shards_are_the_same_model(model: Any, tmp_path: Path):
    network = transformers.AutoModelForCausalLM.from_pretrained(model.model)
    network.save_pretrained(tmp_path, max_shard_size="20KB")
    transformers.AutoTokenizer.from_pretrained(model.model).save_pretrained(tmp_path)
    shards = list(tmp_path.glob("model-*.safetensors"))
    sharded = KIND(model=str(tmp_path), context=64)
    assert len(shards) > 1
    assert sharded.prior_bytes > sum(shard.stat().st_size for shard in shards)
    sample = [TEXT[:100]]
    assert sharded.code_lengths(sample) == model.code_lengths(sample)


def test_other_weights_are_another_key_and_are_refused_under_the_old_one(
    folders: dict[str, Path], tmp_path: Path
):
    suite = load_suite("smoke")

    def keys() -> tuple[set[str], int]:
        spec = f"pretrained(model={str(tmp_path / 'm')!r}, context=64)"
        jobs = plan(suite, load_registry(), Selection(only=[spec], also=[spec])).jobs
        own = [job for job in jobs if job.subject.name == "pretrained"]
        return {job.key for job in own}, own[0].subject.prior_bytes

    tokenizer = transformers.AutoTokenizer.from_pretrained(folders["byte_level"])
    MAKE.saved(tmp_path / "m", tokenizer, seed=1)
    old, (before, n_bytes) = KIND(model=str(tmp_path / "m"), context=64), keys()
    assert n_bytes == old.prior_bytes > 10_000
    assert keys()[0] == before
    MAKE.saved(tmp_path / "m", tokenizer, seed=2)
    assert not keys()[0] & before
    with pytest.raises(SpecError, match="get the model that was meant"):
        replace(old)


def test_fit_keeps_the_prompt_that_was_asked_for_and_no_more(model: Any):
    assert model.fit([TEXT], seed=0).learned == {}
    prompted = replace(model, prompt=60).fit([TEXT[:100], TEXT[100:200]], seed=0)
    assert prompted.learned["prefix"].tobytes() == TEXT[140:200]
    got = prompted.code_lengths([b"usage"], context=b" more")
    assert got == model.code_lengths([b"usage"], context=TEXT[140:200] + b" more")


def test_a_byte_has_the_states_of_its_token(folders: dict[str, Path]):
    for make in ("byte_level", "metaspace"):
        one = KIND(model=str(folders[make]), context=64)
        layers = one.hidden_states([b"usage", TEXT[:120]])
        network = transformers.AutoModelForCausalLM.from_pretrained(one.model)
        vocabulary = one._network("cpu").vocabulary
        symbols = vocabulary.symbols_of(b"usage")
        given = torch.tensor([[one._network("cpu").start, *symbols]])
        with torch.no_grad():
            states = network(given, output_hidden_states=True).hidden_states[1:]
        assert list(layers) == [f"layer{i}" for i in range(len(states))]
        for got, want in zip(layers.values(), states, strict=True):
            assert got.shape == (2, 120, 16)
            assert not got[0, 5:].any()
            last = want[0, -1].numpy()
            assert got[0, 4] == pytest.approx(last, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "name a causal language model"),
        ({"model": "./nowhere"}, "no folder './nowhere'"),
        ({"model": "HERE", "context": 65}, "takes 8 to 64"),
        ({"model": "HERE", "context": 4}, "takes 8 to 64"),
        ({"model": "HERE", "context": 64, "prompt": -1}, "prompt is -1"),
        ({"model": "HERE", "context": 64, "content": "abc"}, "not abc"),
        ({"model": "EMPTY"}, "no config.json"),
        ({"model": "PICKLED"}, "lacks model.safetensors"),
    ],
)
def test_what_cannot_be_used_is_one_clear_line(
    fields: dict[str, Any], says: str, folders: dict[str, Path], tmp_path: Path
):
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    places = {
        "HERE": folders["byte_level"],
        "EMPTY": tmp_path / "empty",
        "PICKLED": tmp_path / "pickled",
    }
    name = fields.get("model", "")
    with pytest.raises(SpecError, match=says) as raised:
        KIND(**{**fields, "model": str(places.get(name, name))})
    assert "\n" not in str(raised.value)


def test_a_model_that_is_not_at_hand_is_not_downloaded_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    bitprobe = Path(sys.executable).parent / "bitprobe"
    command = [bitprobe, "check", "pretrained(model='gpt2')"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "hf download gpt2" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_listing_it_loads_neither_transformers_nor_torch():
    program = (
        "import sys; from harness.commands.list import inventory\n"
        "assert any(r['name'] == 'pretrained' for r in inventory('compressors'))\n"
        "assert not {'transformers', 'torch', 'huggingface_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


QUICK = [
    "declarations",
    "fit_reproducible",
    "fit_returns_copy",
    "batch_is_one_by_one",
    "pair_lengths",
]


def test_it_keeps_the_promises_that_are_quick_to_check(model: Any):
    check_all(model, only=QUICK)


SUITE = """
name = "tiny"
title = "A pretrained model, end to end"
compressors = ["{spec}"]
datasets = [{{ name = "digits", train = 40, test = 4 }}]
tasks = [{task}]
"""


def scores_of(task: str, model: Path, folder: Path) -> dict[str, Any]:
    """Run a suite of one task from the folder beside the model; return its scores."""
    spec = f"pretrained(model='{model.name}', context=64)"
    suite, bitprobe = folder / "tiny.toml", Path(sys.executable).parent / "bitprobe"
    suite.write_text(SUITE.format(spec=spec, task=task))
    ran = subprocess.run(
        [bitprobe, "run", suite, "-j", "1", "--output", folder / "out"],
        capture_output=True,
        text=True,
        check=False,
        cwd=model.parent,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    paths = (folder / "out" / "records").glob("*.json")
    records = list(map(json.loads, map(Path.read_text, paths)))
    assert {record["status"] for record in records} == {"done"}
    assert all(r["job"]["subject"]["prior_bytes"] > 10_000 for r in records)
    scores = [s for r in map(record_from_json, records) for s in r.scores]
    return {score.name: score for score in scores}


def test_a_run_measures_and_decodes_it(folders: dict[str, Path], tmp_path: Path):
    scores = scores_of('{ name = "rates" }', folders["byte_level"], tmp_path)
    for name in ("cold_bpb", "stream_bpb", "heldout_bpb", "isolated_bpb"):
        assert scores[name].realised == "decoded"


@pytest.mark.slow
def test_a_run_probes_its_layers(folders: dict[str, Path], tmp_path: Path):
    task = '{ name = "layer_probe", few_labels = false, label_code = false, permuted = false }'
    scores = scores_of(task, folders["byte_level"], tmp_path)
    assert "balanced_accuracy_layer:layer1" in scores


@pytest.mark.slow
def test_it_keeps_all_its_promises(model: Any):
    found = run_checks(model, long_bytes=2000)
    assert {one.check.name for one in found if one.status == "failed"} == set()
    waived = {one.check.name for one in found if one.status == "waived"}
    assert waived == set(KIND.waived)
    # Whether tokens end where the kit cuts its samples is a matter of the vocabulary.
    passing = {one.check.name for one in found if "remove it" in one.message}
    assert passing <= {"hidden_states"}
