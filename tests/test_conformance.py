"""The kit passes what is right, and each of its checks fails on one fault."""

import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from harness import Codec, Stepwise
from harness.conformance import (
    CHECKS,
    Finding,
    check_all,
    check_target,
    checks_for,
    run_checks,
)
from harness.contract import coding
from harness.contract.registry import Entry, load_plugin
from harness.errors import ConformanceError, HarnessError, UsageError

HERE = Path(__file__).parent / "faulty_compressors.py"
KINDS: dict[str, Any] = {entry.name: entry.kind for entry in load_plugin(HERE)}
Good, GoodModel = KINDS["good"], KINDS["good_model"]
LikelihoodOnly = KINDS["likelihood_only"]
FAULTS: dict[str, set[str]] = {
    "negative_prior": {"declarations"},
    "unknown_range": {"declarations"},
    "illegal_range": {"declarations"},
    "wrong_route": {"declarations"},
    "loses_zeros": {"round_trip"},
    "forgets_context": {"round_trip_context"},
    "crashes_fitted": {"round_trip_fitted"},
    "ends_early": {"long_data"},
    "salted": {"deterministic", "compress_each"},
    "fits_by_luck": {"fit_reproducible"},
    "fits_itself": {"fit_returns_copy"},
    "counts_calls": {"inputs_unchanged"},
    "spills_in_batches": {"batch_is_one_by_one"},
    "swaps_pairs": {"pair_lengths"},
    "forgets_header": {"lengths_are_coded"},
    "each_alone": {"compress_each"},
    "fast_but_wrong": {"packed_lengths"},
    "window_too_long": {"window"},
    "window_too_short": {"window"},
    "remembers": {"fresh_process"},
    "follows_threads": {"determinism_class"},
    "sums_to_more": {"legal_frequencies"},
    "two_minds": {"parallel_is_stepwise"},
    "peeks": {"parallel_is_stepwise", "no_look_ahead"},
    "flatters": {"near_ideal_length"},
    "loses_state": {"hidden_states"},
    "loses_prefix": {"samples_continue"},
}
WORDS = {
    "loses_zeros": ["one zero byte (1 byte), unfitted", "decoded 0 bytes", "original"],
    "crashes_fitted": [
        "all byte values (256 bytes), fitted",
        "IndexError: out of range",
    ],
    "window_too_long": ["1048576", "declare a window of 16384 bytes"],
    "remembers": ["fresh process", "KeyError", "from the code and `learned` alone"],
    "follows_threads": ["codes", "2 thread(s)", "declare 'host'"],
    "sums_to_more": ["16777217", "2**24"],
    "peeks": ["text (96 bytes)", "from 1 on", "row 0"],
    "unknown_range": ["ranges names 'level', which is not a field"],
    "illegal_range": ["which it refuses: level is"],
    "wrong_route": ["pack_after is never called"],
}


def found_in(compressor: Codec | Stepwise) -> dict[str, Finding]:
    slow = isinstance(compressor, Stepwise)
    found = run_checks(compressor, long_bytes=1000 if slow else 100_000)
    return {finding.check.name: finding for finding in found}


def failed(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if finding.status == "failed"}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.parametrize(
    "compressor",
    [Good(), GoodModel(), GoodModel(n_symbols=17), LikelihoodOnly()],
    ids=lambda c: f"{c.name}-{getattr(c, 'n_symbols', '')}",
)
def test_a_compressor_that_keeps_its_promises_passes(compressor: Codec | Stepwise):
    assert {
        n: f.message for n, f in found_in(compressor).items() if f.status == "failed"
    } == {}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_its_check_and_no_other(name: str):
    found = found_in(KINDS[name]())
    assert failed(found) == FAULTS[name], [found[check] for check in failed(found)]
    message = " ".join(found[check].message for check in FAULTS[name])
    assert "\n" not in message
    for word in WORDS.get(name, []):
        assert word in message
    assert ";" in message  # what to do about it


def test_a_broken_stored_block_fails_its_check_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
):
    right = coding.decode

    def wrong(model: Stepwise, *arguments: Any, **named: Any) -> list[bytes]:
        samples = right(model, *arguments, **named)
        foreign = any(max(s, default=0) >= model.alphabet for s in samples)
        return [b""] if foreign else samples

    monkeypatch.setattr(coding, "decode", wrong)
    assert failed(found_in(GoodModel(n_symbols=17))) == {"stored_block"}


def test_every_check_has_a_fault_that_it_finds():
    assert set().union(*FAULTS.values()) | {"stored_block"} == {c.name for c in CHECKS}


def test_a_compressor_is_asked_only_for_what_it_promises():
    names = {check.name for check in checks_for(LikelihoodOnly())}
    assert "no_look_ahead" in names
    assert not names & {"round_trip", "lengths_are_coded", "window", "hidden_states"}
    found = found_in(Good())
    assert found["no_look_ahead"].status == "not_applicable"
    assert found["no_look_ahead"].message == "it is not a Stepwise"


