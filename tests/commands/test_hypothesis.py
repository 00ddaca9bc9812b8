"""`bitprobe hypothesis` of a suite: what its claims can detect, before a run."""

import re

import pytest

from harness.commands.hypothesis import hypothesis, suite_power
from harness.errors import SuiteError

SUITE = """
name = "mine"
title = "Nine codecs of six families, or of two descents"
compressors = [
  "lz4", "zstd(level=[1, 9, 19])", "deflate", "ppmd(order=[2, 4])", "order0",
  "context_model(order=2)",
]
datasets = ["digits", "reuters_r8", "django_languages", "japanese_vowels", "splice"]
tasks = ["rates", { name = "class_scratch", equal_bytes = true }]

[hypothesis]
datasets = ["digits", "reuters_r8", "django_languages", "japanese_vowels", "splice"]
claims = [{ name = "C", task = "class_scratch", equal_bytes = true }]
"""
DESCENT = """
[hypothesis.superfamilies]
LZ77 = ["LZ77", "LZ77 + FSE", "LZ77 + Huffman"]
contexts = ["PPM", "context model"]
"""


@pytest.fixture
def write(tmp_path):
    def suite(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return str(path)

    return suite


def test_the_power_of_a_suite_is_known_from_its_plan_alone(write):
    text = hypothesis(write(SUITE), "text")
    first, to_datasets, to_compressors = text.splitlines()
    assert "9 configurations of 6 families, 6 units, 5 data sets" in first
    # t of four degrees at .025 times .25 / sqrt(5): by a table of Student's t, 2.776.
    width = 2.776 * 0.25 / 5**0.5
    assert f"half-width to expect {width:.2f}" in to_datasets
    assert re.search(r"correlation 0\.\d\d", to_datasets)
    assert to_compressors.startswith("  to new compressors: ")


def test_descents_in_place_of_families_leave_too_few_units(write):
    text = suite_power(write(SUITE + DESCENT))
    assert "6 families, 3 units" in text
    assert "undecided by design: superfamilies: 3, needed: 6" in text


def test_a_suite_without_claims_and_an_unknown_one_are_one_line(write):
    with pytest.raises(SuiteError, match=r"preregisters no \[hypothesis\]; add one$"):
        hypothesis(write(SUITE.split("[hypothesis]", maxsplit=1)[0]), "text")
    with pytest.raises(SuiteError, match="no suite 'nothing'"):
        hypothesis("nothing", "text")
