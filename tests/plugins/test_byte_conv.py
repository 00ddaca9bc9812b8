"""Dilated convolutions: what they see, that integers are integers, and that they learn."""

import argparse
import itertools
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import START, NotApplicableError, SpecError, Stepwise, Watch
from harness.conformance import check_all
from harness.contract import coding
from harness.contract.registry import load_plugin
from harness.data.load import load_dataset
from harness.folders import builtin_folder

TOTAL, ONE = 1 << 24, 1 << 15
KIND: Any = load_plugin(builtin_folder("plugins") / "byte_conv")[0].kind
ENGINE = import_module(f"{KIND.__module__.split('.')[0]}._feedforward.engine")
# A text that every machine has.
TEXT = Path(argparse.__file__).read_bytes()
TRAIN = [TEXT[i : i + 200] for i in range(0, 60_000, 200)]
UNSEEN = [TEXT[i : i + 200] for i in range(60_000, 80_000, 200)]
SYMBOLS = st.lists(st.integers(0, 6), max_size=40).map(bytes)


class Spy(KIND):
    """Keeps the float network that became integers."""

    network_seen: Any = None

    def convert(self, network: Any, *about: Any) -> Any:
        object.__setattr__(self, "network_seen", network)
        return super().convert(network, *about)


@pytest.fixture(scope="module")
def trained() -> tuple[Any, Any]:
    """Return a fitted model and its float network."""
    spy = Spy(size="10k", steps=100)
    fitted = spy.fit(TRAIN, seed=0)
    return KIND(size="10k", steps=100, learned=fitted.learned), spy.network_seen


@pytest.fixture(scope="module")
def fitted(trained: tuple[Any, Any]) -> Any:
    return trained[0]


@pytest.fixture(scope="module")
def few_levels() -> Any:
    model = KIND(size="10k", steps=3, kernel=4, layers=2, levels=7)
    return model.fit([bytes(i % 7 for i in range(300))], seed=0)


def rows_of(model: Any, samples: list[bytes], **how: Any) -> np.ndarray:
    return np.concatenate(list(model.frequencies(samples, **how)))


