"""Feed-forward networks: what they see, that their integers are integers, that they learn."""

import itertools
from importlib import import_module
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import Choice, NotApplicableError, SpecError, Watch
from harness.conformance import check_all
from harness.contract import coding
from harness.contract.registry import load_plugin
from harness.data.load import load_dataset
from harness.folders import builtin_folder

NETS = SimpleNamespace(**run_path(str(Path(__file__).with_name("networks.py"))))
ORACLE = run_path(str(Path(__file__).with_name("feedforward_integers.py")))
PythonIntegers, reads_of = ORACLE["PythonIntegers"], ORACLE["reads_of"]
MLP, CONV, PIXEL = (
    load_plugin(builtin_folder("plugins") / name)[0].kind
    for name in ("byte_mlp", "byte_conv", "pixel_conv")
)
BASE = f"{CONV.__module__.split('.')[0]}._feedforward"
TEXT, UNSEEN, rows_of = NETS.TEXT, NETS.UNSEEN, NETS.rows_of
IMAGE = {"size": "10k", "shape": (7, 6), "levels": 5}
MODELS: dict[str, Any] = {
    "mlp": MLP(size="10k", steps=100),
    "conv": CONV(size="10k", steps=100),
    "pixel": PIXEL(**IMAGE, steps=100),
}
# Trained for three steps only, on the alphabet that they have.
VARIANTS: dict[str, Any] = {
    "a layer of the MLP": MLP(size="10k", layers=1, taps=5),
    "eight layers": CONV(size="10k", kernel=2, layers=8, dilation=1),
    "gaps between reads": CONV(size="10k", kernel=2, layers=3, dilation=4),
    "four layers of pixels": PIXEL(**IMAGE, layers=4, radius=1),
    "a radius beyond the image": PIXEL(**IMAGE | {"shape": (9, 2)}, radius=4),
    "colours": PIXEL(**IMAGE | {"shape": (4, 3, 3)}, radius=1, layers=2),
    "pixels without a shape": PIXEL(size="10k", levels=5, radius=1),
}


def material(name: str) -> tuple[list[bytes], list[bytes]]:
    """Return training samples, and equally long ones that no training sees."""
    if name == "pixel":
        return NETS.images(100), NETS.images(40, seed=5)
    return NETS.TRAIN, UNSEEN


@pytest.fixture(scope="module", params=list(MODELS))
def case(request: Any) -> SimpleNamespace:
    """Return a fitted model, its float network and unseen samples."""
    corpus, unseen = material(request.param)
    model, network = NETS.trained(MODELS[request.param], corpus)
    return SimpleNamespace(
        name=request.param, model=model, network=network, unseen=unseen
    )


