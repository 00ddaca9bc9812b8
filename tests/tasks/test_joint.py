"""What joint codes save agrees with the codecs themselves, and with measured anchors."""

import itertools
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest

from harness import NotApplicableError
from harness.contract.coding import decode_after
from harness.contract.online_code import learner_of, online
from harness.data.load import load_dataset
from harness.errors import SuiteError
from harness.tasks import joint, pair_lengths, transfer
from harness.tasks.joint import Coder, Parameters
from harness.tasks.pair_lengths import Lengths
from harness.tasks.pairs import Pair, PairPlan, draw_pairs

SHARED = SimpleNamespace(**run_path(str(Path(__file__).with_name("pairs_of_texts.py"))))
REGISTRY, dataset = SHARED.REGISTRY, SHARED.dataset
inputs, run, scores_of = SHARED.inputs, SHARED.run, SHARED.scores_of
NETWORK = SHARED.NETWORK
SMALL = Parameters(n_bytes=400, scales=(0.5, 1.0), n_classes=2, others=("far",))
needs_mirror = pytest.mark.skipif(
    "BITPROBE_DATA_MIRROR" not in os.environ, reason="needs BITPROBE_DATA_MIRROR"
)


def test_savings_are_those_of_zlib_with_x_as_its_dictionary():
    outcome = run(joint, inputs("deflate"), SMALL)
    arrays = outcome.arrays
    chosen = (arrays["size"] == "x1") & (arrays["kind"] == "same_class")
    pairs = draw_pairs(
        inputs("deflate").dataset,
        {"far": dataset("far", 60)},
        PairPlan(n_bytes=400, least_bytes=200, n_classes=2),
        seed=0,
    )
    saved = n_bytes = 0
    for pair in (p for p in pairs if p.kind == "same_class"):
        packed = [zlib.compressobj(9, zlib.DEFLATED, -15) for _ in range(2)]
        packed[1] = zlib.compressobj(
            9, zlib.DEFLATED, -15, zdict=pair.x
        )  # what the decoder has
        alone, given = (len(c.compress(pair.y) + c.flush()) for c in packed)
        saved += 8 * (alone - given)
        n_bytes += len(pair.y)
    assert chosen.sum() == 2
    assert scores_of(outcome)["saved_bpb:same_class:x1"] == pytest.approx(
        saved / n_bytes
    )


@pytest.mark.parametrize("spec", ["zstd(level=19)", "ppmd(order=4)", "mix"])
def test_related_text_saves_more_than_other_text_and_that_more_than_random(spec: str):
    found = scores_of(run(joint, inputs(spec), SMALL))
    same, other = (found[f"saved_bpb:{k}:x1"] for k in ("same_class", "other_data"))
    assert same > other
    assert same > 0.2
    assert same > found["saved_bpb:random:x1"]
    assert same > found["saved_bpb:shuffled:x1"]


def test_a_stepwise_model_is_coded_by_the_one_entropy_coder():
    spec = "context_model(order=2)"
    found = scores_of(run(joint, inputs(spec), SMALL))
    assert found["saved_bpb:same_class:x1"] > found["saved_bpb:random:x1"]
    model = REGISTRY.parse(spec)
    coder = Coder(compressor=model, codes={})
    x, y = b"abcabcabd" * 20, b"abcabd" * 30
    (ideal,) = model.code_lengths([y], context=x)
    # The container: magic, versions, artifact, checksum, lengths; and whole words.
    assert ideal <= coder.bits(y, x) <= ideal + 8 * 40


