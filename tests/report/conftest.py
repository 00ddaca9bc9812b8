"""Results without a folder, and scores as a run gives them, for the tests of reports."""

import pytest

from harness.analysis.results import Results


@pytest.fixture(scope="session")
def results_from():
    """Return the function that makes results of records."""

    def results(records, manifest=None):
        return Results(stored=tuple(records), manifest=manifest, arrays=lambda _: {})

    return results


@pytest.fixture(scope="session")
def measured(make_score):
    """Return the function that makes a score with an interval of a tenth of its value."""

    def score(metric, value, **about):
        is_rate = metric.endswith("_bpb")
        realised = "decoded" if is_rate else ""
        how = {"state": "fit(train)", "route": "native", "realised": realised}
        how |= {
            "unit": "bits/byte" if is_rate else "fraction",
            "half": 0.1 * abs(value),
        }
        return make_score(metric, value, **(how | {"note": "given this split"} | about))

    return score