@pytest.fixture(scope="module")
def variants() -> dict[str, Any]:
    corpus = [bytes(i * i // 7 % 5 for i in range(300))]
    return {
        name: model.budgeted(3).fit(corpus, seed=0) for name, model in VARIANTS.items()
    }


@pytest.fixture(scope="module")
def few_levels(variants: dict[str, Any]) -> Any:
    return variants["colours"]


def test_the_engine_is_python_integers(case: Any):
    # Two images, so that the second one starts anew.
    sample = b"".join(case.unseen[3:5])[:60]
    assert (
        rows_of(case.model, [sample]) == PythonIntegers(case.model).rows(sample)
    ).all()


@pytest.mark.parametrize("name", list(VARIANTS))
def test_the_engine_of_other_layers_is_python_integers(
    name: str, variants: dict[str, Any]
):
    model = variants[name]
    sample = bytes([3, 1, 4, 0, 0, 2, 3, 4] * 6)
    assert (rows_of(model, [sample]) == PythonIntegers(model).rows(sample)).all()


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("carrier", [np.float32, np.float64, np.int64])
def test_every_carrier_and_the_compiled_sums_give_the_same_rows(
    case: Any, few: int, carrier: Any
):
    make = import_module(f"{BASE}.engine").FeedForwardEngine
    model = case.model
    engine = make(model.architecture, model.learned, carrier=carrier, few=few)
    NETS.check_engine_gives_the_rows_of(engine, model, case.unseen[:10])


@pytest.mark.parametrize("n_context", [0, 2, 9_000])
def test_parallel_rows_are_those_of_steps_for_unequal_lengths(
    case: Any, n_context: int
):
    text = case.unseen
    samples = [text[0], b"", text[1][:31], text[3][:1], *text[4:17], text[2] + text[3]]
    context = b"".join(material(case.name)[0])[:n_context]
    NETS.check_parallel_rows_are_those_of_steps(case.model, samples, context)


@pytest.mark.parametrize("n_batch", [1, 7, 40])
def test_rows_do_not_depend_on_neighbouring_streams(case: Any, n_batch: int):
    samples, alphabet = case.unseen[:40], case.model.alphabet
    length = len(samples[0])
    parts = [
        rows_of(case.model, samples[i : i + n_batch]).reshape(length, -1, alphabet)
        for i in range(0, 40, n_batch)
    ]
    want = rows_of(case.model, samples).reshape(length, 40, alphabet)
    assert (np.concatenate(parts, axis=1) == want).all()


def test_a_prediction_depends_on_the_window_and_nothing_before(variants: Any):
    model = variants["gaps between reads"]
    text = bytes(byte % 5 for byte in TEXT[61_000:61_100])
    after = rows_of(model, [text[50:]], context=text[:50])
    assert (after == rows_of(model, [text])[50:]).all()
    assert model.window == 2 + 4 + 16
    window, far = text[50 - model.window : 50], bytes(500) + text[:50]
    for context in (window, far):
        assert (rows_of(model, [text[50:]], context=context) == after).all()
    shorter = rows_of(model, [text[50:]], context=window[1:])
    assert (shorter[0] != after[0]).any()


def test_every_image_of_a_stream_starts_anew():
    model = PIXEL(**IMAGE, steps=3).fit(NETS.images(9), seed=0)
    a, b = NETS.images(2, seed=10)
    both = rows_of(model, [a + b])
    assert (both[42:] == rows_of(model, [b])).all()
    assert (rows_of(model, [b[:20]], context=a) == both[42:62]).all()
    assert (rows_of(model, [a[10:]], context=b + a[:10]) == both[10:42]).all()


@given(samples=st.lists(st.binary(max_size=60), max_size=5))
@settings(max_examples=25, deadline=None)
def test_all_bytes_come_back(few_levels: Any, samples: list[bytes]):
    # Bytes outside the alphabet among them.
    code = coding.encode(few_levels, samples)
    assert coding.decode(few_levels, code, [len(each) for each in samples]) == samples


def test_a_byte_outside_the_alphabet_has_no_length_but_can_be_trained_on(
    few_levels: Any,
):
    with pytest.raises(NotApplicableError, match="byte 7, but the alphabet has only 5"):
        few_levels.code_lengths([b"\0\7"])
    assert np.isfinite(
        few_levels.fit([b"\0\7\xff"], seed=0).code_lengths([b"\4"])
    ).all()


def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path: Path):
    model, corpus = CONV(size="10k", steps=9), NETS.TRAIN

    def interrupt(step: int, *_: object) -> None:
        if step == 4:
            raise KeyboardInterrupt

    path = tmp_path / "state.npz"
    watch = Watch(progress=interrupt, checkpoint=path)
    with pytest.raises(KeyboardInterrupt):
        list(model.trained(corpus, seed=1, watch=watch))
    steps: list[int] = []
    watch = Watch(progress=lambda step, *_: steps.append(step), checkpoint=path)
    (resumed,) = model.trained(corpus, seed=1, watch=watch)
    assert steps == [5, 6, 7, 8, 9]
    uninterrupted = model.fit(corpus, seed=1)
    for name, array in uninterrupted.learned.items():
        assert (resumed.learned[name] == array).all(), name


@pytest.mark.parametrize("kind", [MLP, CONV, PIXEL])
def test_bits_of_real_images_fall_with_steps(kind: Any):
    digits = load_dataset("digits")
    card = {"shape": digits.shape, "levels": digits.levels} if kind is PIXEL else {}
    model = kind(size="10k", **card)
    samples, rungs = digits.test.samples[:100], [0, 20, 100]
    ladder = model.fit_ladder(digits.train.samples[:400], rungs, seed=0)
    bits = [rung.code_lengths(samples).sum() / 6400 for rung in ladder]
    assert bits[0] == pytest.approx(np.log2(model.alphabet), abs=0.5)
    assert bits[0] > bits[1] > bits[2]
    # Below the entropy of single pixels: it uses what came before.
    counts = np.bincount(np.frombuffer(b"".join(samples), np.uint8))
    shares = counts[counts > 0] / counts.sum()
    assert bits[2] < -(shares * np.log2(shares)).sum() - 0.3


def test_integers_cost_less_than_a_thousandth(case: Any):
    bits = case.model.code_lengths(case.unseen).sum()
    floats = NETS.bits_of_floats(case.network, case.unseen)
    assert bits == pytest.approx(floats, rel=1e-3)


@pytest.mark.parametrize("name", list(VARIANTS))
def test_the_float_network_sees_the_reads_of_its_layers_and_nothing_else(name: str):
    torch = import_module("torch")
    model = VARIANTS[name]
    network, oracle = model.network(), PythonIntegers(model.budgeted(0).fit([], seed=0))
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data.normal_(generator=generator).mul_(0.3)
    n = 36  # an image of three colours, and less than one of the others
    base = torch.full((1, n), 1)
    changed = base.repeat(n, 1)
    changed[range(n), range(n)] = 3
    with torch.inference_mode():
        moved = (network(changed) != network(base)).any(-1)  # (changed, moved)
    want = torch.zeros(n, n, dtype=torch.bool)
    for t in range(n):
        positions = {t}
        for offsets in reversed(oracle.reads):
            read = {oracle.place(p, o) for p in positions for o in offsets}
            positions = read - {None}
        want[list(positions), t] = True
    assert (moved == want).all()


def test_hidden_states_are_what_the_next_symbol_is_predicted_from(case: Any):
    samples = case.unseen[:5]
    width = case.model.architecture.widths.hidden
    shapes = {
        f"layer{i}": (5, len(samples[0]), width)
        for i in range(1, case.model.layers + 1)
    }
    NETS.check_last_states_predict_the_next_symbol(case.model, samples, shapes)


def test_the_last_state_of_an_image_has_read_its_last_row():
    model = PIXEL(**IMAGE, steps=3).fit(NETS.images(9), seed=0)
    (image,) = NETS.images(1, seed=3)
    other = image[:37] + bytes(4 - symbol for symbol in image[37:38]) + image[38:]
    states = model.hidden_states([image, other, image + other])["layer3"]
    assert (states[0, 41] != states[1, 41]).any()
    assert np.allclose(states[2, :42], states[0, :42], atol=1e-6)
    assert np.allclose(states[2, 42:], states[1, :42], atol=1e-6)


def test_conversion_of_the_restored_network_changes_no_integer(case: Any):
    model = case.model
    same = model.restore(model.learned).requires_grad_(requires_grad=False)
    learned = model.convert(same, None, None)
    for name in model.architecture.matrices:
        assert (learned[name] == model.learned[name]).all(), name


@pytest.mark.parametrize("kind", [MLP, CONV, PIXEL])
def test_every_combination_of_the_ranges_is_legal(kind: Any):
    choices = {
        name: values.values
        for name, values in kind.ranges.items()
        if isinstance(values, Choice)
    }
    assert set(kind.ranges) - set(choices) == {"learning_rate", "weight_decay"}
    for corner in itertools.product(*choices.values()):
        model = kind(**dict(zip(choices, corner, strict=True)))
        assert 1 <= model.window <= model.recipe.window


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (MLP, {"taps": 0}, "taps is 0; byte_mlp has 1 to 64"),
        (MLP, {"layers": 3}, "layers is 3; byte_mlp has 1 or 2"),
        (CONV, {"kernel": 1}, "kernel is 1, layers is 4, dilation is 3; give a kernel"),
        (CONV, {"layers": 0}, "layers is 0, dilation is 3; give a kernel of 2 or more"),
        (CONV, {"kernel": 5}, "would see 161 bytes and is trained on windows of 128"),
        (PIXEL, {"radius": 17}, "radius is 17; pixel_conv has 1 to 16"),
        (PIXEL, {"layers": 0}, "layers is 0; pixel_conv has 1 to 16"),
    ],
)
def test_illegal_fields_are_refused(kind: Any, values: dict[str, Any], message: str):
    with pytest.raises(SpecError, match=message):
        kind(**values)


@pytest.mark.parametrize(
    "model", [MLP(size="10k"), CONV(size="10k"), PIXEL(size="10k"), VARIANTS["colours"]]
)
def test_it_keeps_the_promises_of_every_compressor(model: Any):
    # `bitprobe check` runs all of them.
    only = ("declarations", "round_trip_fitted", "round_trip_context", "no_look_ahead")
    only += ("legal_frequencies", "parallel_is_stepwise", "hidden_states", "window")
    check_all(model.budgeted(5), only=only, long_bytes=1 << 12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MLP, CONV, PIXEL])
def test_it_keeps_all_promises(kind: Any):
    check_all(kind(size="10k", steps=5), long_bytes=1 << 12)
