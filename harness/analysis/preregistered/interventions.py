"""Interventions on one network: one monotone curve of accuracy against bits, or not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.preregistered.readings import Readout, readings
from harness.analysis.preregistered.result import CurveResult
from harness.analysis.preregistered.sentences import curve_sentence
from harness.planning.preregistration import Registration
from harness.records.record import Record
from harness.records.score import HEADLINE
from harness.statistics.monotone_curve import Points, curve_word, deviations


def curve_of(
    records: Sequence[Record], registration: Registration
) -> CurveResult | None:
    """Return whether the preregistered interventions fall on one curve; None without any.

    A point is one network on one data set in one draw.
    """
    if not registration.interventions:
        return None
    # The question is about features, which claims R read.
    by_name = [claim for claim in registration.claims if claim.name == "R"]
    claim = (by_name or registration.claims)[0]
    datasets = tuple(registration.datasets)
    rates = readings(records, Readout(task="", score=HEADLINE), datasets).readings
    metric = Readout(task=claim.task, score=claim.score, equal_bytes=claim.equal_bytes)
    metrics = readings(records, metric, datasets).readings
    # A point needs both numbers; a network without them is listed below.
    rows = [
        (spec, kind, d, draw, rate.value, metrics[cell][draw].value)
        for kind, specs in enumerate(registration.interventions.values())
        for spec in specs
        for d, dataset in enumerate(datasets)
        if (cell := (spec, dataset)) in rates and cell in metrics
        for draw, rate in rates[cell].items()
        if draw in metrics[cell]
    ]
    points = Points(
        bits=np.array([row[4] for row in rows], np.float64),
        accuracy=np.array([row[5] for row in rows], np.float64),
        intervention=np.array([row[1] for row in rows], np.int64),
        dataset=np.array([row[2] for row in rows], np.int64),
        draw=np.array([row[3] for row in rows], np.int64),
    )
    results = deviations(points)
    names = tuple(registration.interventions)
    word = curve_word(results, registration.tolerance)
    measured = {row[0] for row in rows}
    listed = [s for specs in registration.interventions.values() for s in specs]
    return CurveResult(
        task=claim.task,
        score=claim.score,
        points=points,
        compressors=tuple(str(row[0]) for row in rows),
        interventions=names,
        datasets=datasets,
        without_records=tuple(s for s in listed if s not in measured),
        deviations={names[d.intervention]: d for d in results},
        word=word,
        sentence=curve_sentence(word, registration.tolerance),
    )
