"""The base of the neural plugins: tables, exact sums, training, checkpoints."""

import hashlib
import math
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import SpecError, Watch
from harness.contract.registry import load_plugin

PLUGINS = Path(__file__).parents[2] / "plugins"
TOTAL = 1 << 24
KIND: Any = load_plugin(PLUGINS / "pixel_mlp")[0].kind
BASE = KIND.__module__.split(".")[0] + "._torch"


def base(name: str) -> ModuleType:
    return import_module(f"{BASE}.{name}")


def images(n: int, *, seed: int = 0) -> list[bytes]:
    """Return 6x6 images of 5 levels whose rows repeat with a little noise."""
    rng = np.random.default_rng(seed)
    rows = np.tile(rng.integers(0, 5, (n, 1, 6)), (1, 6, 1))
    noisy = np.where(rng.random(rows.shape) < 0.1, rng.integers(0, 5, rows.shape), rows)
    return [image.astype(np.uint8).tobytes() for image in noisy]


def small(**values: Any) -> Any:
    given = {"size": "10k", "radius": 2, "shape": (6, 6), "levels": 5, "steps": 40}
    return KIND(**(given | values))


def test_listing_a_neural_plugin_imports_no_torch():
    code = (
        "import sys; from pathlib import Path; from harness.contract.registry import load_plugin;"
        f"load_plugin(Path({str(PLUGINS / 'pixel_mlp')!r}));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_integer_tables_are_the_functions_rounded():
    tables = base("tables")
    i = np.arange(-4000, 4001)
    x = i / 500
    gelu = [t * (1 + math.erf(t / math.sqrt(2))) / 2 for t in x]
    whole = {"units": 500, "last": 4000, "top": 1 << 20}
    for table, want in (
        (tables.exp_table(**whole), np.exp(-x[4000:])),
        (tables.sigmoid_table(**whole), 1 / (1 + np.exp(-x))),
        (tables.tanh_table(**whole), np.tanh(x)),
        (tables.gelu_table(**whole), np.array(gelu)),
    ):
        assert np.abs(table - want * 2**20).max() <= 0.5 + 1e-6


@given(
    rows=st.lists(
        st.lists(st.integers(-30_000, 30_000), min_size=7, max_size=7), min_size=1
    )
)
@settings(max_examples=50, deadline=None)
def test_frequencies_are_those_of_whole_number_division(rows: list[list[int]]):
    table = [round(2**22 * math.exp(-d / 1024)) for d in range(16 * 1024 + 1)]
    want = []
    for row in rows:
        e = [table[min(max(row) - logit, 16 * 1024)] for logit in row]
        given_ = [one * (TOTAL - 7) // sum(e) + 1 for one in e]
        given_[row.index(max(row))] += TOTAL - sum(given_)
        want.append(given_)
    logits = np.array(rows, np.float32)
    got = np.empty(logits.shape, np.int64)
    exponentials = base("tables").logit_table().astype(np.float64)
    base("compiled").fill_frequencies(got, logits, exponentials)
    torch = import_module("torch")
    by_torch = base("exact").frequencies(torch.from_numpy(logits)).numpy()
    assert got.tolist() == want
    assert by_torch.tolist() == want


def sums_in_two_orders(integers: np.ndarray, limit: int) -> tuple[list, list]:
    """Return float32 sums of the worst activations, largest terms first and last."""
    found = []
    for reverse in (False, True):
        sums = []
        for row in integers:
            terms = np.sort(np.abs(row).astype(np.float32) * np.float32(limit))
            total = np.float32(0)
            for term in terms[::-1] if reverse else terms:
                total = np.float32(total + term)
            sums.append(int(total))
        found.append(sums)
    return found[0], found[1]


def test_sums_within_the_activation_limit_are_exact_in_any_order():
    weights = np.random.default_rng(0).normal(size=(20, 300))
    quantised = base("quantise").quantise_rows(weights)
    up, down = sums_in_two_orders(quantised.integers, quantised.limit)
    exact = np.abs(quantised.integers.astype(np.int64)).sum(axis=1) * quantised.limit
    assert up == down == exact.tolist()
    assert exact.max() < TOTAL


def test_a_loosened_limit_breaks_exact_sums():
    weights = np.random.default_rng(0).normal(size=(20, 300))
    quantised = base("quantise").quantise_rows(weights)
    up, down = sums_in_two_orders(quantised.integers, 8 * quantised.limit + 1)
    assert up != down


def test_quantised_rows_are_within_half_a_unit_of_the_weights():
    weights = np.random.default_rng(1).normal(size=(9, 50))
    weights[3] = 0
    for bits in (4, 8, 12):
        found = base("quantise").quantise_rows(weights, bits=bits)
        error = np.abs(weights - found.integers * found.scales[:, None])
        assert (error <= found.scales[:, None] * 0.5000001).all()
        assert np.abs(found.integers).max() == 2 ** (bits - 1) - 1


def test_layer_norm_is_that_of_whole_numbers():
    torch = import_module("torch")
    values = np.random.default_rng(2).integers(-9000, 9000, (50, 64))
    got = base("exact").layer_norm(
        torch.from_numpy(values.astype(np.float32)), 16 * 700 * 8.0, 300.0, 2000.0
    )
    for row, normed in zip(values.tolist(), got.tolist(), strict=True):
        mean = round(sum(row) / 64)
        root = math.isqrt(256 * sum((v - mean) ** 2 for v in row) + 300)
        factor = np.float32(16 * 700 * 8 / root)
        want = [int(np.rint(np.float32(v - mean) * factor)) for v in row]
        assert normed == [min(max(v, -2000), 2000) for v in want]


def test_initial_weights_are_those_of_philox_integers():
    network = small().network()
    base("network").initialise(network, seed=7)
    key = np.random.SeedSequence([7, 0]).generate_state(2, np.uint64)
    rng = np.random.Generator(np.random.Philox(key=key))
    first = rng.integers(-(2**20), 2**20 + 1, (6, 4)) / 2**20
    name, weights = next(iter(network.named_parameters()))
    assert name == "embedding"
    assert np.allclose(weights.detach().numpy(), first * math.sqrt(3) * 0.1, atol=1e-7)


def digest(learned: Any) -> str:
    joined = b"".join(learned[name].tobytes() for name in sorted(learned))
    return hashlib.sha256(joined).hexdigest()


def test_a_rung_of_a_ladder_does_not_depend_on_the_others():
    corpus = images(60)
    ladder = list(small().fit_ladder(corpus, [5, 20, 40], seed=1))
    alone = small(steps=20).fit(corpus, seed=1)
    assert [one.steps for one in ladder] == [5, 20, 40]
    assert digest(ladder[1].learned) == digest(alone.learned)
    assert digest(ladder[2].learned) != digest(alone.learned)


def test_training_on_from_a_checkpoint_is_training_without_a_break(tmp_path: Path):
    watch = Watch(checkpoint=tmp_path / "state.npz", every_seconds=0)
    corpus, model = images(60), small()
    (whole,) = model.train(corpus, [30], seed=1)
    (_,) = model.train(corpus, [20], seed=1, watch=watch)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]
    steps: list[int] = []
    go_on = Watch(
        checkpoint=watch.checkpoint, progress=lambda step, _, __: steps.append(step)
    )
    (resumed,) = model.train(corpus, [30], seed=1, watch=go_on)
    assert steps == list(range(21, 31))
    assert digest(resumed) == digest(whole)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path):
    watch = Watch(checkpoint=tmp_path / "state.npz")
    list(small().train(images(60), [5], seed=1, watch=watch))
    with pytest.raises(SpecError, match="another run"):
        list(small().train(images(60), [9], seed=2, watch=watch))


