"""What the transformers compute and see, learn and forget."""

import importlib
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from harness import NotApplicableError, SpecError
from harness.contract import coding
from harness.contract.registry import load_plugin
from harness.folders import builtin_folder

SIDE, LEVELS = 6, 5
N_PIXELS = SIDE * SIDE


def kind(name):
    (entry,) = load_plugin(builtin_folder("plugins") / name)
    assert entry.kind is not None, entry.unavailable
    return entry.kind


PIXEL, BYTE = kind("pixel_transformer"), kind("byte_transformer")
PACKAGE = PIXEL.__module__.split(".", maxsplit=1)[0]


def part(name):
    return importlib.import_module(f"{PACKAGE}.{name}")


@cache
def images(n=200):
    """Smooth blobs: rows that repeat with noise, so that there is something to learn."""
    rng = np.random.Generator(np.random.Philox(key=7))
    y, x = np.mgrid[:SIDE, :SIDE]
    found = []
    for cy, cx in rng.uniform(0, SIDE, (n, 2)):
        bump = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 4) * LEVELS
        noisy = np.clip(bump + rng.normal(0, 0.3, bump.shape), 0, LEVELS - 1)
        found.append(noisy.astype(np.uint8).tobytes())
    return found


@cache
def pixel(steps=60, **fields):
    model = PIXEL(size="10k", steps=steps, shape=(SIDE, SIDE), levels=LEVELS, **fields)
    return model.fit(images(), seed=1)


@cache
def byte():
    words = [b"the cat sat on the mat. ", b"a dog ran to the cat. "]
    rng = np.random.Generator(np.random.Philox(key=8))
    text = b"".join(words[i] for i in rng.integers(0, 2, 60))
    return BYTE(size="10k", steps=20, attention=9).fit([text], seed=1)


def rows_of(model, samples, context=b""):
    return np.concatenate(list(model.frequencies(samples, context=context)))


def by_sample(model, samples):
    """Return rows of equally long samples, (n, T, V)."""
    rows = rows_of(model, samples)
    return rows.reshape(-1, len(samples), rows.shape[1]).swapaxes(0, 1)


def float_bits(network, samples):
    import torch

    symbols = torch.from_numpy(np.stack([np.frombuffer(s, np.uint8) for s in samples]))
    with torch.no_grad():
        nats = torch.nn.functional.cross_entropy(
            network(symbols.long()).flatten(0, 1), symbols.long().flatten()
        )
    return float(nats) * symbols.numel() / np.log(2)


def test_the_integers_cost_less_than_a_thousandth_over_the_float_network(monkeypatch):
    seen = {}

    def spy(self, network, symbols, real):
        seen["bits"] = float_bits(network, images())
        return original(self, network, symbols, real)

    original = PIXEL.convert
    monkeypatch.setattr(PIXEL, "convert", spy)
    model = PIXEL(size="10k", steps=30, shape=(SIDE, SIDE), levels=LEVELS)
    fitted = model.fit(images(), seed=2)
    assert fitted.code_lengths(images()).sum() == pytest.approx(seen["bits"], rel=1e-3)


def test_training_beats_the_order_0_entropy():
    counts = np.bincount(np.frombuffer(b"".join(images()), np.uint8))
    entropy = stats.entropy(counts, base=2) * N_PIXELS * len(images())
    assert pixel().code_lengths(images()).sum() < 0.8 * entropy


def test_the_restored_float_network_says_what_the_integers_say():
    model = pixel()
    bits = float_bits(model.restore(model.learned), images())
    assert bits == pytest.approx(model.code_lengths(images()).sum(), rel=2e-3)


def test_fitting_again_learns_the_class_from_what_was_known():
    model = replace(pixel(), adapt_steps=20)
    some = [image for image in images() if image[0] == 0][:20]
    adapted = model.fit(some, seed=3)
    scratch = replace(model, learned=None, steps=20).fit(some, seed=3)
    assert adapted.code_lengths(some).sum() < model.code_lengths(some).sum()
    assert adapted.code_lengths(some).sum() < scratch.code_lengths(some).sum()


def test_a_rung_of_the_ladder_is_what_a_fit_of_its_own_gives():
    model = PIXEL(size="10k", shape=(SIDE, SIDE), levels=LEVELS)
    rungs = list(model.fit_ladder(images(), [0, 4, 8], seed=4))
    own = replace(model, steps=4).fit(images(), seed=4)
    assert [rung.steps for rung in rungs] == [0, 4, 8]
    for name, array in own.learned.items():
        np.testing.assert_array_equal(array, rungs[1].learned[name])


