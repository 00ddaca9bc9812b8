"""Held-out shares against scikit-learn, and races with a known winner."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from harness.statistics.race import held_out_share, lap

FAMILY = np.repeat(np.arange(4), 8)


def rng(seed=0):
    return np.random.default_rng(seed)


def centred(values, family, reference, of_reference):
    means = [reference[of_reference == f].mean(axis=0) for f in range(4)]
    return values - np.array(means)[family]


def test_the_held_out_share_is_that_of_scikit_learns_ridge():
    x, y = rng(1).normal(size=(32, 3)), rng(2).normal(size=32)
    y = y + x[:, 0] + 3 * FAMILY
    errors, totals = [], []
    for row in range(32):
        rest = np.arange(32) != row
        a = centred(x[rest], FAMILY[rest], x[rest], FAMILY[rest])
        b = centred(y[rest], FAMILY[rest], y[rest], FAMILY[rest])
        # Centring once is all: a family mean is no mean of all.
        scaler = StandardScaler(with_mean=False).fit(a)
        model = Ridge(alpha=1.0, fit_intercept=False).fit(scaler.transform(a), b)
        one = slice(row, row + 1)
        here = centred(x[one], FAMILY[one], x[rest], FAMILY[rest])
        target = centred(y[one], FAMILY[one], y[rest], FAMILY[rest])
        errors.append((target - model.predict(scaler.transform(here))) ** 2)
        totals.append(target**2)
    expected = 1 - np.sum(errors) / np.sum(totals)
    assert held_out_share(x, y, FAMILY) == pytest.approx(expected)


def test_differences_between_families_predict_nothing():
    """Predictor and target differ by family alone, but for noise of their own."""
    x, y = (10.0 * FAMILY + rng(seed).normal(size=32) for seed in (3, 4))
    result = lap({"size": x}, y, FAMILY)
    assert result is not None
    assert result.alone["size"] < 0.2


def test_a_predictor_that_repeats_another_adds_nothing_and_a_new_one_does():
    size, bits = rng(5).normal(size=32), rng(6).normal(size=32)
    target = size + bits + 0.1 * rng(7).normal(size=32)
    result = lap({"size": size, "copy": 2 * size, "bits": bits}, target, FAMILY)
    assert result is not None
    assert result.together > 0.8
    assert abs(result.added["copy"]) < 0.05
    assert result.added["bits"] > 0.3
    assert result.alone["size"] == pytest.approx(result.alone["copy"])


def test_missing_and_constant_predictors_and_small_families_take_no_part():
    values = rng(8).normal(size=32)
    missing = values.copy()
    missing[0] = np.nan
    columns = {"bits": values, "loss": missing, "rate": np.ones(32)}
    target = rng(9).normal(size=32)
    target[2:8] = np.nan  # two of the first family are left
    result = lap(columns, target, FAMILY)
    assert result is not None
    assert set(result.alone) == {"bits", "loss"}  # what is missing was of that family
    assert result.n == 24
    assert lap(columns, np.full(32, np.nan), FAMILY) is None
