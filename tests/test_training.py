"""Training that was interrupted goes on bit for bit: by plugin, by run, by fit."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness import SpecError, Trains, Watch
from harness.cli import main
from harness.commands.fit import checkpoint_of, fit_to
from harness.contract import artifact
from harness.contract.registry import load_registry
from harness.data.load import load_dataset
from harness.planning.plan import Selection, plan
from harness.planning.suite import load_suite
from harness.records.job import Job
from harness.records.store import Store
from harness.run import runner, worker
from harness.run.messages import Request, Result, read_result, to_line

BITPROBE = Path(sys.executable).parent / "bitprobe"
REGISTRY = load_registry()
MODEL = REGISTRY.parse("pixel_transformer(size='10k', shape=(8, 8), levels=17)")
TRAINED = sorted(
    name
    for name, entry in REGISTRY.entries.items()
    if entry.kind is not None and issubclass(entry.kind, Trains)
)
DIGITS = list(load_dataset("digits").train.samples[:40])
RUNGS = (8, 120)
SUITE = f"""name = "ladder"
title = "Two rungs of one training"
compressors = ["pixel_transformer(size='10k', steps={RUNGS[0]})",
               "pixel_transformer(size='10k', steps={RUNGS[1]})"]
datasets = [{{name = "digits", train = 40, test = 20}}]
tasks = [{{name = "rates"}}]
"""


class Stopped(BaseException):
    """What a user's Ctrl-C is to a training."""


def stop_at(last: int) -> Callable[[int, int, float], None]:
    def progress(step: int, *_: object) -> None:
        if step == last:
            raise Stopped

    return progress


def same(one: Any, other: Any) -> bool:
    return artifact.identity(one) == artifact.identity(other)


@pytest.mark.parametrize("name", TRAINED)
def test_every_model_goes_on_where_it_was_stopped(name: str, tmp_path: Path):
    model = REGISTRY.make(name, {"size": "10k", "steps": 5})
    fields = {"shape": (8, 8), "levels": 17} if hasattr(model, "levels") else {}
    model, corpus = replace(model, **fields), [one[:64] for one in DIGITS]
    checkpoint, went_on = tmp_path / "checkpoint", []
    with pytest.raises(Stopped):
        list(
            model.trained(
                corpus, seed=3, watch=Watch(progress=stop_at(3), checkpoint=checkpoint)
            )
        )
    watch = Watch(resumed=lambda *now: went_on.append(now), checkpoint=checkpoint)
    (resumed,) = model.trained(corpus, seed=3, watch=watch)
    [(step, seconds)] = went_on
    assert step == 3
    assert seconds > 0
    assert same(resumed, model.fit(corpus, seed=3))


def test_a_checkpoint_past_a_rung_gives_that_rung_by_training_from_nothing(
    tmp_path: Path,
):
    watch = Watch(checkpoint=tmp_path / "checkpoint")
    list(MODEL.trained(DIGITS, [6], seed=0, watch=watch))
    rungs = MODEL.trained(DIGITS, [4, 8], seed=0, watch=watch)
    whole = MODEL.fit_ladder(DIGITS, [4, 8], seed=0)
    assert all(same(*pair) for pair in zip(rungs, whole, strict=True))


@pytest.mark.parametrize("other", [{"context": 3}, {"shuffle_seed": 1}, {"seconds": 9}])
def test_a_checkpoint_of_another_configuration_is_refused(other, tmp_path: Path):
    watch = Watch(checkpoint=tmp_path / "checkpoint")
    list(MODEL.trained(DIGITS, [2], seed=0, watch=watch))
    changed = replace(MODEL, **other)
    with pytest.raises(SpecError, match="another run"):
        list(changed.trained(DIGITS, seed=0, watch=watch))


def test_a_checkpoint_of_other_known_weights_is_refused(tmp_path: Path):
    watch = Watch(checkpoint=tmp_path / "checkpoint")
    one, other = (replace(MODEL, steps=steps).fit(DIGITS, seed=0) for steps in (1, 2))
    list(one.trained(DIGITS, seed=0, watch=watch))
    with pytest.raises(SpecError, match="another run"):
        list(other.trained(DIGITS, seed=0, watch=watch))


