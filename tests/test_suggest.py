import pytest

from harness.suggest import hint


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