def test_what_is_learned_is_integers_and_single_precision_scales():
    kinds = {
        array.dtype.kind + str(array.dtype.itemsize)
        for array in pixel().learned.values()
    }
    assert kinds <= {"i1", "i4", "f4"}


@pytest.mark.parametrize("model", [pixel, byte])
def test_a_coded_file_decodes_whatever_the_lengths(model):
    samples = [
        image[:n] for image, n in zip(images(), [36, 1, 0, 35, 36, 20], strict=False)
    ]
    samples += [images()[0] + images()[1] + images()[2][:5]]
    code = coding.encode(model(), samples)
    assert coding.decode(model(), code, [len(s) for s in samples]) == samples


def test_a_coded_file_is_the_code_length_and_a_head_of_a_few_bytes():
    bits = 8 * len(coding.encode(pixel(), images()))
    assert 0 <= bits - pixel().code_lengths(images()).sum() <= 8 * 32


def test_after_a_whole_image_the_next_starts_anew():
    first, second = images()[:2]
    joined = rows_of(pixel(), [first + second])
    np.testing.assert_array_equal(joined[N_PIXELS:], rows_of(pixel(), [second]))


@pytest.mark.parametrize("context", [1, 2, 5, 12, None])
def test_a_prediction_sees_the_last_pixels_of_its_context_and_no_others(context):
    model = pixel(steps=3, context=context)
    at = 30
    sees = N_PIXELS if context is None else context
    for back in {1, sees, sees + 1} & set(range(1, at + 1)):
        image = images()[0]
        changed = bytearray(image)
        changed[at - back] = (changed[at - back] + 2) % LEVELS
        rows = by_sample(model, [image, bytes(changed)])
        assert (rows[0, at] != rows[1, at]).any() == (back <= sees)


def test_a_byte_sees_its_receptive_field_and_no_further():
    model = byte()
    field = model.architecture.receptive_field
    text = b"the cat sat on the mat. a dog ran to the cat. "
    assert field == 1 + 2 * 9
    for back in (field, field + 1):
        changed = bytearray(text)
        changed[len(text) - 1 - back] ^= 64
        rows = by_sample(model, [text, bytes(changed)])
        assert (rows[0, -1] != rows[1, -1]).any() == (back <= field)


@pytest.mark.parametrize("model", [pixel, byte])
def test_a_context_is_what_a_stream_has_already_read(model):
    whole = images()[0][:20]
    after = rows_of(model(), [whole[8:]], context=whole[:8])
    np.testing.assert_array_equal(after, rows_of(model(), [whole])[8:])


def test_a_text_far_longer_than_its_window_is_stepped_as_it_is_read():
    text = b"the cat ran to the dog. " * 30
    model = byte()
    stepped = np.concatenate(list(super(BYTE, model).frequencies([text])))
    state, rows, last = model.start(1), [], np.array([-1])
    for symbol in text:
        state, row = model.step(state, last)
        rows.append(row)
        last = np.array([symbol])
    np.testing.assert_array_equal(stepped, np.concatenate(rows))


def test_the_float_network_attends_as_far_as_the_integers():
    import torch

    network = pixel(steps=3, context=5).restore(pixel(steps=3, context=5).learned)
    symbols = torch.from_numpy(np.frombuffer(images()[0], np.uint8).astype(np.int64))
    for back in (5, 6):
        changed = symbols.clone()
        changed[30 - back] = (changed[30 - back] + 2) % LEVELS
        with torch.no_grad():
            one, other = network(torch.stack([symbols, changed]))
        assert torch.equal(one[30], other[30]) == (back == 6)


def test_a_shuffled_model_codes_images_as_a_raster_model_codes_shuffled_images():
    shuffled = pixel(steps=5, shuffle_seed=3)
    arranged = shuffled.arrange(images())
    raster = replace(shuffled, shuffle_seed=None, learned=None).fit(arranged, seed=1)
    assert arranged != images()
    assert shuffled.rearrange(arranged) == images()
    np.testing.assert_array_equal(
        shuffled.code_lengths(images()[:9]), raster.code_lengths(arranged[:9])
    )


def test_a_shuffled_model_codes_in_its_own_order_and_gives_the_raster_back():
    shuffled, some = pixel(steps=5, shuffle_seed=3), images()[:50]
    code = coding.encode(shuffled, some)
    assert coding.decode(shuffled, code, [len(one) for one in some]) == some
    assert 8 * len(code) == pytest.approx(shuffled.code_lengths(some).sum(), abs=400)