def test_progress_is_told_bits_that_fall():
    told: list[tuple[int, int, float]] = []
    watch = Watch(progress=lambda *now: told.append(now))
    list(small().train(images(60), [60], seed=0, watch=watch))
    assert [now[:2] for now in told] == [(i, 60) for i in range(1, 61)]
    assert told[0][2] == pytest.approx(math.log2(5), abs=0.5)
    assert told[-1][2] < told[0][2] - 0.3


def steps_told(model: Any) -> list[int]:
    """Return the steps that a fit takes."""
    steps: list[int] = []
    watch = Watch(progress=lambda step, _, __: steps.append(step))
    list(model.trained(images(60), seed=1, watch=watch))
    return steps


def test_passes_are_steps_that_read_so_many_times_the_windows():
    # 60 windows, 64 in a step: 2.5 passes are 150 windows, 3.2 are 192, three steps both.
    assert KIND.recipe.batch == 64
    for passes in (2.5, 3.2):
        model = small(steps=KIND.steps, passes=passes)
        assert steps_told(model) == [1, 2, 3]
    fitted, by_steps = (one.fit(images(60), seed=1) for one in (model, small(steps=3)))
    assert digest(fitted.learned) == digest(by_steps.learned)


def test_seconds_are_as_many_steps_as_learned_says():
    fitted = small(steps=KIND.steps, seconds=0.1).fit(images(60), seed=1)
    learned = dict(fitted.learned)
    (steps_taken,) = learned.pop("steps_taken").tolist()
    assert steps_taken >= 1
    assert digest(learned) == digest(
        small(steps=steps_taken).fit(images(60), seed=1).learned
    )
    assert np.isfinite(fitted.code_lengths(images(2))).all()


