"""Isotonic regression, and residuals from it."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.monotone_curve import (
    Points,
    curve_word,
    deviations,
    isotonic_fit,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def min_max_fit(values):
    """The non-increasing least-squares fit, by max-min of averages (Robertson et al. 1988)."""
    n = len(values)
    return [
        min(max(np.mean(values[a : b + 1]) for b in range(i, n)) for a in range(i + 1))
        for i in range(n)
    ]


def test_the_isotonic_fit_is_the_min_max_of_averages():
    accuracy = rng(3).normal(size=12) - np.linspace(0, 2, 12)
    places, values = isotonic_fit(np.arange(12.0), accuracy)
    assert places.tolist() == list(range(12))
    assert values == pytest.approx(min_max_fit(accuracy))


def points_of(lift, *, n_points=6, noise=0.002, n_datasets=2, n_draws=1):
    """Three interventions on accuracy = .9 - .1 bits in each run; the last is lifted."""
    draw, rows = rng(9), []
    for dataset, run in itertools.product(range(n_datasets), range(n_draws)):
        for kind in range(3):
            for bits in draw.uniform(1, 4, n_points):
                off = lift if kind == 2 else 0.0
                accuracy = 0.9 - 0.1 * bits + off + noise * draw.normal()
                rows.append((bits, accuracy, kind, dataset, run))
    bits, accuracy, kinds, datasets, draws = np.array(rows).T
    return Points(
        bits=bits,
        accuracy=accuracy,
        intervention=kinds.astype(int),
        dataset=datasets.astype(int),
        draw=draws.astype(int),
    )


def test_interventions_on_one_curve_suffice_and_a_lifted_one_does_not():
    assert curve_word(deviations(points_of(0.0)), 0.05) == "suffice"
    lifted = deviations(points_of(-0.2))
    assert curve_word(lifted, 0.05) == "do not suffice"
    assert lifted[2].value == pytest.approx(-0.2, abs=0.05)


def test_few_or_scattered_points_leave_one_curve_undecided():
    assert curve_word(deviations(points_of(0.0, n_points=1)), 0.05) == "undecided"
    scattered = points_of(0.0, n_points=4, noise=0.2)
    assert curve_word(deviations(scattered), 0.05) == "undecided"
    assert curve_word([], 0.05) == "undecided"


def test_a_curve_is_not_read_beyond_the_bits_of_the_others():
    inside = points_of(0.0)
    far = Points(
        bits=np.where(inside.intervention == 2, inside.bits + 10, inside.bits),
        accuracy=inside.accuracy,
        intervention=inside.intervention,
        dataset=inside.dataset,
        draw=inside.draw,
    )
    (*_, last) = deviations(far)
    assert (last.n, math.isnan(last.value)) == (0, True)


@pytest.mark.parametrize(
    ("sizes", "unit", "n_values"),
    [
        ({"n_datasets": 4, "n_draws": 2}, "data sets", 4),
        ({"n_datasets": 2, "n_draws": 3}, "draws", 3),
        ({"n_datasets": 2, "n_draws": 2}, "networks", None),
    ],
)
def test_the_interval_is_students_over_data_sets_else_draws_else_networks(
    sizes, unit, n_values
):
    points = points_of(0.1, noise=0.02, **sizes)
    last = deviations(points)[2]
    assert last.unit == unit
    if n_values is None:
        n_values = last.n
    tail = 0.025 / 3
    half = (last.ci_high - last.ci_low) / 2
    # By the values themselves, fitted run by run.
    by_run = {}
    for d, k in itertools.product(range(sizes["n_datasets"]), range(sizes["n_draws"])):
        is_run = (points.dataset == d) & (points.draw == k)
        here = points.take(np.flatnonzero(is_run))
        of_others = here.intervention != 2
        places, values = isotonic_fit(here.bits[of_others], here.accuracy[of_others])
        is_in = ~of_others & (here.bits >= places[0]) & (here.bits <= places[-1])
        by_run[d, k] = here.accuracy[is_in] - np.interp(
            here.bits[is_in], places, values
        )
    axis = {"data sets": 0, "draws": 1}.get(unit)
    if axis is None:
        expected = np.concatenate([*by_run.values()])
    else:
        expected = np.array(
            [
                np.mean([v.mean() for run, v in by_run.items() if run[axis] == level])
                for level in range(n_values)
            ]
        )
    quantile = scipy_stats.t.isf(tail, n_values - 1)
    error = expected.std(ddof=1) / math.sqrt(n_values)
    assert last.value == pytest.approx(expected.mean())
    assert half == pytest.approx(quantile * error)


def test_all_intervals_of_three_points_hold_at_once_as_often_as_they_say():
    """Three points for each of three interventions, on one curve: at most 5 % of runs miss."""
    n_runs, n_missed = 400, 0
    for seed in range(n_runs):
        draw = rng(seed)
        kinds = np.repeat(np.arange(3), 3)
        bits = np.tile([1.0, 2.0, 3.0], 3) + 0.1 * kinds
        points = Points(
            bits=bits,
            accuracy=0.5 + 0.02 * draw.normal(size=9),
            intervention=kinds,
            dataset=np.zeros(9, int),
            draw=np.zeros(9, int),
        )
        results = [d for d in deviations(points) if not math.isnan(d.ci_low)]
        n_missed += any(not d.ci_low <= 0 <= d.ci_high for d in results)
    assert n_missed <= scipy_stats.binom.isf(0.001, n_runs, 0.05)
