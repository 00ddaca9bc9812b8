"""Half-widths by layout, and by how configurations are drawn."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.statistics.block import Block
from harness.statistics.cells import family_correlations
from harness.statistics.crossed import AdditiveFit

HETEROGENEITY = 0.25
# Families, configurations, data sets; the first is the layout of `standard`.
LAYOUTS = [(6, 3, 12), (6, 8, 12), (8, 8, 12), (10, 8, 12), (10, 8, 20), (10, 8, 30)]


def attenuated_tables(layout, n_tables, n_draws, draw, *, anew):
    """A weak null in which slopes are those of the parts that a configuration keeps.

    Components are those of rates and of class_adapt in the published run of `standard`:
    configuration, configuration by data set, and noise of one draw.
    """
    n_families, n_members, n_datasets = layout
    shape = (n_tables, n_families, n_members)
    # Configurations drawn anew on each data set have nothing in common there.
    n_kept = n_datasets if anew else 1
    spread = HETEROGENEITY * draw.normal(size=(n_tables, n_families, 1))
    spread = spread + HETEROGENEITY * draw.normal(
        size=(n_tables, n_families, n_datasets)
    )
    slope = np.clip(spread, -0.95, 0.95)[:, :, None]
    x, z = (draw.normal(size=(*shape, n_kept)) for _ in range(2))
    noise = [draw.normal(size=(*shape, n_datasets)) for _ in range(2)]
    rate = math.sqrt(0.16) * x + math.sqrt(0.10) * noise[0]
    metric = math.sqrt(0.20) * (slope * x + np.sqrt(1 - slope**2) * z)
    metric = metric + math.sqrt(0.22 + 0.25 / n_draws) * noise[1]
    rate, metric = (v.reshape(n_tables, -1, n_datasets) for v in (rate, metric))
    family = np.repeat(np.arange(n_families), n_members)
    return family_correlations(Block(rate=rate, metric=metric, family=family))


def half_widths_of(layout, n_tables, n_draws, draw):
    """Mean half-width with the same configurations on all data sets, and drawn anew."""
    widths = []
    for anew in (False, True):
        tables = attenuated_tables(layout, n_tables, n_draws, draw, anew=anew)
        fit = AdditiveFit.of(tables)
        variances, freedoms = fit.variances(families_random=True)
        quantiles = scipy_stats.t.isf(0.025, freedoms)
        widths.append(float((quantiles * np.sqrt(variances)).mean()))
    return widths


def test_configurations_drawn_anew_on_each_data_set_narrow_the_interval():
    same, anew = half_widths_of((8, 8, 12), 200, 1, np.random.default_rng(18))
    assert anew < 0.85 * same


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_half_widths_by_layout_and_by_how_configurations_are_drawn(layout):
    n_draws = 3 if layout[0] == 6 else 1
    same, anew = half_widths_of(layout, 1000, n_draws, np.random.default_rng(19))
    # One row of the other table in docs/hypothesis.md.
    print(layout, n_draws, round(same, 3), round(anew, 3))  # noqa: T201
    assert anew < same
