"""Measured windows against what formats allow."""

from dataclasses import dataclass

import numpy as np
import pytest

from harness import Codec, NotApplicableError
from harness.contract.registry import load_registry
from harness.data.dataset import Dataset, Split
from harness.errors import SuiteError
from harness.tasks.evaluate import evaluate
from harness.tasks.task import Inputs
from harness.tasks.window import TASK, Parameters, ladder

REGISTRY = load_registry()
NOTHING = Split(samples=(), labels=np.empty(0, np.int64))


@dataclass(frozen=True, kw_only=True)
class Remembers(Codec):
    """An ideal codec that sees a repetition of the first KiB up to `reach` bytes back."""

    name = "remembers"
    family = "test"

    reach: int = 5000

    @property
    def window(self) -> int:
        return self.reach

    def pack(self, data: bytes) -> bytes:
        again = data.find(data[:1024], 1024)
        return data[:-1024] if 0 < again <= self.reach else data

    def unpack(self, code: bytes, length: int) -> bytes:
        return (code + code[:1024])[:length]


def measure(compressor: object, top: int) -> dict:
    dataset = Dataset(name="none", kind="file", classes=(), train=NOTHING, test=NOTHING)
    given = Inputs(
        unfitted=compressor,
        fitted=compressor,
        dataset=dataset,
        seed=1,
    )
    outcome = evaluate(TASK, given, Parameters(max_filler_bytes=top))
    return {score.name: score for score in outcome.scores}


def test_deflate_repeats_from_16_kib_back_and_no_longer_from_32():
    # A match reaches 32 KiB: 1 KiB and 16 KiB of filler are within, 32 KiB are not.
    for spec in ("gzip", "deflate"):
        found = measure(REGISTRY.parse(spec), 1 << 17)
        assert found["window_bytes"].value == 1 << 14
        assert found["declared_window_bytes"].value == 1 << 15


@pytest.mark.parametrize(("reach", "rung"), [(5000, 2048), (5120, 4096), (900, 0)])
def test_the_window_is_the_last_rung_within_reach(reach: int, rung: int):
    assert measure(Remembers(reach=reach), 1 << 14)["window_bytes"].value == rung


def test_a_window_beyond_the_ladder_is_said_to_be_at_least_that():
    found = measure(REGISTRY.parse("mix"), 1 << 14)
    assert found["window_bytes"].value == 1 << 14
    assert "may be longer" in found["window_bytes"].note
    assert "declared without limit" in found["window_bytes"].note
    assert "declared_window_bytes" not in found


def test_what_never_repeats_has_no_window():
    assert measure(REGISTRY.parse("store"), 1 << 12)["window_bytes"].value == 0


def test_the_ladder_doubles_from_1_kib_and_does_not_pass_its_top():
    assert ladder(1024) == [1024]
    assert ladder(5000) == [1024, 2048, 4096]
    assert ladder(4 << 20)[-1] == 4 << 20


def test_a_ladder_without_rungs_and_a_model_without_a_cold_code_are_refused():
    with pytest.raises(SuiteError, match="give 1024 or more"):
        TASK.complete({"max_filler_bytes": 1000})

    class Needy(Remembers):
        name = "needy"
        needs = frozenset({"fit"})

    with pytest.raises(NotApplicableError, match="needy must be fitted"):
        measure(Needy(), 1024)
