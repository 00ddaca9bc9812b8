"""Lists of values, names, globs and families in specs."""

from dataclasses import dataclass

import pytest

from harness import Codec
from harness.contract.registry import Entry, Registry, load_registry
from harness.errors import SpecError
from harness.planning.specs import (
    configuration_of,
    expand,
    expand_additions,
    expand_patterns,
    matches_glob,
    matching,
)

REGISTRY = load_registry()
SPECS = ["gzip", "zstd(level=1)", "zstd(level=3)", "ppmd(order=4)", "xz", "lzma"]


@dataclass(frozen=True, kw_only=True)
class Fields(Codec):
    name = "fields"
    family = "test"
    sizes: list[int] | None = None
    shape: tuple[int, ...] = ()
    level: int = 1
    label: str = ""

    def pack(self, data):
        return data

    def unpack(self, code, length):  # noqa: ARG002  (the contract's)
        return code


OWN = Registry(
    entries={
        "fields": Entry(name="fields", origin="", kind=Fields),
        "broken": Entry(name="broken", origin="", unavailable="needs a package"),
    }
)


def selected(pattern, specs=SPECS):
    configurations = [configuration_of(spec, REGISTRY) for spec in specs]
    patterns = expand_patterns([pattern], REGISTRY)
    matches = [matching(each, configurations, REGISTRY) for each in patterns]
    return [configuration.spec for selection in matches for configuration in selection]


def test_lists_of_values_are_multiplied_out_the_first_list_outermost():
    spec = "pixel_transformer(size=['10k', '50k'], steps=[0, 50, 100])"
    assert expand([spec, "gzip"], REGISTRY) == [
        "pixel_transformer(size='10k', steps=0)",
        "pixel_transformer(size='10k', steps=50)",
        "pixel_transformer(size='10k', steps=100)",
        "pixel_transformer(size='50k', steps=0)",
        "pixel_transformer(size='50k', steps=50)",
        "pixel_transformer(size='50k', steps=100)",
        "gzip",
    ]


def test_fields_without_a_list_keep_their_place():
    assert expand(["m(a=1, b=[2, 3], c=True)"], OWN) == [
        "m(a=1, b=2, c=True)",
        "m(a=1, b=3, c=True)",
    ]


@pytest.mark.parametrize(
    "spec", ["fields(sizes=[1, 2])", "fields(shape=[28, 28])", "m(shape=(8, 8))"]
)
def test_a_list_stays_where_the_field_takes_one_and_a_tuple_always(spec):
    assert expand([spec], OWN) == [spec]


def test_a_list_for_a_text_is_several_texts():
    assert expand(["fields(label=['a'])"], OWN) == ["fields(label='a')"]


def test_specs_expand_alike_where_a_plugin_cannot_be_loaded():
    assert expand(["broken(steps=[1, 2])"], OWN) == [
        "broken(steps=1)",
        "broken(steps=2)",
    ]


def test_what_is_not_a_spec_or_lists_nothing_is_refused():
    with pytest.raises(SpecError, match=r"cannot read 'gzip\(\('"):
        expand(["gzip(("], REGISTRY)
    with pytest.raises(SpecError, match=r"gzip: level=\[\] lists no value"):
        expand(["gzip(level=[])"], REGISTRY)


@pytest.mark.parametrize(
    ("pattern", "specs"),
    [
        ("zstd", ["zstd(level=1)", "zstd(level=3)"]),
        ("zstd(level=[3, 1])", ["zstd(level=3)", "zstd(level=1)"]),
        # 3 is the default level of zstd and 4 an order of ppmd that is not the default.
        ("zstd()", ["zstd(level=3)"]),
        ("ppmd()", []),
        ("zstd*", ["zstd(level=1)", "zstd(level=3)"]),
        ("*z*", ["gzip", "zstd(level=1)", "zstd(level=3)", "xz", "lzma"]),
        ("*z", ["xz"]),
        ("zstd(level=*)", ["zstd(level=1)", "zstd(level=3)"]),
        ("zst", []),
        ("ZSTD", []),
        ("family:PPM", ["ppmd(order=4)"]),
        ("family:PP", []),
        ("family:P*", ["ppmd(order=4)"]),
        ("family:ppm", []),
    ],
)
def test_a_pattern_selects_exactly_what_its_kind_says(pattern, specs):
    assert selected(pattern) == specs


def test_an_exact_spec_selects_however_it_is_written():
    assert selected("zstd(frame=False, level=1)") == ["zstd(level=1)"]


def test_only_a_star_is_special_in_a_glob():
    assert matches_glob("a[1].?*", "a[1].?")
    assert not matches_glob("a[1]*", "a1")
    assert not matches_glob("a?", "ab")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("gzip(levle=[1, 2])", r"gzip has no field 'levle'; its fields: level"),
        ("gzip(level=[99])", "level is 99; zlib has 0 to 9"),
        ("gzpi(level=[1])", r"no compressor named 'gzpi'; did you mean gzip\?"),
    ],
)
def test_an_illegal_value_in_a_list_is_refused_as_it_is_alone(spec, message):
    with pytest.raises(SpecError, match=message):
        selected(spec)


def test_globs_and_families_add_the_registered_compressors_with_their_defaults():
    assert expand_additions(["fie*", "broken"], OWN) == ["fields", "broken"]
    assert expand_additions(["family:test"], OWN) == ["fields"]
    with pytest.raises(SpecError, match=r"'family:tset'; did you mean family:test\?"):
        expand_additions(["family:tset"], OWN)
    with pytest.raises(SpecError, match=r"no compressor matches 'feilds\*'; did you"):
        expand_additions(["feilds*"], OWN)