class PythonIntegers:
    """A sample by Python's integers and single numpy scalars, layer by layer."""

    def __init__(self, model: Any) -> None:
        self.k = {name: array.tolist() for name, array in model.learned.items()}
        self.kernel, self.layers, self.n = model.kernel, model.layers, model.alphabet
        x = np.arange(-12288, 12289) / 1024
        self.tanh = np.rint((ONE - 1) * np.tanh(x)).astype(int).tolist()
        self.sigmoid = np.rint(ONE / (1 + np.exp(-x))).astype(int).tolist()
        exact = np.rint(2**22 * np.exp(-np.arange(16 * 1024 + 1) / 1024))
        self.exponentials = exact.astype(int).tolist()

    def rows(self, sample: bytes) -> list[list[int]]:
        """Return the frequencies of a sample."""
        steps = range(len(sample))
        d = len(self.k["head"][0])
        values = [self.gated(self.first(sample[:t]), [0] * d) for t in steps]
        for layer in range(2, self.layers + 1):
            dilation = self.kernel ** (layer - 1)
            rows = []
            for t in steps:
                # Zeros stand before the start of a layer.
                back = [t - i * dilation for i in range(self.kernel)]
                parts = [values[b] if b >= 0 else [0] * d for b in back]
                joined = [value for part in parts for value in part]
                sums = self.products(f"layer{layer}", joined)
                biases = map(whole, self.k[f"layer{layer}_bias"])
                sums = [int(np.rint(s)) + b for s, b in zip(sums, biases, strict=True)]
                rows.append(self.gated(sums, values[t]))
            values = rows
        return [self.frequencies(state) for state in values]

    def first(self, past: bytes) -> list[int]:
        """Return what the last symbols add up to, for candidates and gates."""
        symbols = ([self.n] * self.kernel + list(past))[: -self.kernel - 1 : -1]
        e, sums = len(self.k["embedding"][0]), []
        for i, weights in enumerate(self.k["layer1"]):
            total = whole(self.k["layer1_bias"][i])
            unit = np.float64(np.float32(self.k["layer1_scale"][i])) * 1024
            for j, symbol in enumerate(symbols):
                product = dot(weights[j * e : j * e + e], self.k["embedding"][symbol])
                scale = np.float64(np.float32(self.k["embedding_scale"][symbol]))
                total += int(np.rint(product * scale * unit))
            sums.append(total)
        return sums

    def gated(self, sums: list[int], below: list[int]) -> list[int]:
        at = [max(-12288, min(12288, total)) + 12288 for total in sums]
        d = len(below)
        new = [self.tanh[i] for i in at[:d]]
        shares = [self.sigmoid[i] for i in at[d:]]
        return [
            (share * n + (ONE - share) * b + 2**14) >> 15
            for share, n, b in zip(shares, new, below, strict=True)
        ]

    def frequencies(self, state: list[int]) -> list[int]:
        logits = [
            int(np.rint(product + np.float32(bias) * np.float32(1024)))
            for product, bias in zip(
                self.products("head", state), self.k["head_bias"], strict=True
            )
        ]
        e = [self.exponentials[min(max(logits) - z, 16 * 1024)] for z in logits]
        row = [z * (TOTAL - self.n) // sum(e) + 1 for z in e]
        row[logits.index(max(logits))] += TOTAL - sum(row)
        return row

    def products(self, name: str, values: list[int]) -> list[Any]:
        """Return float32 sums times their factors, not yet rounded."""
        limit = (TOTAL - 1) // max(sum(map(abs, row)) for row in self.k[name])
        read = min(limit, 4096)
        coarse = [(v * read + 2**14) >> 15 for v in values]
        products = []
        for row, scale in zip(self.k[name], self.k[f"{name}_scale"], strict=True):
            total = dot(row, coarse)
            assert abs(total) < TOTAL  # so that float32 is exact in any order
            factor = np.float32(scale) * (np.float32(1024) / np.float32(read))
            products.append(np.float32(total) * factor)
        return products


def dot(a: list[int], b: list[int]) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True))


def whole(bias: float) -> int:
    return int(np.rint(np.float32(bias) * np.float32(1024)))


def test_the_engine_is_python_integers(fitted: Any):
    sample = UNSEEN[3][:40]
    assert rows_of(fitted, [sample]).tolist() == PythonIntegers(fitted).rows(sample)


def test_the_engine_of_another_kernel_and_few_levels_is_python_integers(
    few_levels: Any,
):
    sample = bytes([3, 1, 6, 0, 0, 2, 5, 6] * 3)
    want = PythonIntegers(few_levels).rows(sample)
    assert rows_of(few_levels, [sample]).tolist() == want


@pytest.mark.parametrize("few", [0, 10_000])
@pytest.mark.parametrize("carrier", [np.float32, np.float64, np.int64])
def test_every_carrier_and_the_compiled_sums_give_the_same_rows(
    fitted: Any, few: int, carrier: Any
):
    symbols = np.frombuffer(b"".join(UNSEEN[:10]), np.uint8)
    table = symbols.reshape(10, -1).T.astype(np.int64)
    table = np.concatenate([np.full((1, 10), START), table[:-1]])
    make = ENGINE.FeedForwardEngine
    engine = make(fitted.architecture, fitted.learned, carrier=carrier, few=few)
    _, rows = engine.advance(engine.repeat(engine.start(), 10), table)
    assert (rows.reshape(-1, 256) == rows_of(fitted, UNSEEN[:10])).all()


@pytest.mark.parametrize("context", [b"", b"de", TEXT[:9_000]])
def test_parallel_rows_are_those_of_steps_for_unequal_lengths(
    fitted: Any, context: bytes
):
    samples = [UNSEEN[0], b"", UNSEEN[1][:70], b"x", *UNSEEN[2:17]]
    stepped = Stepwise.frequencies(fitted, samples, context=context)
    rows = rows_of(fitted, samples, context=context)
    assert (rows == np.concatenate(list(stepped))).all()


