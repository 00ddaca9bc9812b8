"""Lossless image codecs: pages, levels, and what is stored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import CodingError
from harness.contract.registry import load_registry

REGISTRY = load_registry()
if "png" not in REGISTRY.entries:
    pytest.skip("needs the package imagecodecs", allow_module_level=True)
NAMES = ["png", "webp", "jpegls", "jpegxl"]


def make(name: str, **values: object):
    return REGISTRY.make(name, values)


def smooth(n: int, height: int, width: int, channels: int = 1) -> bytes:
    """Images of slow waves with a little noise."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width] / 6
    images = [
        100 + 40 * np.sin(x + phase) * np.cos(y - phase)
        for phase in rng.random(n * channels) * 6
    ]
    noisy = np.array(images) + rng.integers(0, 3, (n * channels, height, width))
    planes = noisy.reshape(n, channels, height, width).transpose(0, 2, 3, 1)
    return planes.astype(np.uint8).tobytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(16, 12), (16, 12, 1), (16, 12, 3)])
def test_streams_of_images_come_back(name: str, shape: tuple[int, ...]):
    one = make(name, shape=shape)
    for n in (1, 2, 9):
        data = smooth(n, *shape)
        code = one.compress(data)
        assert code[:1] == b"\1"
        assert one.decompress(code, length=len(data)) == data


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9))
    | st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5)),
    n=st.integers(1, 4),
    levels=st.sampled_from([None, 2, 17, 256]),
    seed=st.integers(0, 99),
)
def test_any_pixels_of_any_shape_come_back(
    name: str, shape: tuple[int, ...], n: int, levels: int | None, seed: int
):
    data = np.random.default_rng(seed).bytes(n * int(np.prod(shape)))
    one = make(name, shape=shape, levels=levels)
    assert one.decompress(one.compress(data), length=len(data)) == data


@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_image_is_stored_for_one_byte(name: str):
    image = smooth(1, 8, 8)
    whole = make(name, shape=(8, 8), levels=200)
    assert make(name).compress(image) == b"\0" + image
    assert whole.compress(image[:-1]) == b"\0" + image[:-1]
    assert whole.compress(b"") == b"\0"
    beyond = b"\xc8" + image[1:]
    assert whole.compress(beyond) == b"\0" + beyond
    assert whole.compress(b"\xc7" + image[1:])[:1] == b"\1"


@pytest.mark.parametrize("name", NAMES)
def test_one_tall_image_is_cheaper_than_its_samples(name: str):
    data, one = smooth(40, 16, 16), make(name, shape=(16, 16))
    samples = [data[i : i + 256] for i in range(0, len(data), 256)]
    assert len(one.compress(data)) < sum(len(one.compress(s)) for s in samples)
    assert one.code_lengths(samples).sum() == 8 * sum(
        len(one.compress(s)) for s in samples
    )


@pytest.mark.parametrize("name", ["webp", "jpegls", "png"])
def test_a_stream_with_more_rows_than_the_format_has_goes_on_another_page(name: str):
    rows = 2 * (16_383 if name == "webp" else 65_535) + 10
    data = smooth(1, 8, 4) * (rows // 8 + 1)
    one = make(name, shape=(8, 4))
    assert one.decompress(one.compress(data), length=len(data)) == data


@pytest.mark.parametrize("name", NAMES)
def test_smooth_images_take_less_than_the_modality_blind_xz(name: str):
    data = smooth(20, 28, 28)
    blind = len(REGISTRY.parse("xz(preset=9)").compress(data))
    assert len(make(name, shape=(28, 28)).compress(data)) < blind


@pytest.mark.parametrize("name", NAMES)
def test_pages_of_another_shape_are_refused(name: str):
    code = make(name, shape=(8, 8)).compress(smooth(1, 8, 8))
    with pytest.raises(CodingError, match="no pages of shape None"):
        make(name).decompress(code, length=64)