def test_a_waived_check_is_reported_with_its_reason():
    found = found_in(KINDS["waives"]())
    assert found["deterministic"].status == "waived"
    assert found["deterministic"].message == "salted on purpose"
    assert found["window"].status == "waived"
    assert "it passes: remove it" in found["window"].message


def test_check_all_is_silent_or_says_all_that_failed():
    check_all(Good(), only=["round_trip", "declarations"])
    with pytest.raises(ConformanceError) as raised:
        check_all(KINDS["loses_zeros"](), only=["round_trip", "declarations"])
    assert str(raised.value).startswith(
        "loses_zeros: 1 of 2 checks failed: round_trip: "
    )


def test_an_unknown_waiver_is_a_wrong_declaration():
    class Misspelt(Good):
        waived: ClassVar = {"windows": "it leaks"}

    with pytest.raises(ConformanceError, match="'windows', which is not a check"):
        check_all(Misspelt(), only=["declarations"])


def test_a_field_outside_the_dataclass_is_found():
    class Undecorated(Good):
        level: int = 3

    with pytest.raises(ConformanceError, match="level is not a field"):
        check_all(Undecorated(), only=["declarations"])


def test_whatever_a_plugin_raises_becomes_a_finding():
    class Raises(Good):
        @property
        def window(self) -> int:
            raise KeyError("no\nwindow")

    found = {f.check.name: f for f in run_checks(Raises(), only=["window"])}
    assert found["window"].status == "failed"
    assert "could not be checked: KeyError: 'no" in found["window"].message


def test_a_missing_requirement_is_found():
    class Needs(Good):
        requires = ("no-such-distribution",)

    with pytest.raises(ConformanceError, match="'no-such-distribution', which is not"):
        check_all(Needs(), only=["declarations"])


def test_a_class_in_no_file_cannot_be_loaded_elsewhere():
    homeless = type("Homeless", (Good,), {"__module__": "nowhere"})
    with pytest.raises(ConformanceError, match="defined in no file"):
        check_all(homeless(), only=["fresh_process"])


PLUGIN = """
from dataclasses import dataclass
from harness import Codec, hookimpl

@dataclass(frozen=True, kw_only=True)
class Reversed(Codec):
    name = "reversed_bytes"
    family = "identity"

    def pack(self, data):
        return data[::-1]

    def unpack(self, code, length):
        return code[::-1]

@dataclass(frozen=True, kw_only=True)
class Lossy(Reversed):
    name = "lossy"

    def unpack(self, code, length):
        return bytes(length)

@hookimpl
def compressors():
    return [Reversed, Lossy]
"""


def test_a_plugin_file_is_checked_class_by_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "two.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    told = []
    found = check_target("two.py", None, progress=lambda *now: told.append(now))
    assert [spec for spec, _ in found] == ["reversed_bytes", "lossy"]
    assert [any(f.status == "failed" for f in each) for _, each in found] == [
        False,
        True,
    ]
    assert told[0] == ("reversed_bytes: declarations", 0, len(CHECKS))
    assert len(told) == 2 * len(CHECKS)


def test_a_spec_is_checked_in_its_configuration(tmp_path: Path):
    (tmp_path / "two.py").write_text(PLUGIN)
    assert check_target("gzip(level=1)", None)[0][0] == "gzip(level=1)"
    assert check_target("lossy", tmp_path)[0][0] == "lossy"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("gzpi", "did you mean gzip"),
        ("gzip(", "cannot read"),
        ("gzip(level=77)", "zlib has 0 to 9"),
        ("gzip(depth=1)", "no field 'depth'"),
        ("absent.py", "no plugin at absent.py"),
        ("broken.py", "syntax error in line 1"),
        ("abstract.py", "abstract method"),
    ],
)
def test_a_bad_target_is_one_clear_usage_error(
    target: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("broken.py").write_text("def (")
    Path("abstract.py").write_text(
        PLUGIN.replace("    def unpack(self", "    def not_unpack(self")
    )
    with pytest.raises(UsageError, match=says.replace("(", r"\(")) as raised:
        check_target(target, None)
    assert "\n" not in str(raised.value)


def test_an_entry_is_checked_from_its_own_file():
    entry = Entry(name="good", origin=str(HERE), kind=Good)
    found = run_checks(entry, only=["fresh_process"])
    assert [f.status for f in found] == ["passed"]
    with pytest.raises(HarnessError, match="no zlib here"):
        run_checks(Entry(name="good", origin="x", unavailable="no zlib here"))


def test_the_kit_needs_neither_pytest_nor_hypothesis():
    code = (
        "import sys; sys.modules['pytest'] = sys.modules['hypothesis'] = None\n"
        "from harness.conformance import check_target\n"
        "(_, found), = check_target('store', None)\n"
        "assert not [f for f in found if f.status == 'failed']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