@pytest.mark.parametrize("n_batch", [1, 7, 40])
def test_rows_do_not_depend_on_neighbouring_streams(fitted: Any, n_batch: int):
    parts = [
        rows_of(fitted, UNSEEN[:40][i : i + n_batch]).reshape(200, -1, 256)
        for i in range(0, 40, n_batch)
    ]
    want = rows_of(fitted, UNSEEN[:40]).reshape(200, 40, 256)
    assert (np.concatenate(parts, axis=1) == want).all()


def test_a_prediction_depends_on_the_window_and_nothing_before(few_levels: Any):
    text = bytes(byte % 7 for byte in TEXT[61_000:61_100])
    after = rows_of(few_levels, [text[50:]], context=text[:50])
    assert (after == rows_of(few_levels, [text])[50:]).all()
    assert few_levels.window == 16
    window, far = text[34:50], bytes(500) + text[:50]
    for context in (window, far):
        assert (rows_of(few_levels, [text[50:]], context=context) == after).all()
    shorter = rows_of(few_levels, [text[50:]], context=window[1:])
    assert (shorter[0] != after[0]).any()


@given(samples=st.lists(st.binary(max_size=60), max_size=5))
@settings(max_examples=25, deadline=None)
def test_all_bytes_come_back(fitted: Any, samples: list[bytes]):
    code = coding.encode(fitted, samples)
    assert coding.decode(fitted, code, [len(each) for each in samples]) == samples


@given(samples=st.lists(st.binary(max_size=9) | SYMBOLS, max_size=4))
@settings(max_examples=25, deadline=None)
def test_all_bytes_come_back_from_a_small_alphabet(
    few_levels: Any, samples: list[bytes]
):
    code = coding.encode(few_levels, samples)
    assert coding.decode(few_levels, code, [len(each) for each in samples]) == samples


def test_a_byte_outside_the_alphabet_has_no_length_but_can_be_trained_on(
    few_levels: Any,
):
    with pytest.raises(NotApplicableError, match="byte 7, but the alphabet has only 7"):
        few_levels.code_lengths([b"\0\7"])
    assert np.isfinite(
        few_levels.fit([b"\0\7\xff"], seed=0).code_lengths([b"\6"])
    ).all()


def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path: Path):
    model = KIND(size="10k", steps=9)

    def interrupt(step: int, *_: object) -> None:
        if step == 4:
            raise KeyboardInterrupt

    path = tmp_path / "state.npz"
    with pytest.raises(KeyboardInterrupt):
        list(
            model.trained(
                TRAIN, seed=1, watch=Watch(progress=interrupt, checkpoint=path)
            )
        )
    steps: list[int] = []
    watch = Watch(progress=lambda step, *_: steps.append(step), checkpoint=path)
    (resumed,) = model.trained(TRAIN, seed=1, watch=watch)
    assert steps == [5, 6, 7, 8, 9]
    whole_run = model.fit(TRAIN, seed=1)
    for name, array in whole_run.learned.items():
        assert (resumed.learned[name] == array).all(), name


def test_bits_of_real_images_fall_with_steps():
    digits = load_dataset("digits")
    model = KIND(size="10k", levels=digits.levels)
    samples, rungs = digits.test.samples[:100], [0, 20, 60]
    ladder = model.fit_ladder(digits.train.samples[:400], rungs, seed=0)
    bits = [rung.code_lengths(samples).sum() / 6400 for rung in ladder]
    assert bits[0] == pytest.approx(np.log2(17), abs=0.5)
    assert bits[0] > bits[1] > bits[2]
    # Below the entropy of single pixels: it uses what came before.
    counts = np.bincount(np.frombuffer(b"".join(samples), np.uint8))
    shares = counts[counts > 0] / counts.sum()
    assert bits[2] < -(shares * np.log2(shares)).sum() - 0.3


def test_integers_cost_less_than_a_thousandth(trained: tuple[Any, Any]):
    torch = import_module("torch")
    model, network = trained
    symbols = torch.from_numpy(np.frombuffer(b"".join(UNSEEN), np.uint8).copy())
    symbols = symbols.long().view(len(UNSEEN), -1)
    with torch.inference_mode():
        nats = torch.nn.functional.cross_entropy(
            network(symbols).flatten(0, 1), symbols.flatten(), reduction="sum"
        )
    bits = model.code_lengths(UNSEEN).sum()
    assert bits == pytest.approx(float(nats) / np.log(2), rel=1e-3)


