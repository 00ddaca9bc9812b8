"""The record of a fit keeps the loss that its training ended with."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.contract.registry import load_registry
from harness.contract.training import Trains, Watch
from harness.data.dataset import subset
from harness.data.load import load_dataset
from harness.records.store import Store

BITPROBE = Path(sys.executable).parent / "bitprobe"
SUITE = """
name = "mine"
title = "Two checkpoints and a codec"
compressors = ["pixel_mlp(size='10k', steps=[0, 3, 8])", "deflate"]
datasets = [{ name = "digits", train = 60, test = 20 }]
tasks = ["rates"]
"""


def losses_in_process(fields, seed):
    """Losses after 3 and 8 steps, as the callbacks of a training tell them."""
    data = subset(load_dataset("digits"), seed=seed, n_train=60, n_test=20)
    model = load_registry().make("pixel_mlp", fields)
    assert isinstance(model, Trains)
    told: dict[int, float] = {}
    watch = Watch(progress=lambda step, _, bits: told.update({step: bits}))
    corpus = [sample + data.separator for sample in data.train.samples]
    for _ in model.trained(corpus, [3, 8], seed=seed, watch=watch):
        pass
    return {steps: told[steps] for steps in (3, 8)}


def test_fits_of_networks_keep_their_last_loss_and_codecs_have_none(tmp_path):
    (tmp_path / "mine.toml").write_text(SUITE)
    command = [BITPROBE, "run", "mine.toml", "--output", "out"]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    fits = [record for record in Store(tmp_path / "out").read_all() if record.is_fit]
    losses = {record.job.rung: record.training_loss_bits for record in fits}
    (seed,) = {record.job.seed for record in fits}
    network = next(record for record in fits if record.job.rung == 8)
    assert losses[0] is None
    expected = losses_in_process(network.job.subject.fields, seed)
    assert {3: losses[3], 8: losses[8]} == pytest.approx(expected)
    assert [r.training_loss_bits for r in fits if r.spec == "deflate"] in ([], [None])