@pytest.mark.parametrize("damage", [b"", b"a note of mine", b"PK\3\4 and no more"])
def test_what_is_no_checkpoint_is_refused_and_kept(damage: bytes, tmp_path: Path):
    checkpoint = tmp_path / "A.training"
    checkpoint.write_bytes(damage)
    with pytest.raises(SpecError, match=r"'A\.training' is no checkpoint"):
        list(MODEL.trained(DIGITS, seed=0, watch=Watch(checkpoint=checkpoint)))
    assert checkpoint.read_bytes() == damage


# A run


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suite") / "ladder.toml"
    path.write_text(SUITE)
    return path


def fits(suite: Path) -> list[Job]:
    """Return the jobs whose artifacts all the others read."""
    planned = plan(load_suite(str(suite)), REGISTRY, Selection())
    return [job for job in planned.jobs if job.task == "fit"]


def request_of(suite: Path, folder: Path) -> Request:
    """Return the request to the child that fits the ladder."""
    ladder = tuple(fits(suite))
    (folder / "scratch").mkdir(parents=True)
    return Request(
        id="fit",
        stage="fit",
        job=ladder[0],
        ladder=ladder,
        store=str(folder / "store"),
        scratch=str(folder / "scratch"),
        log="",
        timeout_seconds=0,
        memory_bytes=0,
    )


@pytest.fixture(scope="module")
def undisturbed(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    run(suite, folder)
    return folder


def run(suite: Path, folder: Path) -> None:
    store = Store(folder)
    store.open()
    limits = runner.Limits(n_jobs=1, timeout_seconds=100, memory_bytes=2**32)
    jobs = runner.remaining(fits(suite), store, retry_failed=True)
    runner.run(jobs, store, limits, lambda *_: None)


def artifacts(store: Path) -> dict[str, bytes]:
    files = (store / "artifacts").rglob("*")
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in files
        if path.is_file()
    }


