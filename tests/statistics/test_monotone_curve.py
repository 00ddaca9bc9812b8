"""Isotonic regression, and residuals from it."""

import math

import numpy as np
import pytest

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


def points_of(lift, *, n_points=6, noise=0.002):
    """Two data sets, three interventions on accuracy = .9 - .1 bits; the last is lifted."""
    draw, rows = rng(9), []
    for dataset in range(2):
        for kind in range(3):
            for bits in draw.uniform(1, 4, n_points):
                off = lift if kind == 2 else 0.0
                accuracy = 0.9 - 0.1 * bits + off + noise * draw.normal()
                rows.append((bits, accuracy, kind, dataset))
    bits, accuracy, kinds, datasets = np.array(rows).T
    return Points(
        bits=bits,
        accuracy=accuracy,
        intervention=kinds.astype(int),
        dataset=datasets.astype(int),
    )


def test_interventions_on_one_curve_suffice_and_a_lifted_one_does_not():
    assert curve_word(deviations(points_of(0.0), rng()), 0.05) == "suffice"
    lifted = deviations(points_of(-0.2), rng())
    assert curve_word(lifted, 0.05) == "do not suffice"
    assert lifted[2].value == pytest.approx(-0.2, abs=0.05)


def test_few_or_scattered_points_leave_one_curve_undecided():
    assert (
        curve_word(deviations(points_of(0.0, n_points=1), rng()), 0.05) == "undecided"
    )
    scattered = points_of(0.0, n_points=4, noise=0.2)
    assert curve_word(deviations(scattered, rng()), 0.05) == "undecided"
    assert curve_word([], 0.05) == "undecided"


def test_a_curve_is_not_read_beyond_the_bits_of_the_others():
    inside = points_of(0.0)
    far = Points(
        bits=np.where(inside.intervention == 2, inside.bits + 10, inside.bits),
        accuracy=inside.accuracy,
        intervention=inside.intervention,
        dataset=inside.dataset,
    )
    (*_, last) = deviations(far, rng())
    assert (last.n, math.isnan(last.value)) == (0, True)