def test_hidden_states_of_shuffled_pixels_lie_at_their_original_places():
    shuffled = pixel(steps=5, shuffle_seed=3)
    raster = replace(shuffled, shuffle_seed=None)
    # The place of pixel p in the order of coding, found by marking it.
    places = [
        shuffled.arrange([bytes(p) + b"\1" + bytes(N_PIXELS - 1 - p)])[0].index(1)
        for p in range(N_PIXELS)
    ]
    want = raster.hidden_states(shuffled.arrange(images()[:3]))
    for name, states in shuffled.hidden_states(images()[:3]).items():
        np.testing.assert_array_equal(states, want[name][:, places])


def test_shuffled_pixels_cannot_be_completed_from_a_prefix():
    with pytest.raises(NotApplicableError, match="shuffle"):
        pixel(steps=5, shuffle_seed=3).sample(
            [images()[0][:9]], 36, np.random.default_rng(0)
        )


def test_hidden_states_name_every_layer_and_know_the_past_only():
    model = pixel()
    image = images()[0]
    changed = image[:20] + bytes(LEVELS - 1 - p for p in image[20:])
    found = model.hidden_states([image, changed])
    assert list(found) == ["layer0", "layer1", "norm"]
    for states in found.values():
        assert states.shape == (2, N_PIXELS, 20)
        np.testing.assert_allclose(states[0, :20], states[1, :20], atol=1e-5)
        assert np.abs(states[0, 20] - states[1, 20]).max() > 1e-3


@pytest.mark.parametrize("attention", [9, 400])
def test_long_samples_are_read_in_blocks_as_if_by_one_mask(monkeypatch, attention):
    rng = np.random.default_rng(2)
    samples = [rng.integers(0, 256, n, np.uint8).tobytes() for n in (900, 128, 129, 3)]
    model = BYTE(size="10k", steps=2, attention=attention).fit(samples, seed=1)
    in_blocks = model.hidden_states(samples)
    monkeypatch.setattr(part("_transformer.network"), "MIN_BLOCK", 10_000)
    for name, states in model.hidden_states(samples).items():
        for row, (sample, want) in enumerate(zip(samples, states, strict=True)):
            n = len(sample)
            np.testing.assert_allclose(in_blocks[name][row, :n], want[:n], atol=2e-5)


def test_samples_continue_their_prefix_and_follow_the_frequencies():
    model, prefix = pixel(), images()[0][:10]
    drawn = model.sample([prefix] * 3000, 11, np.random.default_rng(5))
    assert all(one[:10] == prefix for one in drawn)
    counts = np.bincount([one[10] for one in drawn], minlength=LEVELS)
    expected = rows_of(model, [prefix + b"\0"])[-1] / 2**24 * 3000
    likely = expected > 5
    spread = ((counts - expected)[likely] ** 2 / expected[likely]).sum()
    assert spread < stats.chi2.ppf(1 - 1e-6, likely.sum())
    assert len(set(drawn)) > 1


def test_no_random_state_of_torch_or_numpy_is_touched():
    import torch

    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002  (the state in question)
    PIXEL(size="10k", steps=1, shape=(SIDE, SIDE), levels=LEVELS).fit(images(), seed=6)
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002  (likewise)


@pytest.mark.parametrize("size", ["10k", "50k", "200k", "1m", "5m", "20m"])
def test_a_size_is_the_number_of_weights_in_the_blocks(size):
    import torch

    with torch.device("meta"):
        network = PIXEL(size=size, shape=(8, 8), levels=17).network()
    n_weights = sum(p.numel() for p in network.blocks.parameters())
    nominal = float(size.removesuffix("k").removesuffix("m")) * (
        1e3 if "k" in size else 1e6
    )
    assert n_weights == pytest.approx(nominal, rel=0.1)


def test_a_model_that_a_gpu_trained_codes_on_this_machine_too():
    trained = replace(pixel(), device="cuda")
    code = coding.encode(pixel(), images()[:3])
    assert coding.decode(trained, code, [N_PIXELS] * 3) == images()[:3]


def test_contexts_and_windows_out_of_range_are_refused():
    with pytest.raises(SpecError, match="context is 0"):
        PIXEL(context=0)
    with pytest.raises(SpecError, match="attention is 0"):
        BYTE(attention=0)


def test_a_plugin_is_listed_without_torch():
    script = (
        "import sys; from harness.contract.registry import *; "
        "from harness.folders import builtin_folder; "
        "names = ['pixel_transformer', 'byte_transformer']; "
        "[load_plugin(builtin_folder('plugins') / name) for name in names]; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
