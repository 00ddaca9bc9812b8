"""What changes one network and leaves all else as it was: data, targets, a mixture."""

from dataclasses import replace
from fractions import Fraction
from functools import cache
from importlib import import_module

import numpy as np
import pytest

from harness import SpecError
from harness.conformance import check_all
from harness.contract import coding
from harness.contract.compressor import spec_of
from harness.contract.registry import load_plugin, load_registry
from harness.folders import builtin_folder
from harness.planning.plan import Selection, plan
from harness.planning.suite import Suite

SIDE, LEVELS = 6, 5
N_PIXELS = SIDE * SIDE
KINDS = {
    name: load_plugin(builtin_folder("plugins") / name)[0].kind
    for name in ("pixel_transformer", "pixel_mlp", "pixel_mixture")
}
PACKAGE = KINDS["pixel_mlp"].__module__.partition(".")[0]
EACH = pytest.mark.parametrize("name", list(KINDS))


def part(name):
    return import_module(f"{PACKAGE}.{name}")


def made(name, **fields):
    given = {"size": "10k", "steps": 12, "shape": (SIDE, SIDE), "levels": LEVELS}
    return KINDS[name](**(given | fields))


@cache
def images(n=80, seed=0):
    """Images whose rows repeat with a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.tile(rng.integers(0, LEVELS, (n, 1, SIDE)), (1, SIDE, 1))
    noise = rng.integers(0, LEVELS, rows.shape)
    noisy = np.where(rng.random(rows.shape) < 0.1, noise, rows)
    return [image.astype(np.uint8).tobytes() for image in noisy]


@cache
def fitted(name, **fields):
    return made(name, **fields).fit(images(), seed=1)


def same_arrays(a, b):
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and np.array_equal(a[name], b[name])
        for name in a
    )


def bits_per_pixel(model):
    return float(model.code_lengths(images(40, seed=9)).sum()) / (40 * N_PIXELS)


@EACH
@pytest.mark.parametrize(
    "change", [{"n_samples": 80}, {"n_samples": 1000}, {"random_targets": 1e-9}]
)
def test_a_change_that_changes_nothing_trains_the_same_bytes(name, change):
    found = made(name, **change).fit(images(), seed=1)
    assert same_arrays(found.learned, fitted(name).learned)


@EACH
def test_n_samples_trains_on_the_first_samples_and_no_others(name):
    cut = made(name, n_samples=20).fit(images(), seed=1)
    alone = made(name).fit(images()[:20], seed=1)
    assert same_arrays(cut.learned, alone.learned)
    assert not same_arrays(cut.learned, fitted(name).learned)


def targets_of(fraction, seed=1):
    model = made("pixel_transformer", random_targets=fraction)
    return model.windows(images(), seed=seed)


@pytest.mark.parametrize("fraction", [0.25, 0.5, 1.0])
def test_a_fraction_of_targets_is_drawn_uniformly_and_inputs_stay(fraction):
    found = targets_of(fraction)
    plain = np.frombuffer(b"".join(images()), np.uint8).reshape(-1, N_PIXELS)
    assert np.array_equal(found.symbols, plain)
    changed = found.targets != plain
    n, p = plain.size, fraction * (LEVELS - 1) / LEVELS
    assert abs(changed.mean() - p) < 4 * (p * (1 - p) / n) ** 0.5
    # A changed target is any of the four other levels alike.
    steps = (found.targets.astype(int) - plain)[changed] % LEVELS
    counts = np.bincount(steps, minlength=LEVELS)[1:]
    expected = len(steps) / (LEVELS - 1)
    assert ((counts - expected) ** 2 / expected).sum() < 16.3  # chi2(3), p = .001


def test_random_targets_are_fixed_by_the_seed():
    once, again, other = (targets_of(0.5, seed=seed).targets for seed in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


@pytest.mark.parametrize("name", ["pixel_transformer", "pixel_mlp"])
def test_the_more_targets_are_random_the_longer_the_code_up_to_uniform(name):
    bits = [
        bits_per_pixel(made(name, steps=80, random_targets=q).fit(images(), seed=1))
        for q in (0.0, 0.5, 1.0)
    ]
    assert bits[0] < bits[1] - 0.2
    assert bits[1] < bits[2] - 0.2
    assert bits[2] == pytest.approx(np.log2(LEVELS), abs=0.15)


@EACH
@pytest.mark.parametrize(
    "values", [{"n_samples": 0}, {"random_targets": -0.1}, {"random_targets": 1.01}]
)
def test_illegal_interventions_are_refused(name, values):
    with pytest.raises(SpecError, match=next(iter(values))):
        made(name, **values)


def keys_of(specs):
    suite = Suite.model_validate(
        {
            "name": "s",
            "title": "s",
            "compressors": specs,
            "datasets": [{"name": "digits", "train": 50, "test": 20}],
            "tasks": [{"name": "layer_probe"}],
        }
    )
    jobs = plan(suite, load_registry(), Selection()).jobs
    return {job.subject.spec: job.key for job in jobs if job.task == "layer_probe"}


def test_interventions_are_part_of_spec_and_key():
    specs = [
        "pixel_mlp",
        "pixel_mlp(n_samples=50)",
        "pixel_mlp(random_targets=0.25)",
        "pixel_mlp(random_targets=0.5)",
    ]
    found = keys_of(specs)
    assert list(found) == specs
    assert len(set(found.values())) == len(specs)
    parsed = load_registry().parse("pixel_mlp(random_targets=1)")
    assert spec_of(parsed) == "pixel_mlp(random_targets=1.0)"


@pytest.mark.parametrize(
    ("variable", "field", "want"),
    [
        (None, "auto", "cpu"),
        ("cpu", "auto", "cpu"),
        ("cuda", "auto", "cuda"),
        ("cpu", "cuda", "cuda"),
        ("cuda", "cpu", "cpu"),
    ],
)
def test_a_model_trains_where_its_field_says_or_else_the_run(
    monkeypatch, variable, field, want
):
    monkeypatch.delenv("BITPROBE_DEVICE", raising=False)
    if variable:
        monkeypatch.setenv("BITPROBE_DEVICE", variable)
    assert part("_torch.training").device_for(field) == want


@pytest.mark.parametrize("is_there", [True, False])
def test_an_automatic_run_takes_a_gpu_where_there_is_one(monkeypatch, is_there):
    monkeypatch.setenv("BITPROBE_DEVICE", "auto")
    monkeypatch.setattr("torch.cuda.is_available", lambda: is_there)
    want = "cuda" if is_there else "cpu"
    assert part("_torch.training").device_for("auto") == want


def test_where_a_run_trains_is_not_part_of_the_key(monkeypatch):
    keys = []
    for device in ("auto", "cpu", "cuda"):
        monkeypatch.setenv("BITPROBE_DEVICE", device)
        keys.append(keys_of(["pixel_mlp"]))
    assert keys[0] == keys[1] == keys[2]


def test_a_mixture_has_the_network_of_the_transformer():
    network = {
        name: array
        for name, array in fitted("pixel_mixture").learned.items()
        if name not in ("counts", "first")
    }
    transformer = fitted("pixel_transformer")
    assert same_arrays(network, transformer.learned)
    states = fitted("pixel_mixture").hidden_states(images()[:9])
    assert same_arrays(states, transformer.hidden_states(images()[:9]))


def test_a_mixture_codes_shorter_than_a_network_that_was_hardly_trained():
    mixed, alone = fitted("pixel_mixture"), fitted("pixel_transformer")
    assert bits_per_pixel(mixed) < bits_per_pixel(alone) - 0.2


def neighbourhood(image, position):
    """Return place and three neighbours of a pixel in thirds of the levels."""
    row, column = divmod(position, SIDE)

    def third(y, x):
        inside = y >= 0 and 0 <= x < SIDE
        return image[y * SIDE + x] * 3 // LEVELS if inside else 0

    return (
        position,
        third(row, column - 1),
        third(row - 1, column),
        third(row - 1, column + 1),
    )


def test_counts_are_those_of_the_pixels_one_by_one():
    want = {}
    for image in images():
        for position, level in enumerate(image):
            at = (*neighbourhood(image, position), level)
            want[at] = want.get(at, 0) + 1
    counts = fitted("pixel_mixture").learned["counts"]
    by_context = counts.reshape(N_PIXELS, 3, 3, 3, LEVELS)
    found = {
        tuple(int(i) for i in at): int(by_context[tuple(at)])
        for at in np.argwhere(by_context)
    }
    assert found == want


def test_a_mixture_is_the_posterior_one_of_two_predictors():
    mixed, transformer = fitted("pixel_mixture"), fitted("pixel_transformer")
    counts = mixed.learned["counts"].astype(int).reshape(N_PIXELS, 27, LEVELS)
    by_place = counts.sum(axis=1)
    image = images(1, seed=5)[0]
    network = np.concatenate(list(transformer.frequencies([image]))) / 2**24
    first = weight = Fraction(int(mixed.learned["first"][0]), 2**16)
    want = []
    for position, level in enumerate(image):
        _, left, above, right = neighbourhood(image, position)
        prior = (by_place[position] + 1) / (by_place[position] + 1).sum()
        given = counts[position, left * 9 + above * 3 + right] + 8 * prior
        of_counts = given / given.sum()
        want.append(float(weight) * network[position] + float(1 - weight) * of_counts)
        share = float(weight) * network[position, level] / want[-1][level]
        weight = Fraction(share) + (first - Fraction(share)) / 8
    found = np.concatenate(list(mixed.frequencies([image]))) / 2**24
    assert np.abs(found - np.array(want)).max() < 2e-3


def test_a_mixture_gives_back_what_it_coded_also_beyond_one_image():
    model = fitted("pixel_mixture")
    samples = [
        *images(5, seed=4),
        b"".join(images(2, seed=6)) + b"\1\2",
        b"",
        b"\0\4\3",
        b"\xff outside",
    ]
    code = coding.encode(model, samples)
    assert coding.decode(model, code, [len(one) for one in samples]) == samples


OF_MIXTURES = (
    *("declarations", "round_trip_fitted", "stored_block", "fit_reproducible"),
    *("fit_returns_copy", "near_ideal_length", "legal_frequencies"),
    *("parallel_is_stepwise", "no_look_ahead", "hidden_states", "samples_continue"),
    *("fresh_process", "determinism_class"),
)


@pytest.mark.parametrize(
    "only", [OF_MIXTURES, pytest.param((), marks=pytest.mark.slow)]
)
def test_a_mixture_of_small_images_keeps_what_a_compressor_promises(only):
    check_all(made("pixel_mixture"), only=only, long_bytes=2000)


def test_a_mixture_that_is_fitted_again_counts_on():
    both = replace(fitted("pixel_mixture"), adapt_steps=0).fit(images(30, 7), seed=1)
    total = both.learned["counts"].sum()
    assert total == (80 + 30) * N_PIXELS