def test_scores_are_what_their_formulas_give_from_the_stored_lengths():
    outcome = run(joint, inputs("ppmd(order=2)"), SMALL)
    arrays, found = outcome.arrays, scores_of(outcome)
    empty = 8 * len(REGISTRY.parse("ppmd(order=2)").compress(b""))
    where = (arrays["size"] == "x1") & (arrays["kind"] == "random")
    y, given, x, xy, n = (
        arrays[name][where].astype(float)
        for name in ("y_bits", "y_given_x_bits", "x_bits", "xy_bits", "n_bytes")
    )
    rows = list(zip(y, given, strict=True))
    total = sum(n)
    expected = {
        "saved_bpb": sum(a - b for a, b in rows) / total,
        "saved_fraction": sum(a - b for a, b in rows) / sum(y),
        "regret_bpb": sum(max(0.0, b - a) for a, b in rows) / total,
        "switched_regret_bpb": sum(max(0.0, min(a, b) + 1 - a) for a, b in rows)
        / total,
        "shared_bits": float(np.mean(x + y - xy - empty)),
    }
    for name, value in expected.items():
        assert found[f"{name}:random:x1"] == pytest.approx(value), name
    assert found["regret_bpb:random:x1"] > 0.1  # PPMd keeps what random bytes taught it


def test_the_other_order_is_that_of_the_pair_turned_round():
    x, y = b"the cat sat on the mat " * 20, b"a dog stood by the door " * 20
    coder = Coder(compressor=REGISTRY.parse("zstd"), codes={})
    forth, back = (
        joint.code_lengths(
            coder, [Pair(kind="sibling", x=a, y=b, x_name="a", y_name="b")]
        )
        for a, b in ((x[:400], y[:400]), (y[:400], x[:400]))
    )
    for name, mirror in (("y", "x"), ("y_given_x", "x_given_y"), ("xy", "yx")):
        assert getattr(forth, name) == getattr(back, mirror)


def test_a_switch_never_costs_more_than_its_bit():
    lengths = Lengths(
        n_bytes=np.array([10.0, 10.0]),
        y=np.array([50.0, 50.0]),
        x=np.zeros(2),
        y_given_x=np.array([20.0, 90.0]),
        x_given_y=np.zeros(2),
        xy=np.zeros(2),
        yx=np.zeros(2),
    )
    assert pair_lengths.switched(lengths).tolist() == [21.0, 51.0]
    assert pair_lengths.regret(lengths, lengths.y_given_x).tolist() == [0.0, 40.0]
    assert pair_lengths.regret(lengths, pair_lengths.switched(lengths)).tolist() == [
        0.0,
        1.0,
    ]
    assert pair_lengths.savings(lengths).tolist() == [30.0, -40.0]  # shown, not clipped


def test_without_a_conditional_code_there_are_shared_bits_only():
    outcome = run(joint, inputs("xz"), SMALL)
    measures = {score.metric for score in outcome.scores}
    assert measures == {"alone_bpb", "shared_bits", "reverse_shared_bits"}
    notes = [s.note for s in outcome.scores if s.name.startswith("shared")]
    assert all("no conditional code" in note for note in notes)
    assert outcome.coded == ()


@pytest.mark.parametrize("spec", ["lzma", "context_model(order=2)"])
def test_the_codes_left_for_a_fresh_process_give_back_y_after_x(spec: str):
    (coded,) = run(joint, inputs(spec), SMALL).coded
    assert coded.codes
    parts = (coded.codes, coded.samples, coded.contexts)
    for code, y, x in zip(*parts, strict=True):
        assert decode_after(REGISTRY.parse(spec), code, len(y), x) == y


FEW_STEPS = joint.Parameters(n_bytes=200, scales=(1.0,), n_classes=0, budget=2)
FEW_LABELS = transfer.Parameters(
    n_bytes=300, n_labels=2, n_draws=3, n_sources=3, doses=(0.25,), budget=1
)