@pytest.mark.parametrize(("kernel", "layers"), [(2, 3), (3, 2), (5, 1)])
def test_the_float_network_sees_as_many_bytes_as_kernel_to_the_power_of_layers(
    kernel: int, layers: int
):
    torch = import_module("torch")
    network = KIND(size="10k", kernel=kernel, layers=layers).network()
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data.normal_(generator=generator)
    base = torch.full((1, 20), 101)
    changed = base.repeat(20, 1)
    changed[range(20), range(20)] = 40
    with torch.inference_mode():
        moved = (network(changed) != network(base)).any(-1)
    window = torch.ones(20, 20).triu(1).tril(kernel**layers).bool()
    assert (moved == window).all()


def test_hidden_states_are_what_the_next_byte_is_predicted_from(fitted: Any):
    torch = import_module("torch")
    states = fitted.hidden_states(UNSEEN[:5])
    shapes = {name: layer.shape for name, layer in states.items()}
    assert shapes == {f"layer{i}": (5, 200, 16) for i in range(1, 5)}
    network = fitted.restore(fitted.learned)
    symbols = torch.from_numpy(np.frombuffer(b"".join(UNSEEN[:5]), np.uint8).copy())
    with torch.inference_mode():
        logits = network(symbols.long().view(5, 200))[:, 1:]
        by_states = torch.from_numpy(states["layer4"]) @ network.head.T
        by_states += network.head_bias
    assert torch.allclose(logits, by_states[:, :-1], atol=1e-4)


def test_conversion_of_the_restored_network_changes_no_integer(fitted: Any):
    same = fitted.restore(fitted.learned).requires_grad_(requires_grad=False)
    learned = fitted.convert(same, None, None)
    for name in fitted.architecture.matrices:
        assert (learned[name] == fitted.learned[name]).all(), name


def test_learning_rate_and_weight_decay_are_those_of_the_recipe_unless_given():
    recipe = KIND.recipe
    plain, same, faster, decayed = (
        KIND(size="10k", steps=4, **values).fit(TRAIN[:50], seed=0).learned["head"]
        for values in (
            {},
            {
                "learning_rate": recipe.learning_rate,
                "weight_decay": recipe.weight_decay,
            },
            {"learning_rate": 5 * recipe.learning_rate},
            {"weight_decay": 1000 * recipe.weight_decay},
        )
    )
    assert (plain == same).all()
    assert (plain != faster).any()
    assert (plain != decayed).any()


def test_every_corner_of_the_configuration_ranges_is_legal():
    ranges = KIND.configuration_ranges
    for corner in itertools.product(*ranges.values()):
        model = KIND(**dict(zip(ranges, corner, strict=True)))
        assert model.network().architecture.reach == model.kernel**model.layers


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kernel": 1}, "kernel is 1, layers is 4; give a kernel of 2 or more"),
        ({"layers": 0}, "kernel is 3, layers is 0; give a kernel of 2 or more"),
        ({"kernel": 4, "layers": 5}, "kernel [*][*] layers of at most 256"),
        ({"levels": 257}, "levels is 257; bytes have 1 to 256"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; give a number above 0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0; give 0 or more"),
    ],
)
def test_illegal_fields_are_refused(values: dict[str, Any], message: str):
    with pytest.raises(SpecError, match=message):
        KIND(**values)


def test_it_keeps_the_promises_of_every_compressor():
    # `bitprobe check` runs all of them.
    only = ("declarations", "round_trip_fitted", "round_trip_context", "no_look_ahead")
    only += ("legal_frequencies", "parallel_is_stepwise", "hidden_states", "window")
    check_all(KIND(size="10k", steps=5), only=only, long_bytes=1 << 12)


@pytest.mark.slow
def test_it_keeps_all_promises():
    check_all(KIND(size="10k", steps=5), long_bytes=1 << 12)
