"""Few labels given unlabelled X: the draws, their doses, and what the task computes."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import pytest

from harness.errors import SuiteError
from harness.tasks import transfer

SHARED = SimpleNamespace(**run_path(str(Path(__file__).with_name("pairs_of_texts.py"))))
REGISTRY, dataset = SHARED.REGISTRY, SHARED.dataset
inputs, run, scores_of = SHARED.inputs, SHARED.run, SHARED.scores_of
NETWORK = SHARED.NETWORK

FEW = transfer.Parameters(
    n_bytes=300, n_labels=2, n_draws=3, n_sources=3, doses=(0.25, 2.0), others=("far",)
)
FAR = {"far": dataset("far", 60)}


def test_few_labels_and_x_share_no_sample_with_each_other_or_with_y():
    data = dataset("home", 0)
    problem = transfer.few_label_problem(data, FEW, seed=1)
    assert len(problem.few) == 3
    few = set()
    for draw in problem.few:
        assert [len(rows) for rows in draw] == [2, 2]
        for label, rows in enumerate(draw):
            assert len(set(rows.tolist())) == 2
            assert set(data.train.labels[rows].tolist()) == {label}
            few |= {data.train.samples[i] for i in rows.tolist()}
    assert len(few) > 4  # the draws differ
    sources = transfer.draw_sources(problem, FAR, FEW)
    names = list(dict.fromkeys(name for name, _ in sources))
    assert names[:2] == ["same_data", "far"]
    assert len(names) == 4  # and one class, and random
    for (name, dose), x in sources.items():
        assert len(x) == 300 * dose
        if name != "random":
            whole = set(x.split(b"\n")[:-1])
            assert not whole & few
            assert not whole & set(problem.dataset.test.samples)


def test_x_of_same_and_of_other_data_come_in_every_dose_the_smaller_in_the_larger():
    problem = transfer.few_label_problem(dataset("home", 0), FEW, seed=1)
    sources = transfer.draw_sources(problem, FAR, FEW)
    doses = {}
    for name, dose in sources:
        doses.setdefault(name, []).append(dose)
    assert doses["same_data"] == doses["far"] == [0.25, 1.0, 2.0]
    assert {tuple(d) for n, d in doses.items() if n not in ("same_data", "far")} == {
        (1.0,)
    }
    for name in ("same_data", "far"):
        assert sources[name, 2.0].startswith(sources[name, 1.0])
        assert sources[name, 1.0].startswith(sources[name, 0.25])


def test_each_test_sample_is_classified_by_one_draw_of_labels():
    problem = transfer.few_label_problem(dataset("home", 0), FEW, seed=1)
    rows = np.concatenate(problem.parts)
    assert sorted(rows.tolist()) == list(range(len(problem.dataset.test.samples)))
    sizes = [len(part) for part in problem.parts]
    assert max(sizes) - min(sizes) <= 1


def test_labels_of_a_small_class_leave_half_of_it_unlabelled():
    many = replace(FEW, n_draws=100)
    data = dataset("home", 0)
    problem = transfer.few_label_problem(data, many, seed=1)
    counts = np.bincount(data.train.labels)
    unlabelled = np.bincount(problem.unlabelled_train.train.labels)
    assert (unlabelled == counts - counts // 2).all()


def costs_of_draws(data, problem, length_of):
    """Return the bits of each test sample given each class's few of its draw."""
    costs = np.empty((len(data.test.samples), 2))
    for few, part in zip(problem.few, problem.parts, strict=True):
        texts = [[data.train.samples[i] + b"\n" for i in rows] for rows in few]
        for label, text in enumerate(texts):
            for row in part:
                costs[row, label] = length_of(text, data.test.samples[row])
    return costs


def test_transfer_accuracy_and_bits_are_those_of_prefixes():
    spec = "zstd(level=9)"
    found = scores_of(run(transfer, inputs(spec), FEW))
    codec, data = REGISTRY.parse(spec), dataset("home", 0)
    problem = transfer.few_label_problem(data, FEW, seed=0)
    sources = transfer.draw_sources(problem, FAR, FEW)
    for dose in (0.25, 1.0, 2.0):
        x, name = sources["same_data", dose], f"same_data:x{dose:g}"
        given_x = len(codec.compress(problem.y, context=x))
        saved = len(codec.compress(problem.y)) - given_x
        expected = pytest.approx(8 * saved / len(problem.y))
        assert found[f"transfer_saved_bpb:{name}"] == expected

        def length_of(text, sample, x=x):
            return len(codec.compress(sample, context=x + b"".join(text)))

        costs = costs_of_draws(data, problem, length_of)
        tied = costs == costs.min(axis=1, keepdims=True)
        shares = (tied / tied.sum(axis=1, keepdims=True))[
            np.arange(len(costs)), data.test.labels
        ]
        recalls = [shares[data.test.labels == label].mean() for label in (0, 1)]
        expected = pytest.approx(np.mean(recalls))
        assert found[f"few_label_balanced_accuracy:{name}"] == expected


def test_transfer_of_a_network_fits_labels_on_top_of_x_with_the_same_budget():
    found = run(transfer, inputs(NETWORK), replace(FEW, budget=2)).arrays
    data = dataset("home", 0)
    problem = transfer.few_label_problem(data, FEW, seed=0)
    x = transfer.draw_sources(problem, FAR, FEW)["same_data", 1.0]
    model = REGISTRY.parse(NETWORK).budgeted(2)
    for name, start in ((":none", model), (":same_data:x1", model.fit([x], seed=0))):

        def length_of(text, sample, start=start):
            return start.fit(text, seed=0).code_lengths([sample])[0]

        answers = found[f"credit{name}"].argmax(axis=1)
        costs = costs_of_draws(data, problem, length_of)
        assert answers.tolist() == np.argmin(costs, axis=1).tolist()


def test_no_labels_and_doses_of_no_byte_are_refused():
    with pytest.raises(SuiteError, match="at least 1 of each"):
        transfer.Parameters(n_labels=0)
    with pytest.raises(SuiteError, match="at least 1 byte of 100"):
        transfer.Parameters(n_bytes=100, doses=(0.001,))