KILLED_AT_STEP = """
import json, os, signal, sys
from harness import Watch
from harness.run import runner, worker
from harness.run.messages import read_request
def watch(progress, **given):
    def told(step, *now):
        progress(step, *now)
        if step == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
    return Watch(progress=told, every_seconds=0, **given)
worker.Watch = watch
worker.perform(read_request(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def killed(suite: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the store of a fit that SIGKILL ended in step 30, after the first rung."""
    folder = tmp_path_factory.mktemp("killed")
    Store(folder / "store").open()
    request = to_line(request_of(suite, folder)).decode()
    code = [sys.executable, "-c", KILLED_AT_STEP, request, "30"]
    ended = subprocess.run(code, check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return folder / "store"


@pytest.fixture
def store(killed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(killed, tmp_path / "store"))


@dataclass(frozen=True)
class Fitted:
    """What fitting found, and the steps that it took."""

    steps: Sequence[int]
    result: Result


def fit_again(suite: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> Fitted:
    steps: list[int] = []

    def watch(progress: Any, **given: Any) -> Watch:
        def told(step: int, *now: Any) -> None:
            steps.append(step)
            progress(step, *now)

        return Watch(progress=told, **given)

    monkeypatch.setattr(worker, "Watch", watch)
    request = request_of(suite, store.parent)
    worker.perform(request)
    result = read_result(Path(request.scratch, "result.json").read_bytes())
    assert result.status == "done", result
    return Fitted(steps, result)


def test_a_killed_fit_goes_on_and_ends_as_if_undisturbed(
    suite: Path, undisturbed: Path, store: Path, monkeypatch: pytest.MonkeyPatch
):
    (first,) = (store / "artifacts").iterdir()
    (checkpoint,) = (store / "training").iterdir()
    before = first.stat()
    with np.load(checkpoint) as state:
        step, seconds = state["step"], state["seconds"]
    found = fit_again(suite, store, monkeypatch)
    assert step == 29
    assert found.steps == list(range(30, RUNGS[1] + 1))
    assert found.result.seconds_before == seconds > 0
    assert artifacts(store) == artifacts(undisturbed)
    assert first.stat().st_mtime_ns == before.st_mtime_ns
    assert not checkpoint.exists()


def test_a_rung_that_was_lost_is_trained_again_from_nothing(
    suite: Path, undisturbed: Path, store: Path, monkeypatch: pytest.MonkeyPatch
):
    (first,) = (store / "artifacts").iterdir()
    shutil.rmtree(first)
    found = fit_again(suite, store, monkeypatch)
    assert found.steps == list(range(1, RUNGS[1] + 1))
    assert found.result.seconds_before == 0
    assert artifacts(store) == artifacts(undisturbed)


def test_a_run_killed_while_it_trains_resumes_to_the_same_artifacts_and_records(
    suite: Path, undisturbed: Path, tmp_path: Path
):
    folder = tmp_path / "killed"
    command = [BITPROBE, "run", suite, "--output", folder, "-j", "1"]
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not list(folder.glob("artifacts/*")):
        assert time.monotonic() < until
        assert running.poll() is None
        time.sleep(0.002)
    children = psutil.Process(running.pid).children(recursive=True)
    running.kill()
    running.wait()
    psutil.wait_procs(children, timeout=10)
    assert len(list(folder.glob("artifacts/*"))) == 1
    (checkpoint,) = folder.glob("training/*.npz")
    with np.load(checkpoint) as state:
        assert state["step"] >= RUNGS[0]
    run(suite, folder)
    assert artifacts(folder) == artifacts(undisturbed)
    assert records(folder) == records(undisturbed)
    assert not list(folder.glob("training/*"))


def records(folder: Path) -> list[dict[str, Any]]:
    """Return all records without what the clock and memory decide."""
    found = [json.loads(p.read_text()) for p in folder.glob("records/*.json")]
    return sorted(
        ({**record, "cost": 0, "date": ""} for record in found),
        key=lambda one: str(one["key"]),
    )


# A fit

FIT_WITH_CTRL_C = """
import os, signal, sys
from harness.contract import training
class Watch(training.Watch):
    def __init__(self, *, progress, **others):
        def told(step, *now):
            if step == 25:
                os.kill(os.getpid(), signal.SIGINT)
            progress(step, *now)
        super().__init__(progress=told, **others)
training.Watch = Watch
from harness.cli import main
main()
"""


def test_a_fit_stopped_by_ctrl_c_says_how_to_go_on_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    spec, output = "pixel_transformer(size='10k', steps=40)", tmp_path / "A"
    args = ["fit", spec, "digits", "-o", str(output), "--seed", "2"]
    stopped = subprocess.run(
        [sys.executable, "-c", FIT_WITH_CTRL_C, *args],
        capture_output=True,
        text=True,
        check=False,
    )
    assert stopped.returncode == 130, stopped.stderr
    assert stopped.stderr == (
        f"bitprobe: stopped; {output}.training is kept, run the same command to resume\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["A.training"]
    monkeypatch.setattr(sys, "argv", ["bitprobe", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    first, last = capsys.readouterr().err.splitlines()
    assert first == "resuming from step 25, where an earlier run stopped"
    assert last.startswith(f"wrote {output}: pixel_transformer(")
    assert [path.name for path in tmp_path.iterdir()] == ["A"]
    whole = fit_to(tmp_path / "B", REGISTRY.parse(spec), "digits", seed=2)
    assert same(artifact.load(output, REGISTRY.make), whole)


def test_a_fit_tells_its_steps_and_bits_per_byte(tmp_path: Path):
    told: list[tuple[int, int, float]] = []
    watch = Watch(progress=lambda *now: told.append(now))
    model, output = replace(MODEL, steps=40), tmp_path / "A"
    fit_to(output, model, "digits", seed=0, watch=watch)
    assert [now[:2] for now in told] == [(step, 40) for step in range(1, 41)]
    train = load_dataset("digits").train.samples[:200]
    untrained = replace(MODEL, steps=0).fit(train, seed=0)
    bits_per_byte = untrained.code_lengths(train).sum() / (200 * 64)
    assert told[0][2] == pytest.approx(bits_per_byte, abs=0.15)
    assert told[-1][2] < told[0][2] - 0.5
    assert not checkpoint_of(output).exists()


def test_a_codec_is_fitted_without_a_checkpoint(tmp_path: Path):
    fit_to(tmp_path / "A", REGISTRY.parse("zstd"), "digits", seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["A"]
