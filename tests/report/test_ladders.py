"""Figure of ladders of checkpoints."""

import altair as alt
import jsonschema
import pandas as pd

from harness.analysis.ladders import COLUMNS, DEPTHS
from harness.report.charts.ladders import accuracy_by_layer


def points():
    """Four checkpoints of each of two networks, at every depth."""
    rows = [
        {
            "dataset": "images",
            "ladder": f"net(size={size})",
            "compressor": f"net(size={size}, steps={steps})",
            "rung": steps,
            "depth": depth,
            "layer": "h",
            "bits": 4 / size - steps / 100,
            "accuracy": 0.5 + steps / 1000,
        }
        for size in (1, 2)
        for steps in (0, 50, 100, 150)
        for depth in DEPTHS
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_the_figure_is_legal_vega_lite_with_a_point_per_checkpoint_and_depth():
    table = points()
    spec = accuracy_by_layer(table, "images").to_dict(validate=False)
    jsonschema.Draft7Validator(alt.load_schema()).validate(spec)
    (rows,) = spec["datasets"].values()
    assert len(rows) == len(table)
    assert accuracy_by_layer(table, "texts") is None