def test_training_ends_at_the_first_step_past_its_seconds(
    monkeypatch: pytest.MonkeyPatch,
):
    ticks = iter(range(1000))  # a step starts at an even second and takes one
    monkeypatch.setattr(base("training").time, "process_time", lambda: next(ticks))
    assert steps_told(small(steps=KIND.steps, seconds=2.5)) == [1, 2, 3]


def test_an_interruption_gives_no_more_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ticks = iter(range(1000))
    monkeypatch.setattr(base("training").time, "process_time", lambda: next(ticks))
    model = small(steps=KIND.steps, seconds=5)
    steps: list[int] = []

    def interrupt(step: int, *_: object) -> None:
        steps.append(step)
        if step == 2:
            raise KeyboardInterrupt

    watch = Watch(progress=interrupt, checkpoint=tmp_path / "state.npz")
    with pytest.raises(KeyboardInterrupt):
        list(model.trained(images(60), seed=1, watch=watch))
    list(model.trained(images(60), seed=1, watch=watch))
    assert steps == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("other", [{"passes": 1.0}, {"seconds": 0.01}])
def test_passes_and_seconds_are_of_the_first_fit_and_give_way_to_a_budget(other):
    model = small(steps=KIND.steps, adapt_steps=2, **other)
    assert steps_told(model.fit(images(60), seed=0)) == [1, 2]
    assert steps_told(model.budgeted(4)) == [1, 2, 3, 4]
    with pytest.raises(SpecError, match="no ladder"):
        list(model.fit_ladder(images(60), [1, 2], seed=0))
    (rung,) = model.fit_ladder(images(60), [model.steps], seed=0)  # as a run asks
    assert rung == model


def test_a_fitted_model_adapts_to_what_it_is_fitted_on_next():
    fitted = small(adapt_steps=60).fit(images(60), seed=0)
    other = [bytes(4 - symbol for symbol in b"\0\1\2\3\4\0") * 6] * 20
    adapted = fitted.fit(other, seed=0)
    assert adapted.steps == fitted.steps
    before, after = (one.code_lengths(other[:1])[0] for one in (fitted, adapted))
    assert after < 0.7 * before


def test_training_restores_the_number_of_threads():
    torch = import_module("torch")
    before = torch.get_num_threads()
    small(steps=2).fit(images(10), seed=0)
    assert torch.get_num_threads() == before


def test_an_empty_corpus_gives_a_model_that_codes():
    fitted = small(steps=3).fit([], seed=0)
    assert np.isfinite(fitted.code_lengths([b"\0\1\2"])).all()


def test_an_unfitted_model_asks_to_be_fitted():
    with pytest.raises(SpecError, match="fit it"):
        small().code_lengths([b"\0\1"])


@pytest.mark.parametrize(
    "values",
    [
        {"size": "7k"},
        {"device": "tpu"},
        {"steps": -1},
        {"steps": 7, "passes": 1.0},
        {"steps": 7, "seconds": 1.0},
        {"steps": KIND.steps, "passes": 1.0, "seconds": 1.0},
        {"steps": KIND.steps, "passes": 0.0},
        {"steps": KIND.steps, "passes": math.inf},
        {"steps": KIND.steps, "seconds": -1.0},
        {"steps": KIND.steps, "seconds": math.nan},
    ],
)
def test_illegal_fields_are_refused(values: dict[str, Any]):
    with pytest.raises(SpecError):
        small(**values)


@pytest.mark.gpu
def test_a_gpu_trains_as_well_as_a_cpu_and_a_cpu_codes_it():
    sides = [small(device=device).fit(images(60), seed=0) for device in ("cpu", "cuda")]
    want, got = (fitted.code_lengths(images(20, seed=3)).sum() for fitted in sides)
    # In bfloat16, so that the weights differ a little.
    assert got == pytest.approx(want, rel=0.01)