def test_a_network_given_x_is_coded_by_blocks_from_the_state_after_x():
    outcome = run(joint, inputs(NETWORK), FEW_STEPS)
    (coded,), arrays = outcome.coded, outcome.arrays
    model = REGISTRY.parse(NETWORK).budgeted(2)
    assert coded.schedule is not None
    for code, y, x in zip(coded.codes, coded.samples, coded.contexts, strict=True):
        learner = learner_of(REGISTRY.parse(NETWORK), coded.schedule)
        codec = online(learner.model, learner, len(y))
        assert decode_after(codec, code, len(y), x) == y
        assert 8 * len(code) in arrays["y_given_x_bits"]
    of_x = model.fit([x], seed=0)
    ends = [4, 7, 13, 25, 50, 100, 200]  # 200/64 = 3.125, and doubled, rounded up
    (ideal,) = of_x.code_lengths([y[:4]])
    for start, stop in itertools.pairwise(ends):
        fitted = of_x.fit([y[:start]], seed=0)
        ideal += fitted.code_lengths([y[start:stop]], context=y[:start])[0]
    assert ideal <= 8 * len(code) <= ideal + 8 * 40


def test_of_a_network_x_is_in_the_weights_so_that_no_window_is_left():
    @dataclass(frozen=True, kw_only=True)
    class Short(type(REGISTRY.parse(NETWORK))):
        name = "short"

        @property
        def window(self) -> int:
            return 10

    network = Short(size="10k")
    for task, parameters in ((joint, FEW_STEPS), (transfer, FEW_LABELS)):
        found = run(task, inputs(network), parameters).scores
        assert not [s for s in found if s.beyond_window]
        steps = parameters.budget
        assert all(f"by blocks, fits of {steps} steps" in s.note for s in found)


def test_x_beyond_the_window_is_marked():
    @dataclass(frozen=True, kw_only=True)
    class Short(type(REGISTRY.parse("deflate"))):
        name = "short"

        @property
        def window(self) -> int:
            return 300

    found = run(joint, inputs(Short()), SMALL).scores
    marked = {s.variant.pair_size for s in found if s.beyond_window}
    assert marked == {"x1"}  # 400 bytes; 200 fit


def test_models_that_must_be_fitted_or_stand_still_are_not_applicable():
    @dataclass(frozen=True, kw_only=True)
    class Needy(type(REGISTRY.parse("store"))):
        name = "needy"
        needs = frozenset({"fit"})

    for task in (joint, transfer):
        with pytest.raises(NotApplicableError):
            run(task, inputs(Needy()), task.Parameters())
    with pytest.raises(NotApplicableError, match="route none"):
        run(transfer, inputs("xz"), transfer.Parameters())


def test_sizes_of_no_byte_are_refused():
    with pytest.raises(SuiteError, match="at least 1 byte"):
        Parameters(n_bytes=10, scales=(0.01,))


ORDER = ["plrabn12.txt", "alice29.txt", "lcet10.txt", "kennedy.xls"]


def asyoulik_pairs() -> list[Pair]:
    data = load_dataset("canterbury")
    files = dict(zip(data.names, data.test.samples, strict=True))
    by_name = {name.split("/")[-1]: content for name, content in files.items()}
    y = by_name["asyoulik.txt"]
    return [
        Pair(kind="other_data", x=by_name[name], y=y, x_name=name, y_name="asyoulik")
        for name in ORDER
    ]


def gains(spec: str) -> list[float]:
    """Measured beside the data as (C(X) + C(Y) - C(XY)) / C(Y)."""
    coder = Coder(compressor=REGISTRY.parse(spec), codes={})
    return [
        (coder.bits(p.x) + coder.bits(p.y) - coder.bits(p.x + p.y)) / coder.bits(p.y)
        for p in asyoulik_pairs()
    ]


@needs_mirror
def test_xz_gains_on_asyoulik_what_was_measured_with_its_program():
    assert np.round(gains("xz"), 3).tolist() == [0.063, 0.036, 0.030, -0.003]


@needs_mirror
def test_zstd_gains_on_asyoulik_in_the_same_order():
    found = gains("zstd(level=12, frame=True)")
    assert found == sorted(found, reverse=True)


@pytest.mark.slow
@needs_mirror
def test_lzma_given_x_codes_asyoulik_in_the_same_order():
    lzma = REGISTRY.parse("lzma")
    given = [len(lzma.compress(p.y, context=p.x)) for p in asyoulik_pairs()]
    assert given == sorted(given)
