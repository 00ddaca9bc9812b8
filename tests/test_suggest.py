import pytest
from pydantic import TypeAdapter, ValidationError

from harness.suggest import fault_of, hint


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("gzpi", ["gzip", "zstd"], "did you mean gzip?"),
        ("quux", ["zstd", "gzip", "gzip"], "there are: gzip, zstd"),
        ("quux", [], "there are none"),
    ],
)
def test_a_hint_names_the_nearest_name_or_all_of_them(name, names, expected):
    assert hint(name, names) == expected


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (
            dict[str, list[int]],
            {"a": [1, "x"], "b": 2},
            "a.1: input should be a valid ",
        ),
        (int, "x", "input should be a valid integer"),
    ],
)
def test_a_fault_is_the_first_one_with_its_place_on_one_line(kind, value, expected):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(value)
    assert fault_of(caught.value).startswith(expected)
    assert "\n" not in fault_of(caught.value)
