"""Subjects: names, kinds, routes and windows of compressors on a data set."""

from dataclasses import dataclass

import numpy as np
import pytest

from harness import Compressor
from harness.contract.registry import Entry, Registry, load_registry
from harness.data.shelf import load_card
from harness.planning.subject import planned_subject, with_card_fields

REGISTRY = load_registry()
DIGITS = load_card("digits")  # 8 by 8 pixels of 17 levels
TEXT = load_card("reuters_r8")


def subject(spec, card=DIGITS):
    return planned_subject(REGISTRY.parse(spec), REGISTRY, card)


@dataclass(frozen=True, kw_only=True)
class Lengths(Compressor):
    name = "lengths"
    family = "test"

    def fit(self, corpus, *, seed):  # noqa: ARG002  (the contract's)
        return self

    def code_lengths(self, samples, *, context=b""):  # noqa: ARG002  (likewise)
        return np.zeros(len(samples))


def test_a_codec_says_its_route_and_window_and_codes_bytes():
    codec = subject("deflate")
    assert (codec.kind, codec.route, codec.alphabet) == ("codec", "native", 256)
    # RFC 1951: distances reach back 32 KiB; zlib keeps a little of it to look ahead.
    assert codec.window is not None
    assert 32768 - 512 <= codec.window <= 32768


def test_a_codec_that_cannot_be_conditioned_has_no_route():
    assert subject("bz2").route == "none"


def test_a_model_has_the_alphabet_and_the_window_of_the_images_it_codes():
    model = subject("pixel_transformer(size='10k')")
    assert (model.kind, model.route, model.alphabet) == ("model", "stepwise", 17)
    assert model.window == 8 * 8
    assert model.spec == "pixel_transformer(size='10k')"
    assert subject("pixel_transformer(size='10k')", TEXT).alphabet == 256


def test_a_compressor_that_gives_lengths_only_is_neither_codec_nor_model():
    entry = Entry(name="lengths", origin="", kind=Lengths)
    registry = Registry(entries={"lengths": entry})
    bare = planned_subject(Lengths(), registry, DIGITS)
    assert (bare.kind, bare.route, bare.window, bare.alphabet) == (
        "other",
        "none",
        None,
        256,
    )


@pytest.mark.parametrize("spec", ["png", "png(shape=(4, 16), levels=20)"])
def test_a_card_fills_in_only_what_a_spec_leaves_open(spec):
    compressor = with_card_fields(REGISTRY.parse(spec), DIGITS)
    values = (tuple(compressor.shape), compressor.levels)
    assert values == (((8, 8), 17) if spec == "png" else ((4, 16), 20))
